"""The command `python -m hfn_accel.estimate`."""

import json
import sys

import numpy as np
import pytest

from hfn_accel import cli, estimate, estimator
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.network import Architecture
from tests.tickets import random_ticket


@pytest.fixture(scope="module")
def ticket():
    arch = Architecture.parse("8x1,16x3f", classes=5, image_size=8)
    return random_ticket(np.random.default_rng(0), arch)


@pytest.fixture(scope="module")
def path(ticket, tmp_path_factory):
    path = tmp_path_factory.mktemp("estimate") / "t.safetensors"
    ticket.save(path)
    return path


def run(monkeypatch, *arguments) -> int:
    """The command's exit status."""
    monkeypatch.setattr(sys, "argv", ["estimate", *map(str, arguments)])
    try:
        cli.run(estimate.main)
    except SystemExit as stop:
        return stop.code
    return 0


def test_json_is_complete_and_consistent(monkeypatch, capsys, tmp_path, ticket, path):
    out = tmp_path / "e.json"
    assert run(monkeypatch, "--ticket", path, "--pe", "8x4", "--latency", 30, "--json", out) == 0
    result, printed = json.loads(out.read_text()), capsys.readouterr().out
    layers = result["layers"]
    for name in ("descriptor", "mask", "parameter", "weight"):
        assert result["bytes"][name] == sum(x["bytes"][name] for x in layers)
    assert result["bytes"]["activation"] == 4 * 8 * 8 + 4 * 5
    assert [x["name"] for x in layers[2:-1]] == [c.name for c in ticket.arch.layers]
    assert result["cycles"] == sum(x["cycles"] for x in layers)
    assert result["macs"] == sum(c.macs for c in ticket.arch.layers)
    for cause, cycles in result["cycles_by_cause"].items():
        if cause != "total":
            assert cycles == sum(x["cycles_by_cause"][cause] for x in layers)
    work = sum(c.macs * ticket.bits_of(c.source) for c in ticket.arch.layers)
    assert result["utilisation"] == pytest.approx(work / (result["cycles"] * 8 * 4))
    assert result["latency"] == 30
    for text in (f"{result['cycles']:,} cycles an image on 8x4", "this design", "dense 8-bit"):
        assert text in printed


def test_equals_program(ticket):
    config = Config(rows=4, columns=8)
    result = estimate.report(ticket, config, 7)
    counted = estimator.estimate(compile(ticket, config), config, 7)
    assert result["cycles_by_cause"] == {c: int(n) for c, n in counted.cycles_by_cause.items()}


def test_json_on_stdout_is_all_that_is_printed(monkeypatch, capsys, path):
    assert run(monkeypatch, "--ticket", path, "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["pe"] == "16x16"


@pytest.mark.parametrize("arguments, words", [
    (["--pe", "16"], "--pe must be RxC"),
    (["--pe", "0x16"], "rows must be a power of two"),
    (["--latency", "0"], "--latency must be 1 to 10000"),
    (["--latency", "x"], "invalid int"),
    (["--config", "absent.toml"], "cannot read absent.toml"),
    (["--ticket", "absent"], "cannot read absent"),
])  # fmt: skip
def test_bad_input_is_one_line(monkeypatch, capsys, path, arguments, words):
    assert run(monkeypatch, "--ticket", path, *arguments) == 2
    captured = capsys.readouterr()
    assert words in captured.err and captured.err.count("\n") == 1 and captured.out == ""


def test_network_that_does_not_fit(monkeypatch, capsys, tmp_path, path):
    (tmp_path / "c.toml").write_text("mask_bytes = 256\n")
    out = tmp_path / "e.json"
    status = run(monkeypatch, "--ticket", path, "--config", tmp_path / "c.toml", "--json", out)
    error = capsys.readouterr().err
    assert status == 2 and not out.exists()
    assert "enlarge mask_bytes" in error and error.count("\n") == 1
