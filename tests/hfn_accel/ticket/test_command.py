"""`python -m hfn_accel.ticket`: what it prints and writes, and what it refuses."""

import json
import subprocess
import sys

import pytest

from hfn_accel import cli
from hfn_accel.ticket import __main__ as command
from hfn_accel.ticket import accuracy, diff, load, show


def run(*arguments) -> int:
    try:
        cli.run(lambda: command.main(list(map(str, arguments))))
    except SystemExit as stop:
        return stop.code
    return 0


def test_show(saved, tmp_path, capsys):
    path = saved("frozen")
    assert run("show", path, "--json", tmp_path / "s.json", "--plot", tmp_path / "plots") == 0
    wanted = show.describe(load(path), path)
    assert capsys.readouterr().out.startswith(show.text(wanted))
    assert json.loads((tmp_path / "s.json").read_text()) == wanted
    assert {p.name for p in (tmp_path / "plots").iterdir()} == {
        "density.png", "density.svg", "channels.png", "channels.svg"}  # fmt: skip


def test_json_alone(saved, capsys):
    one, two = saved("plain"), saved("plain", 2)
    assert run("show", one, "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["ticket"] == "plain-1"
    assert run("diff", one, two, "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["seeds"] == [1, 2]


def test_diff(saved, tmp_path, capsys):
    one, two = saved("coats"), saved("explicit", 2)
    assert run("diff", one, two, "--plot", tmp_path / "plots") == 0
    assert capsys.readouterr().out == diff.text(diff.compare(load(one), load(two))) + "\n"
    assert {p.name for p in (tmp_path / "plots").iterdir()} == {"overlap.png", "overlap.svg"}


def test_verify(saved, capsys):
    assert run("verify", saved("plain"), "--pe", "4x8", "--images", 1) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said][:2] == ["file", "architecture"]
    assert any(line.startswith("compiles: for 4x8") for line in said)


def test_the_first_failure_ends_it(saved, capsys):
    path = saved("plain")
    path.write_bytes(path.read_bytes()[:-9])
    assert run("verify", path) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "is not a ticket" in said.err


def test_accuracy(saved, capsys, monkeypatch):
    def measure(ticket, folder, dataset):
        assert (folder, dataset) == ("some", "digits")
        return {"dataset": dataset, "accuracy": 0.75, "correct": 3, "images": 4, "seconds": 1.25}

    monkeypatch.setattr(accuracy, "measure", measure)
    options = "accuracy", saved("plain"), "--data", "some", "--dataset", "digits"
    assert run(*options) == 0
    assert capsys.readouterr().out == "75.00%: 3 of 4 test images of digits in 1.2 s\n"
    assert run(*options, "--json", "-") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["accuracy"] == 0.75 and said["ticket"] == "plain-1"


def test_as_a_process():
    done = subprocess.run([sys.executable, "-m", "hfn_accel.ticket", "show", "no-such-ticket"],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "cannot read no-such-ticket" in done.stderr


@pytest.mark.parametrize("arguments, message", [
    ([], "the following arguments are required: COMMAND"),
    (["burn", "x"], "invalid choice: 'burn'"),
    (["show"], "the following arguments are required: T"),
    (["diff", "x"], "the following arguments are required: B"),
    (["show", "x", "--plo", "y"], "unrecognized arguments: --plo"),
    (["verify", "x", "--images", "0"], "--images must be from 1 to 1000, not 0"),
    (["verify", "x", "--pe", "3x3"], "must be a power of two"),
    (["accuracy", "no-such-ticket"], "cannot read no-such-ticket"),
])  # fmt: skip
def test_bad_input(arguments, message, capsys):
    assert run(*arguments) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
