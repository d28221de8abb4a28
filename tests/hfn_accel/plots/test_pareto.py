"""Fronts of any two columns, one a label, with dominated points faded."""

import numpy as np
import pytest

from hfn_accel import plots
from hfn_accel.errors import HfnError

from .points import overlaps


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    count = 300
    shape = rng.choice([4, 8, 16], count)
    cycles = np.where(rng.random(count) < 0.2, np.nan, rng.integers(1000, 90_000, count))
    return {
        "activation_bits": rng.choice(["own", "2", "8"], count),
        "rows_lanes": shape, "columns_channels": shape, "cycles": cycles,
        "total_moved_bytes": rng.integers(1, 100, count) * 1024.0,
        "utilisation_ratio": rng.random(count),
        "infeasible_reason": np.where(np.isnan(cycles), "too large", ""),
    }  # fmt: skip


@pytest.mark.parametrize("x, y, signs, step", [
    ("total_moved_bytes", "cycles", (1, 1), "steps-post"),
    ("cycles", "utilisation_ratio", (1, -1), "steps-post"),
    ("utilisation_ratio", "cycles", (-1, 1), "steps-pre"),
])  # fmt: skip
def test_fronts_by_definition(table, x, y, signs, step):
    figure = plots.pareto_plot(table, x, y, "activation_bits")
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines) == [f"activations (bits): {bits}" for bits in ("2", "8", "own")]
    for name, line in lines.items():
        mine = (table["activation_bits"] == name.split()[-1]) & (table["infeasible_reason"] == "")
        a, b = signs[0] * table[x][mine], signs[1] * table[y][mine]
        beaten = [
            np.any((a <= p) & (b <= q) & ((a < p) | (b < q))) for p, q in zip(a, b, strict=True)
        ]
        expected = np.transpose([table[x][mine], table[y][mine]])[~np.array(beaten)]
        assert line.get_xydata().tolist() == sorted(expected.tolist())
        assert line.get_drawstyle() == step
    faded = np.concatenate([points.get_offsets() for points in axes.collections])
    drawn = len(faded) + sum(len(line.get_xdata()) for line in axes.lines)
    assert drawn == (table["infeasible_reason"] == "").sum()
    assert {points.get_alpha() for points in axes.collections} == {0.25}
    assert (axes.get_xlabel(), axes.get_ylabel()) == (plots.label(x), plots.label(y))
    assert overlaps(figure) == []


def test_directions_can_be_given(table):
    (axes,) = plots.pareto_plot(table, "total_moved_bytes", "cycles", "activation_bits",
                                maximise=("cycles",)).axes  # fmt: skip
    for line in axes.lines:
        assert np.all(np.diff(line.get_ydata()) > 0)


def test_looks_differ_by_more_than_colour(table):
    (axes,) = plots.pareto_plot(table, "cycles", "utilisation_ratio", "activation_bits").axes
    looks = [(line.get_marker(), line.get_linestyle()) for line in axes.lines]
    assert len(set(looks)) == len(looks) == 3


def test_bad_input(table):
    with pytest.raises(HfnError, match="no point has both cycles and utilisation_ratio"):
        plots.pareto_plot(table | {"cycles": table["cycles"] * np.nan}, "cycles",
                          "utilisation_ratio", "activation_bits")  # fmt: skip
    with pytest.raises(HfnError, match="network has 300 values"):
        many = table | {"network": np.arange(300).astype(str), "cycles": np.ones(300)}
        plots.pareto_plot(many, "cycles", "utilisation_ratio", "network")
