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


def labels(axes) -> list[str]:
    return [text.get_text() for text in axes.get_yticklabels()]


@pytest.mark.parametrize("bars", ["layers", "blocks"])
def test_where_cycles_and_bytes_go(monkeypatch, result, bars):
    monkeypatch.setattr(plots, "MOST_BARS", 100 if bars == "layers" else 1)
    rows = [row for row in result[bars] if row["name"] not in ("begin", "end")]
    cycles, moved = (draw(result).axes[0] for draw in (plots.cycles_plot, plots.bytes_plot))
    assert labels(cycles) == labels(moved) == [row["name"] for row in rows]
    np.testing.assert_allclose(bar_ends(cycles), [row["cycles"] for row in rows])
    np.testing.assert_allclose(bar_ends(moved), [row["bytes"]["total"] / 1024 for row in rows])
    assert "clock cycles an image" in cycles.get_xlabel() and "KiB" in moved.get_xlabel()


def test_every_cause_and_class_has_a_colour(result):
    assert set(plots.CAUSE_COLOURS) == set(result["cycles_by_cause"]) - {"total"}
    assert set(plots.CLASS_COLOURS) == set(result["bytes"]) - {"total", "activation"}


def test_a_batch_is_named(ticket):
    plot = plots.cycles_plot(report(ticket, Config(rows=8, columns=8), batch=3)).axes[0]
    assert "a run of 3 images" in plot.get_xlabel()


def test_traffic_plot(result):
    axes = plots.traffic_plot(result).axes[0]
    assert labels(axes) == list(result["baselines"])
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
    paths = plots.save_all(result, tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert {p.name for p in paths} == {"cycles.png", "bytes.png", "traffic.png"}
    with pytest.raises(HfnError, match="cannot write"):
        plots.save(plots.cycles_plot(result), tmp_path / "absent" / "a.png")
