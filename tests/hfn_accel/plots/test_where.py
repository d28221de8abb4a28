"""Stacked bars show what the report says, with units on their axes."""

import numpy as np
import pytest

from hfn_accel import plots
from hfn_accel.config import Config
from hfn_accel.design_report import report
from hfn_accel.plots import where
from hfn_accel.workload import Workload

from .points import overlaps


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
    monkeypatch.setattr(where, "MOST_BARS", 100 if bars == "layers" else 1)
    rows = [row for row in result[bars] if row["name"] not in ("begin", "end")]
    cycles, moved = (draw(result).axes[0] for draw in (plots.cycles_plot, plots.bytes_plot))
    assert labels(cycles) == labels(moved) == [row["name"] for row in rows]
    np.testing.assert_allclose(bar_ends(cycles), [row["cycles"] for row in rows])
    np.testing.assert_allclose(bar_ends(moved), [row["bytes"]["total"] / 1024 for row in rows])
    assert "clock cycles an image" in cycles.get_xlabel() and "KiB" in moved.get_xlabel()


def test_every_cause_and_class_looks_different(result):
    assert set(where.CAUSES) == set(result["cycles_by_cause"]) - {"total"}
    assert set(where.CLASSES) == set(result["bytes"]) - {"total", "activation"}
    for parts in (where.CAUSES, where.CLASSES):
        looks = [look for _, *look in parts.values()]
        assert len({colour for colour, _ in looks}) == len(looks)
        assert all(looks.count(look) == 1 for look in looks)


def test_a_batch_is_named(ticket):
    plot = plots.cycles_plot(
        report(Workload.of_ticket(ticket), Config(rows=8, columns=8), batch=3)
    ).axes[0]
    assert "a run of 3 images" in plot.get_xlabel()


def test_traffic_plot(result):
    axes = plots.traffic_plot(result).axes[0]
    assert labels(axes) == list(result["baselines"])
    totals = [b["total"] / 1024 for b in result["baselines"].values()]
    np.testing.assert_allclose(bar_ends(axes), totals)
    assert "KiB" in axes.get_xlabel()


@pytest.mark.parametrize("draw", [plots.cycles_plot, plots.bytes_plot, plots.traffic_plot,
                                  plots.roofline_of_report])  # fmt: skip
def test_no_texts_meet(result, draw):
    assert overlaps(draw(result)) == []
