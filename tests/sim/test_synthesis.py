"""The command `python -m sim.synthesis`: the tools' outputs, the table, and what it keeps."""

import csv
import json
import sys
from importlib import metadata

import pytest

from hfn_accel import cli
from hfn_accel.area import MEASURED
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from sim import synthesis

# Recorded from Yosys 0.70 and nextpnr 0.11.1 with the 4x4 array, fields that nobody reads left out.
STAT = {
    "modules": {}, "design": {
        "num_wires": 21937, "num_memories": 0, "num_cells": 22734, "num_cells_by_type": {
            "$scopeinfo": 30, "CCU2C": 1911, "DP16KD": 139, "L6MUX21": 22, "LUT4": 11689,
            "MULT18X18D": 16, "PFUMX": 1297, "TRELLIS_DPR16X4": 64, "TRELLIS_FF": 7566,
        },
    },
}  # fmt: skip
FIRST, LAST = "control.executor.word$30", "control.fetcher.$signal$28"
REPORT = {
    "critical_paths": [
        {"from": "posedge clk", "to": "posedge clk", "path": [
            {"delay": 0.525, "type": "clk-to-q",
             "from": {"cell": f"{FIRST}_TRELLIS_FF_Q_144", "loc": [27, 15], "port": "Q"},
             "to": {"cell": f"{FIRST}_TRELLIS_FF_Q_144", "loc": [27, 15], "port": "Q"}},
            {"delay": 1.5, "type": "routing", "net": "n",
             "from": {"cell": f"{FIRST}_TRELLIS_FF_Q_144", "loc": [27, 15], "port": "Q"},
             "to": {"cell": "control.fetcher.$92_MULT18X18D_P9_B3_LUT4_Z", "loc": [27, 21],
                    "port": "C"}},
            {"delay": 0, "type": "setup",
             "from": {"cell": f"{LAST}_TRELLIS_FF_Q", "loc": [23, 9], "port": "DI"},
             "to": {"cell": f"{LAST}_TRELLIS_FF_Q", "loc": [23, 9], "port": "DI"}},
        ]},
    ],
    "fmax": {"clk": {"achieved": 44.501800537109375, "constraint": 100}},
}  # fmt: skip
COUNTS = {"lut4": 11689, "ccu2c": 1911, "dpr16x4": 64, "ff": 7566, "dp16kd": 139,
          "mult18x18d": 16}  # fmt: skip


def test_counts():
    assert synthesis.counts(STAT) == COUNTS
    few = {"design": {"num_cells_by_type": {"LUT4": 3}}}
    assert synthesis.counts(few) == dict.fromkeys(COUNTS, 0) | {"lut4": 3}


def test_a_cell_that_nobody_counts():
    latch = {"design": {"num_cells_by_type": {"LUT4": 3, "$_DLATCH_P_": 2}}}
    with pytest.raises(HfnError, match=r"2 cells \$_DLATCH_P_"):
        synthesis.counts(latch)


def test_timing():
    found = {"clock_mhz": 44.5, "critical_from": FIRST, "critical_to": LAST}
    assert synthesis.timing(REPORT) == found
    pads = {"from": "async", "to": "posedge clk", "path": []}
    paths = [pads, *REPORT["critical_paths"], {**pads, "from": "posedge clk", "to": "async"}]
    assert synthesis.timing(REPORT | {"critical_paths": paths}) == found


@pytest.fixture
def tools(monkeypatch, tmp_path):
    """Tools that answer as recorded; the list of (package, Verilog) that they were given.

    `tools.failing`: package -> what it fails with; `tools.text`: what the Verilog ends with.
    """

    class Calls(list):
        failing, text = {}, ""

    calls = Calls()

    def run(package, arguments, folder, seconds=None):
        calls.append((package, (folder / "core.v").read_text()))
        (folder / "stat.json").write_text(json.dumps(STAT))
        (folder / "report.json").write_text(json.dumps(REPORT))
        return calls.failing.get(package)

    monkeypatch.setenv("HFN_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(synthesis, "_run", run)
    monkeypatch.setattr(synthesis, "Accelerator", lambda config: config)
    monkeypatch.setattr(synthesis, "verilog", lambda config, top: f"{config.name}{calls.text}")
    monkeypatch.setattr(metadata, "version", lambda package: f"{package} 1")
    return calls


def rows(path) -> dict[str, dict]:
    return {f"{r['rows']}x{r['columns']}": r for r in csv.DictReader(path.open())}


def test_rows_hold_design_counts_and_clock(tools, tmp_path):
    out = tmp_path / "t.csv"
    synthesis.main(["--shapes", "8x4,2x2", "--out", str(out)])
    table = rows(out)
    assert list(table) == ["2x2", "8x4"]
    row = table["8x4"]
    design = {name: str(value) for name, value in Config(rows=8, columns=4).to_dict().items()}
    assert design.items() <= row.items()
    assert {name: int(row[name]) for name in COUNTS} == COUNTS
    assert row["place"] == row["clock_mhz"] == ""
    assert row["yosys"] == f"{synthesis.YOSYS} 1"

    synthesis.main(["--shapes", "8x4", "--out", str(out), "--place"])
    row = rows(out)["8x4"]
    assert (row["place"], row["clock_mhz"]) == ("routed", "44.5")
    assert (row["critical_from"], row["critical_to"]) == (FIRST, LAST)
    assert rows(out)["2x2"] == table["2x2"]
    assert not list((tmp_path / "build").iterdir())


def test_what_is_there_is_not_measured_again(tools, tmp_path, capsys):
    out = tmp_path / "t.csv"
    synthesis.main(["--shapes", "2x2,4x4", "--out", str(out)])
    synthesis.main(["--shapes", "4x4", "--out", str(out), "--place"])
    before = out.read_bytes()
    tools.clear()
    synthesis.main(["--out", str(out)])
    assert not tools and out.read_bytes() == before
    assert capsys.readouterr().out.count("unchanged") == 2

    tools.text = " changed"
    synthesis.main(["--out", str(out)])  # the placed row is placed again
    yosys, nextpnr = synthesis.YOSYS, synthesis.NEXTPNR
    assert tools == [(yosys, "2x2 changed"), (yosys, "4x4 changed"), (nextpnr, "4x4 changed")]
    synthesis.main(["--shapes", "2x2", "--out", str(out), "--place"])
    assert len(tools) == 5


def test_no_clock_where_it_does_not_fit(tools, tmp_path):
    tools.failing = {synthesis.NEXTPNR: "ERROR: no DP16KD left"}
    out = tmp_path / "t.csv"
    synthesis.main(["--shapes", "2x2", "--out", str(out), "--place"])
    row = rows(out)["2x2"]
    assert (row["place"], row["clock_mhz"]) == ("ERROR: no DP16KD left", "")
    assert int(row["lut4"]) == COUNTS["lut4"]


def run(monkeypatch, capsys, *arguments) -> str:
    """The one line of an error, status 2."""
    monkeypatch.setattr(sys, "argv", ["synthesis", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.run(synthesis.main)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_a_failure_keeps_the_other_rows(tools, tmp_path, monkeypatch, capsys):
    out = tmp_path / "t.csv"
    synthesis.main(["--shapes", "2x2", "--out", str(out)])
    before = out.read_bytes()
    tools.failing = {synthesis.YOSYS: "ERROR: out of memory"}
    error = run(monkeypatch, capsys, "--shapes", "2x2,4x4,8x8", "--out", out)
    assert "4x4" in error and "8x8" in error and "out of memory" in error
    assert [text for _, text in tools] == ["2x2", "4x4", "8x8"]
    assert out.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["build", "t.csv"]


@pytest.mark.parametrize("arguments, words", [
    (["--shapes", "4"], "--pe must be RxC"),
    (["--shapes", "4x4,5x4"], "rows must be a power of two"),
    (["--shapes", "4x4", "--config", "none.toml"], "cannot read none.toml"),
    (["--config", "none.toml"], "--config needs --shapes"),
    ([], "name --shapes"),
    (["--shapes", "4x4", "--seconds", "0"], "--seconds"),
])  # fmt: skip
def test_bad_input_is_one_line(tools, tmp_path, monkeypatch, capsys, arguments, words):
    out = tmp_path / "t.csv"
    assert words in run(monkeypatch, capsys, "--out", out, *arguments)
    assert not tools and not out.exists()


def test_another_file_is_left_alone(tools, tmp_path, monkeypatch, capsys):
    out = tmp_path / "t.csv"
    for text in ("a,b\n1,2\n", ",".join(synthesis.COLUMNS) + "\n16,sixteen\n"):
        out.write_text(text)
        assert "is not a table" in run(monkeypatch, capsys, "--out", out, "--shapes", "4x4")
        assert out.read_text() == text


def test_a_missing_tool_is_one_line(tmp_path, monkeypatch, capsys):
    def version(package):
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", version)
    error = run(monkeypatch, capsys, "--out", tmp_path / "t.csv", "--shapes", "2x2")
    assert "pip install 'hfn-accel[synth]'" in error


@pytest.mark.parametrize("script, seconds, reason", [
    ("pass", None, None),
    ("print('Info: x', file=sys.stderr); sys.exit('ERROR: no room\\n\\n')", None, "ERROR: no room"),
    ("print('ERROR: a', file=sys.stderr); sys.exit('1 error')", None, "ERROR: a"),
    ("open('log.txt', 'w').write('ERROR: late\\n'); sys.exit(1)", None, "ERROR: late"),
    ("sys.exit(3)", None, "status 3"),
    ("import time; time.sleep(60)", 1, "not finished in 1 s"),
])  # fmt: skip
def test_how_a_tool_ends(tmp_path, monkeypatch, script, seconds, reason):
    (tmp_path / "tool.py").write_text(f"import sys\ndef run(arguments):\n    {script}\n")
    monkeypatch.setitem(synthesis.ENTRY, "tool", "tool.run")
    assert synthesis._run("tool", [], tmp_path, seconds) == reason


@pytest.mark.slow
def test_a_packaged_row_is_measured_again():
    """The RTL and the tools give what the packaged table says: else bring it up to date with
    `python -m sim.synthesis --out hfn_accel/data/synthesis.csv`."""
    packaged = synthesis.read(MEASURED)
    config = min(packaged, key=lambda c: c.rows * c.columns)
    row = synthesis.measure(config, {}, placed=False)
    assert {n: str(v) for n, v in row.items() if n not in synthesis.PLACED}.items() <= packaged[
        config
    ].items()
