"""How tools are run, and how they end."""

import sys
from importlib import metadata

import pytest

from hfn_accel import cli
from sim.synthesis import __main__ as command
from sim.synthesis import tools


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
    monkeypatch.setitem(tools.ENTRY, "tool", "tool.run")
    assert tools.run("tool", [], tmp_path, seconds) == reason


def test_a_failed_check_says_what_it_found():
    lines = ["Warning: old", "Warning: found logic loop in module t:", "    cell a",
             "ERROR: Found 1 problems in 'check -assert'."]  # fmt: skip
    assert tools.reason(lines, 1) == f"{lines[-1]} {lines[1]}"
    assert tools.reason(["Warning: a latch", "ERROR: out of memory"], 1) == "ERROR: out of memory"


def test_a_missing_tool_is_one_line(tmp_path, monkeypatch, capsys):
    def version(package):
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(sys, "argv", ["synthesis", "--out", str(tmp_path / "t.json")])
    with pytest.raises(SystemExit) as stop:
        cli.run(command.main)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.count("\n") == 1
    assert "pip install 'hfn-accel[synth]'" in error
