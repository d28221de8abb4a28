"""The benchmark of the estimator: that it measures what it says."""

import json
import sys

import numpy as np

from hfn_accel import bench, bench_estimate, cli


def test_measure(monkeypatch, tmp_path, capsys):
    out = tmp_path / "b.json"
    monkeypatch.setattr(bench_estimate, "POINTS", 8 * 20)
    monkeypatch.setattr(bench_estimate, "CHUNK", 10)
    monkeypatch.setattr(bench_estimate, "REPEATS", 3)
    seen, figures = [], bench_estimate.evaluate.figures

    def watched(workload, designs):
        seen.append((workload, len(designs["coded"])))
        return figures(workload, designs)

    monkeypatch.setattr(bench_estimate.evaluate, "figures", watched)
    monkeypatch.setattr(sys, "argv", ["bench", "estimate", "--json", str(out)])
    cli.run(bench.main)
    result = json.loads(out.read_text())
    assert [count for _, count in seen[:4]] == [8, 1, 1, 1]  # warms up, and single designs
    assert sum(count for _, count in seen[4:]) == result["points"] == 160
    assert len({str(workload.arch) for workload, _ in seen}) == 5
    assert 0 < result["fitting_ratio"] <= 1
    assert 0 < result["estimate_ms"] < result["figures_ms"] and result["points_per_minute"] > 0
    assert len(result["points_per_minute_by_network"]) == 8
    assert "points a minute on one core" in capsys.readouterr().out


def test_designs_are_many():
    """Random, so that next to nothing is found twice."""
    designs = bench_estimate._designs(np.random.default_rng(0), 1000)
    assert len(np.unique(np.stack(list(designs.values())), axis=1).T) > 990
