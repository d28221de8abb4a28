"""The command: what it measures, keeps and refuses. The tools answer as recorded."""

import json
import sys
from importlib import metadata

import pytest

from hfn_accel import cli
from hfn_accel.config import Config
from hfn_accel.synthesis_table import MEASURED, key, read
from sim.synthesis import __main__ as command
from sim.synthesis import designs, measure, place
from sim.synthesis.targets import ECP5, TARGETS
from sim.synthesis.tools import NEXTPNR, YOSYS

from .test_place import REPORT

CELLS = {"LUT4": 11689, "CCU2C": 1911, "TRELLIS_FF": 7566, "DP16KD": 139}
FIGURES = {"lut": 11689 + 2 * 1911, "carry": 1911, "ff": 7566, "bram": 139, "dsp": 0,
           "memory_bits": 0}  # fmt: skip


@pytest.fixture
def tools(monkeypatch, tmp_path):
    """The list of (package, Verilog) that the tools were given. `tools.failing`: package -> what
    it fails with; `tools.text`: what the Verilog ends with."""

    class Calls(list):
        failing, text = {}, ""

    calls = Calls()

    def run(package, arguments, folder, seconds=None):
        calls.append((package, (folder / "core.v").read_text()))
        top = "hfn_accel" if "-top hfn_accel " in arguments[-1] else "hfn_accel.datapath.array"
        cells = {
            f"{kind}{n}": {"type": kind} for kind, count in CELLS.items() for n in range(count)
        }
        if package == YOSYS:
            netlist = {"modules": {top: {"cells": cells}}}
            (folder / "core.json").write_text(json.dumps(netlist))
            (folder / "memories.txt").write_text("")
        (folder / "report.json").write_text(json.dumps(REPORT))
        return calls.failing.get(package)

    def design(config):
        return {"hfn_accel": f"{config.name}{calls.text}", "hfn_accel.datapath.array": "array"}

    monkeypatch.setenv("HFN_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(measure, "run", run)
    monkeypatch.setattr(place, "run", run)
    monkeypatch.setattr(measure, "design", design)
    monkeypatch.setattr(measure.modules, "alone", lambda parts, name: parts[name])
    monkeypatch.setattr(metadata, "version", lambda package: f"{package} 1")
    return calls


def go(*arguments):
    command.main([*map(str, arguments), "--jobs", "1"])


def rows(path) -> dict[str, dict]:
    return {Config(**row["config"]).name: row for row in read(path).values()}


def test_rows_hold_design_counts_and_clock(tools, tmp_path, capsys):
    out = tmp_path / "t.json"
    go("--pe", "8x4,2x2", "--out", out)
    before = rows(out)
    assert list(before) == ["2x2", "8x4"]
    row = before["8x4"]
    assert row["config"] == Config(rows=8, columns=4).to_dict()
    assert (row["cells"], row["figures"]) == (dict(sorted(CELLS.items())), FIGURES)
    assert row["made_of"][YOSYS] == f"{YOSYS} 1" and "clock" not in row

    go("--pe", "8x4", "--out", out, "--place")
    row = rows(out)["8x4"]
    assert row["clock"] == place.timing(REPORT) and row["made_of"][NEXTPNR] == f"{NEXTPNR} 1"
    assert rows(out)["2x2"] == before["2x2"]
    assert not list((tmp_path / "build").iterdir())
    printed = capsys.readouterr().out
    assert "[1/1] 8x4 on ecp5: 15,511 LUT4, 7,566 ff, 139 bram, 0 dsp, 44.5 MHz" in printed
    assert "no latch, no combinational loop" in printed


def test_what_is_there_is_not_measured_again(tools, tmp_path, capsys):
    out = tmp_path / "t.json"
    go("--pe", "2x2", "--out", out)
    go("--pe", "4x4", "--out", out, "--place")
    before = out.read_bytes()
    tools.clear()
    go("--pe", "2x2,4x4", "--out", out)  # a placed row serves where no clock is asked for
    assert not tools and out.read_bytes() == before
    assert capsys.readouterr().out.count("unchanged") == 2

    tools.text = " changed"
    go("--pe", "4x4", "--out", out, "--place")
    assert tools == [(YOSYS, "4x4 changed"), (NEXTPNR, "4x4 changed")]
    assert rows(out)["2x2"]["made_of"] != rows(out)["4x4"]["made_of"]


def test_a_block_alone(tools, tmp_path, monkeypatch):
    monkeypatch.setattr(measure.modules, "registered", lambda parts, name, top: f"wrapped {name}")
    out = tmp_path / "t.json"
    go("--pe", "2x2", "--blocks", "datapath.array", "--place", "--out", out)
    wrapped = "wrapped hfn_accel.datapath.array"
    assert tools == [(YOSYS, "array"), (YOSYS, wrapped), (NEXTPNR, wrapped)]
    [row] = read(out).values()
    assert row["unit"] == "datapath.array" and row["clock"]["mhz"] == 44.5


def fails(monkeypatch, capsys, *arguments) -> str:
    """The one line of an error, status 2."""
    monkeypatch.setattr(sys, "argv", ["synthesis", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.run(command.main)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_a_failure_keeps_the_other_rows(tools, tmp_path, monkeypatch, capsys):
    out = tmp_path / "t.json"
    go("--pe", "2x2", "--out", out)
    before = out.read_bytes()
    tools.failing = {YOSYS: "ERROR: out of memory"}
    error = fails(monkeypatch, capsys, "--pe", "2x2,4x4,8x8", "--out", out)
    assert "4x4" in error and "8x8" in error and "out of memory" in error
    assert out.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["build", "t.json"]


@pytest.mark.parametrize("arguments, words", [
    (["--pe", "4"], "--pe must be RxC"),
    (["--pe", "4x4,5x4"], "rows must be a power of two"),
    (["--pe", "4x4", "--config", "none.toml"], "cannot read none.toml"),
    (["--pe", "4x4", "--target", "ecp5,max10"], "not 'max10'"),
    (["--pe", "4x4", "--liberty", "none.lib"], "cannot read none.lib"),
    (["--pe", "4x4", "--blocks", "nothing"], "has no block 'nothing'"),
    (["--pe", "4x4", "--seconds", "0"], "--seconds"),
    (["--pe", "4x4", "--jobs", "0"], "--jobs"),
    (["--place"], "--place needs --pe"),
])  # fmt: skip
def test_bad_input_is_one_line(tools, tmp_path, monkeypatch, capsys, arguments, words):
    out = tmp_path / "t.json"
    assert words in fails(monkeypatch, capsys, "--out", out, *arguments)
    assert not tools and not out.exists()


def test_another_file_is_left_alone(tools, tmp_path, monkeypatch, capsys):
    out = tmp_path / "t.json"
    for text in ("a,b\n1,2\n", '[{"unit": 1}]', "{}x", '{"a": 1}'):
        out.write_text(text)
        assert "is not a table" in fails(monkeypatch, capsys, "--out", out, "--pe", "4x4")
        assert out.read_text() == text


def test_the_projects_designs(tools, monkeypatch):
    monkeypatch.setattr(designs, "blocks", lambda config: ["banks", "datapath.array"])
    jobs = designs.default()
    assert len({(job.config, job.target, job.unit) for job in jobs}) == len(jobs)
    cores = [job for job in jobs if job.unit == "core"]
    assert {job.target for job in cores} == set(TARGETS.values())
    assert {"8x8", "16x16", "32x32", "64x64"} <= {j.config.name for j in cores if j.placed}
    assert {j.config.accumulator_bits for j in cores} >= {16, 24, 32}
    assert {j.config.axi_data_width for j in cores} == {64, 128}
    assert {j.config.requantisers for j in cores} >= {1, 4, 16}
    everywhere = {(j.config.name, j.target) for j in designs.default() + designs.large()}
    assert {(pe, t) for pe in designs.SQUARES for t in TARGETS.values()} <= everywhere


@pytest.mark.slow
def test_a_packaged_row_is_measured_again():
    """The RTL and the tools give what the packaged table says: else `make synth`."""
    packaged = read(MEASURED)
    job = measure.Job(Config(rows=2, columns=2), ECP5)
    row = measure.measure(job)
    assert packaged[key(row)] == row
