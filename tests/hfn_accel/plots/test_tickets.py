"""Pictures of masks show what the reports say."""

import numpy as np
import pytest

from hfn_accel import plots
from hfn_accel.modes import Mode
from hfn_accel.network import Architecture
from hfn_accel.random_ticket import random_ticket
from hfn_accel.ticket import diff, show

from .points import overlaps
from .test_where import bar_ends, labels


@pytest.fixture(scope="module")
def tickets():
    arch = Architecture.parse("8x1,16x3f", classes=5, image_size=8)
    return [random_ticket(arch, seed, density=0.3, modes=Mode(coats=2)) for seed in (1, 2)]


@pytest.fixture(scope="module")
def described(tickets, tmp_path_factory):
    path = tmp_path_factory.mktemp("ticket") / "t.safetensors"
    tickets[0].save(path)
    return show.describe(tickets[0], path)


def test_density_plot(tickets, described):
    axes = plots.density_plot(described).axes[0]
    assert labels(axes) == [row["name"] for row in described["tensors"]]
    np.testing.assert_allclose(bar_ends(axes), [(mask > 0).mean() for mask in tickets[0].masks])
    (line,) = axes.lines
    assert line.get_xdata() == [described["total"]["density"]] * 2
    assert "density" in axes.get_xlabel() and "t:" in axes.get_title(loc="left")


def test_channels_plot(tickets):
    axes = plots.channels_plot(tickets[0]).axes[0]
    (image,) = axes.images
    shown, masks = image.get_array(), tickets[0].masks
    assert shown.shape == (len(masks), max(map(len, masks)))
    for row, mask in zip(shown, masks, strict=True):
        densities = (mask > 0).mean(1)
        assert set(row.tolist()) == set(densities.tolist())
        assert row[0] == densities[0] and row[-1] == densities[-1]
    assert len(labels(axes)) == len(masks)


def test_overlap_plot(tickets):
    found = diff.compare(*tickets)
    axes = plots.overlap_plot(found).axes[0]
    np.testing.assert_allclose(bar_ends(axes), [row["jaccard"] for row in found["tensors"]])
    (marks,) = axes.lines
    np.testing.assert_allclose(marks.get_xdata(),
                               [row["jaccard_by_chance"] for row in found["tensors"]])  # fmt: skip
    assert "seeds 1 and 2" in axes.get_title(loc="left")


def test_no_texts_meet(tickets, described):
    drawn = plots.density_plot(described), plots.overlap_plot(diff.compare(*tickets))
    assert [overlaps(figure) for figure in drawn] == [[], []]
