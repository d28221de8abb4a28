"""What the runner promises: failures are told with their log, builds are kept, waves on demand."""

from pathlib import Path

import pytest

from hfn_accel.errors import HfnError
from sim import runner

COPIER = Path(__file__).with_name("copier.v").read_text().replace("hfn_accel", "top")
BENCH = "sim.benches.memory_model"
CLOCKS = [(1, 1, 0, 5)]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "BUILD", tmp_path)
    monkeypatch.setenv("WAVES", "0")
    return tmp_path


def run(clocks=CLOCKS, bench=BENCH, text=COPIER, simulator="icarus"):
    runner.run(text, bench, name="copier", simulator=simulator, bus_bytes=8, clocks=clocks)


def test_build_is_kept(place):
    run()
    (binary,) = place.glob("*/sim.vvp")
    made = binary.stat().st_mtime_ns
    run()
    assert binary.stat().st_mtime_ns == made and len(list(place.iterdir())) == 1


def test_failure_shows_the_log(place):
    with pytest.raises(AssertionError, match="memory_model failed: deterministic\n") as caught:
        run(clocks=[(1, 1, 0, 6)])
    assert "AssertionError: (1, 1, 0)" in str(caught.value)
    run()


def test_broken_bench(place):
    with pytest.raises(AssertionError, match="No module named 'sim.benches.nothing'"):
        run(bench="sim.benches.nothing")


def test_broken_verilog(place):
    with pytest.raises(AssertionError, match="syntax error"):
        run(text=COPIER.replace("endmodule", ""))
    assert list(place.iterdir()) == []


def test_waves(place, monkeypatch):
    run()
    assert not list(place.rglob("waves.fst"))
    monkeypatch.setenv("WAVES", "1")
    run()
    assert len(list(place.rglob("waves.fst"))) == 1


def test_unknown_simulator():
    with pytest.raises(HfnError, match="simulator must be icarus or verilator, not 'vcs'"):
        run(simulator="vcs")


def test_ports():
    text = "module \\top.part (x);\nmodule top(clk, \\a.b , i__payload);\nmodule top2(y);\n"
    assert runner.ports(text) == ["clk", "a.b", "i__payload"]
    with pytest.raises(HfnError, match="no module other"):
        runner.ports(text, "other")
