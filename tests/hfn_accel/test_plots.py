"""Plots show what the report says, with units on their axes."""

import numpy as np
import pytest

from hfn_accel import dse, plots
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.estimate import report
from hfn_accel.network import Architecture
from tests.tickets import random_ticket


@pytest.fixture(scope="module")
def ticket():
    arch = Architecture.parse("8x1,16x2f", classes=5, image_size=8)
    return random_ticket(np.random.default_rng(0), arch)


@pytest.fixture(scope="module")
def result(ticket):
    return report(ticket, Config(rows=8, columns=8))


def bar_ends(axes) -> np.ndarray:
    """Where the longest bar of every label ends, from the first label on."""
    ends = {}
    for bar in axes.patches:
        ends[bar.get_y()] = max(ends.get(bar.get_y(), 0), bar.get_x() + bar.get_width())
    return np.array([ends[y] for y in sorted(ends)])


def test_cycles_plot(result):
    axes = plots.cycles_plot(result).axes[0]
    layers = result["layers"][1:-1]
    assert [t.get_text() for t in axes.get_yticklabels()] == [x["name"] for x in layers]
    np.testing.assert_allclose(bar_ends(axes), [x["cycles"] for x in layers])
    assert "clock cycles" in axes.get_xlabel()


def test_traffic_plot(result):
    axes = plots.traffic_plot(result).axes[0]
    names = [t.get_text() for t in axes.get_yticklabels()]
    assert names == list(result["baselines"])
    totals = [b["total"] / 1024 for b in result["baselines"].values()]
    np.testing.assert_allclose(bar_ends(axes), totals)
    assert "KiB" in axes.get_xlabel()


def test_pareto_plot_has_a_line_for_each_act_bits(ticket):
    axes = {"pe": [(4, 4), (8, 8)], "act_bits": ["own", 2], "activation_bytes": [8192],
            "mask_bytes": [256, 8192], "psum_depth": [64], "bus": [64]}  # fmt: skip
    plot = plots.pareto_plot(dse.sweep(ticket, axes)).axes[0]
    assert [line.get_label() for line in plot.lines] == [
        "activation bits: the ticket's own", "activation bits: 2",
    ]  # fmt: skip
    assert "KiB" in plot.get_xlabel() and "cycles" in plot.get_ylabel()


def test_save_is_all_or_nothing(tmp_path, result):
    figure = plots.cycles_plot(result)
    plots.save(figure, tmp_path / "a.png")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    with pytest.raises(HfnError, match="cannot write"):
        plots.save(figure, tmp_path / "absent" / "a.png")
