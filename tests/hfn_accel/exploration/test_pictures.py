"""The pictures of a sweep: of the points that its objectives call best."""

import csv

import pytest

from hfn_accel import plots
from hfn_accel.exploration import sweep
from hfn_accel.exploration.explore import explore

AXES = {"network": "hfn-resnet18", "dataset": "cifar10", "pe": ["8x8", "16x16", "64x64"],
        "mask_bytes": [65536, 262144], "parameter_channels": 1024, "result_words": 256}  # fmt: skip


@pytest.mark.parametrize("objectives, column, best", [
    ({"maximise": ["utilisation_ratio"]}, "utilisation_ratio", max),
    ({"minimise": ["cycles", "area_lut4"]}, "cycles", min),
    ({"minimise": ["total_moved_bytes"]}, "total_moved_bytes", min),
])  # fmt: skip
def test_the_best_point(tmp_path, monkeypatch, objectives, column, best):
    drawn, pareto = [], []
    monkeypatch.setattr(plots, "traffic_plot", lambda report: drawn.append(report) or FIGURE)
    monkeypatch.setattr(plots, "pareto_plot", lambda *a: pareto.append(a) or FIGURE)
    explore(sweep.parse({"axes": AXES, "objectives": objectives}), tmp_path)
    rows = list(csv.DictReader((tmp_path / "points.csv").open(newline="")))
    values = [float(row[column]) for row in rows if row[column]]
    assert drawn[0]["figures"][column] == pytest.approx(best(values)) and len(set(values)) > 1
    maximised = {"utilisation_ratio"} if "maximise" in objectives else set()
    assert pareto[0][4] >= maximised


FIGURE = plots.style.new(1, 1)[0]
