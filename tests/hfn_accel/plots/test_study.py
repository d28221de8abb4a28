"""Runs of a comparison: every run and every mean is drawn where it is."""

import numpy as np
import pytest

from hfn_accel import plots

from .points import overlaps


@pytest.fixture
def result():
    rng = np.random.default_rng(0)
    values = ["32x1,64x2f,128x3f", "32x1,64x2,128x3", "imagenet:64x3b,128x4b,256x6bf,512x3bf"]
    runs = [{"value": value, "seed": seed, "accuracy": rng.uniform(0.7, 0.8)}
            for seed in (1, 2, 3) for value in values]  # fmt: skip
    groups = {}
    for value in values:
        mean = np.mean([run["accuracy"] for run in runs if run["value"] == value])
        groups[value] = {"mean": mean, "interval": [mean - 0.04, mean + 0.04]}
    return {"field": "arch", "dataset": "cifar10", "arch": values[0], "seeds": [1, 2, 3],
            "runs": runs, "groups": groups, "variance": {"F": 1.0, "p": 0.41}}  # fmt: skip


def test_runs_and_means(result):
    figure = plots.study_plot(result)
    (axes,) = figure.axes
    drawn = [line.get_xdata().tolist() for line in axes.lines if line.get_marker() in "os^"]
    for value, group in result["groups"].items():
        mine = [run["accuracy"] for run in result["runs"] if run["value"] == value]
        assert mine in drawn
        assert any(np.allclose(line.get_xdata(), group["mean"]) for line in axes.lines
                   if len(line.get_xdata()) == 1)  # fmt: skip
    bars = [bar.get_segments()[0][:, 0] for bar in axes.collections]
    intervals = [group["interval"] for group in result["groups"].values()]
    assert np.allclose(sorted(map(tuple, bars)), sorted(map(tuple, intervals)))
    assert "p = 0.41" in axes._left_title.get_text()
    assert overlaps(figure) == []


def test_no_spread(result):
    result["variance"] = {"F": None, "p": None}
    assert "no spread" in plots.study_plot(result).axes[0]._left_title.get_text()
