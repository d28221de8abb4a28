import json
import os
import re
import sys
from pathlib import Path

import pytest

from hfn_accel import bench_scalesim, cli, scalesim, topology
from hfn_accel.errors import HfnError
from hfn_accel.topology import Layer, Topology

REPORT = Path(__file__).parent.parent / "data" / "scalesim" / "COMPUTE_REPORT.csv"
SMALL = Topology("small", (
    Layer("a", 6, 6, 3, 3, 2, 4),
    Layer("b", 9, 5, 2, 3, 3, 7, 2, 2),
    Layer("c", 1, 1, 1, 1, 12, 10),
))  # fmt: skip


def run(monkeypatch, *arguments) -> int:
    """The command's exit status."""
    monkeypatch.setattr(sys, "argv", ["bench_scalesim", *map(str, arguments)])
    try:
        cli.run(bench_scalesim.main)
    except SystemExit as stop:
        return stop.code
    return 0


def test_recorded_report():
    """Of the two columns of cycles the one without prefetch."""
    assert bench_scalesim.parse_report(REPORT.read_text()) == [139, 219, 77] == [
        scalesim.cycles(layer, 4, 6, "ws") for layer in SMALL.layers
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "\n", "LayerID, Cycles,\n0, 1,\n",
                                  "LayerID, Total Cycles,\n0,\n",
                                  "LayerID, Total Cycles,\n0, x,\n"])  # fmt: skip
def test_report_that_is_none(text):
    with pytest.raises(HfnError, match="no column of numbers 'Total Cycles'"):
        bench_scalesim.parse_report(text)


def test_default_topology():
    """Small enough for half a minute of SCALE-Sim: it takes about 0.1 ms a cycle."""
    work = bench_scalesim.default_topology()
    assert len(work.layers) == 3
    assert sum(scalesim.cycles(x, 32, 32, d) for x in work.layers for d in ("ws", "os")) == 335_930


@pytest.mark.parametrize("python, words", [
    ("absent-python", "cannot run absent-python: no such program"),
    (os.path.relpath(sys.executable),
     "SCALE-Sim does not run under .*: ModuleNotFoundError: .*scalesim"),
])  # fmt: skip
def test_without_scalesim(monkeypatch, capsys, tmp_path, python, words):
    topology.write(tmp_path / "small.csv", SMALL)
    out = tmp_path / "b.json"
    assert run(monkeypatch, "--scalesim", python, "--topology", tmp_path / "small.csv",
               "--json", out) == 2  # fmt: skip
    captured = capsys.readouterr()
    assert re.search(words, captured.err)
    assert captured.err.count("\n") == 1 and not captured.out and not out.exists()


def test_two_strides():
    work = Topology("net", (Layer("a", 5, 5, 1, 1, 1, 1, 2, 1),))
    with pytest.raises(HfnError, match="layer 'a': SCALE-Sim 3 knows one stride, not 2 and 1"):
        bench_scalesim.simulate(sys.executable, work, 4, 4, "ws")


@pytest.mark.skipif("SCALESIM" not in os.environ, reason="SCALESIM: a Python with SCALE-Sim 3")
def test_real(monkeypatch, capsys, tmp_path):
    topology.write(tmp_path / "small.csv", SMALL)
    out = tmp_path / "b.json"
    assert run(monkeypatch, "--scalesim", os.environ["SCALESIM"], "--topology",
               tmp_path / "small.csv", "--pe", "4x6", "--json", out) == 0  # fmt: skip
    result = json.loads(out.read_text())
    assert [part["dataflow"] for part in result["runs"]] == ["ws", "os"]
    for part in result["runs"]:
        assert part["equal"] and len(part["layers"]) == 3
        assert part["ratio"] == pytest.approx(part["scalesim_cpu_s"] / part["ours_cpu_s"])
    assert [row["scalesim_cycles"] for row in result["runs"][0]["layers"]] == [139, 219, 77]
    assert "equal" in capsys.readouterr().out
