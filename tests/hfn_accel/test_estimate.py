"""The command `python -m hfn_accel.estimate`."""

import json
import sys

import numpy as np
import pytest

from hfn_accel import cli, design_report, estimate, estimator
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.network import Architecture
from hfn_accel.workload import Workload
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
    for parts in ("layers", "blocks", "stages"):
        for name in ("cycles_by_cause", "bytes"):
            for key, value in result[name].items():
                assert value == sum(part[name][key] for part in result[parts]), (parts, key)
        assert result["macs"] == sum(part["macs"] for part in result[parts])
    names = [part["name"] for part in result["layers"]]
    assert names == ["begin", *(c.name for c in ticket.arch.layers), "end"]
    assert [part["name"] for part in result["stages"]] == [
        "begin", "stem", "stage1", "stage2", "classifier", "end",
    ]  # fmt: skip
    assert "stage2.folded[2]" in [part["name"] for part in result["blocks"]]
    assert result["bytes"]["activation"] == 4 * 8 * 8 + 4 * 5
    assert result["cycles"] == result["cycles_by_cause"]["total"]
    assert result["macs"] == sum(c.macs for c in ticket.arch.layers)
    work = sum(c.macs * ticket.bits_of(c.source) for c in ticket.arch.layers)
    assert result["utilisation"] == pytest.approx(work / (result["cycles"] * 8 * 4))
    assert result["ideal_cycles"] == -(-work // (8 * 4)) < result["cycles"]
    assert result["bandwidth_cycles"] == (result["bytes"]["total"] - 4 * 5) // 8 < result["cycles"]
    assert (result["latency"], result["batch"]) == (30, 1)
    for text in (f"{result['cycles']:,} cycles an image on 8x4", "this design", "dense 8-bit"):
        assert text in printed
    assert "stage2.folded" not in printed


def test_layers_are_printed_when_asked(monkeypatch, capsys, ticket, path):
    assert run(monkeypatch, "--ticket", path, "--layers") == 0
    printed = capsys.readouterr().out
    assert all(conv.name in printed for conv in ticket.arch.layers)


def test_batch_moves_masks_once(ticket):
    workload = Workload.of_ticket(ticket)
    one, four = (design_report.report(workload, Config(), batch=n) for n in (1, 4))
    assert four["macs"] == 4 * one["macs"]
    assert four["bytes"]["mask"] == one["bytes"]["mask"]
    assert four["bytes"]["activation"] == 4 * one["bytes"]["activation"]
    assert "cycles a run of 4 images" in design_report.text(four)


def test_named_network_with_plots(monkeypatch, capsys, tmp_path):
    out = tmp_path / "new" / "plots"
    assert run(monkeypatch, "--network", "hfn-resnet18", "--dataset", "cifar10",
               "--random-ticket", 1, "--pe", "32x32", "--plot", out) == 0  # fmt: skip
    assert "stage4" in capsys.readouterr().out
    for name in ("cycles", "bytes", "traffic", "roofline"):
        assert (out / f"{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_refuses_what_the_compiler_refuses(ticket):
    config = Config(accumulator_bits=12)
    with pytest.raises(HfnError) as estimated:
        design_report.report(Workload.of_ticket(ticket), config)
    with pytest.raises(HfnError) as compiled:
        compile(ticket, config)
    assert str(estimated.value) == str(compiled.value)


def test_equals_program(ticket):
    config = Config(rows=4, columns=8)
    result = design_report.report(Workload.of_ticket(ticket), config, 7)
    counted = estimator.estimate(compile(ticket, config), config, 7)
    assert result["cycles_by_cause"] == counted.cycles_by_cause
    assert result["bytes"] == counted.bytes_by_class


def test_json_on_stdout_is_all_that_is_printed(monkeypatch, capsys, path):
    assert run(monkeypatch, "--ticket", path, "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["pe"] == "16x16"


@pytest.mark.parametrize("arguments, words", [
    (["--pe", "16"], "--pe must be RxC"),
    (["--pe", "0x16"], "rows must be a power of two"),
    (["--latency", "0"], "--latency must be 1 to 512"),
    (["--latency", "513"], "--latency must be 1 to 512"),
    (["--latency", "x"], "invalid int"),
    (["--batch", "0"], "--batch must be 1 to 65535"),
    (["--network", "hfn-resnet18"], "either --ticket or --network"),
    (["--config", "absent.toml"], "cannot read absent.toml"),
    (["--ticket", "absent"], "cannot read absent"),
])  # fmt: skip
def test_bad_input_is_one_line(monkeypatch, capsys, path, arguments, words):
    assert run(monkeypatch, "--ticket", path, *arguments) == 2
    captured = capsys.readouterr()
    assert words in captured.err and captured.err.count("\n") == 1 and captured.out == ""


@pytest.mark.parametrize("option, value", [("mask_bytes", 256), ("accumulator_bits", 12)])
def test_network_that_does_not_fit(monkeypatch, capsys, tmp_path, path, option, value):
    (tmp_path / "c.toml").write_text(f"{option} = {value}\n")
    out = tmp_path / "e.json"
    status = run(monkeypatch, "--ticket", path, "--config", tmp_path / "c.toml", "--json", out)
    error = capsys.readouterr().err
    assert status == 2 and not out.exists()
    assert f"enlarge {option}" in error and error.count("\n") == 1


TOPOLOGY = """Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
one,10,10,3,3,16,32,1,
two,7,7,1,1,32,10,2,
"""  # noqa: E501
MODULE = """
from torch import nn

def make():
    return nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(8, 4))

whole = make()
broken = nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1, groups=1), nn.GELU(), nn.Conv2d(8, 4, 1))
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "t.csv").write_text(TOPOLOGY)
    (tmp_path / "m.py").write_text(MODULE)
    (tmp_path / "exit.py").write_text("import sys\nsys.exit(0)\n")
    (tmp_path / "bad.csv").write_text(TOPOLOGY.replace("two,7", "two,x"))
    return tmp_path


def test_everything_that_a_run_takes(monkeypatch, tmp_path, path):
    """Energy, area, occupancy and bounds stand beside cycles and bytes, and agree with them."""
    out = tmp_path / "e.json"
    assert run(monkeypatch, "--ticket", path, "--json", out) == 0
    result = json.loads(out.read_text())
    assert result["compulsory_bytes"] < result["bytes"]["total"]
    low, high = result["energy_uj"].pop("total")
    assert 0 < low < high
    assert low == pytest.approx(sum(part[0] for part in result["energy_uj"].values()))
    assert high == pytest.approx(sum(part[1] for part in result["energy_uj"].values()))
    assert result["time_ms"] == pytest.approx(result["cycles"] / result["area"]["clock_mhz"] / 1e3)
    for buffer in result["occupancy"].values():
        assert 0 < buffer["used"] <= buffer["available"]
    fields = {"bank": "activation_bytes", "mask": "mask_bytes", "partial sums": "psum_depth",
              "parameters": "parameter_channels", "results": "result_words"}  # fmt: skip
    assert {name: buffer["available"] for name, buffer in result["occupancy"].items()} == {
        name: getattr(Config(), field) for name, field in fields.items()}  # fmt: skip
    figures = result["figures"]
    assert figures["cycles"] == result["cycles"]
    assert figures["total_moved_bytes"] == result["bytes"]["total"]


def test_a_network_without_a_ticket(monkeypatch, tmp_path):
    """Expected sizes of masks, close to a random ticket's exact ones."""
    found = []
    for arguments in ((), ("--random-ticket", 1)):
        out = tmp_path / f"{len(found)}.json"
        assert run(monkeypatch, "--network", "hfn-resnet18", "--dataset", "cifar10",
                   "--density", 0.2, "--json", out, *arguments) == 0  # fmt: skip
        found.append(json.loads(out.read_text()))
    a, b = (result["bytes"]["mask"] for result in found)
    assert a != b and abs(a - b) < 0.01 * b
    assert found[0]["macs"] == found[1]["macs"]


@pytest.mark.parametrize("name", ["make", "whole"])
def test_a_module(monkeypatch, files, name):
    out = files / "m.json"
    assert run(monkeypatch, "--module", f"{files / 'm.py'}:{name}", "--size", 8, "--json", out,
               "--write-topology", files / "w.csv") == 0  # fmt: skip
    result = json.loads(out.read_text())
    assert result["network"] == name and result["macs"] == 8 * 8 * 27 * 8 + 8 * 4
    assert (files / "w.csv").read_text().splitlines()[1].split(",")[1:8] == [
        "10", "10", "3", "3", "3", "8", "1"]  # fmt: skip


@pytest.mark.parametrize("model", ["hfn", "scalesim-ws"])
def test_a_topology(monkeypatch, capsys, files, model):
    out = files / "t.json"
    assert run(monkeypatch, "--topology", files / "t.csv", "--model", model, "--pe", "8x8",
               "--json", out) == 0  # fmt: skip
    result = json.loads(out.read_text())
    assert result["macs"] == 64 * 144 * 32 + 16 * 32 * 10 and result["pe"] == "8x8"
    assert {"one", "two"} <= {row["name"] for row in result["layers"]}
    if model == "scalesim-ws":
        one = -(-144 // 8) * 4 * (64 + 16 + 8 - 2) - 1
        two = 4 * 2 * (16 + 16 + 8 - 2) - 1
        assert [row["cycles"] for row in result["layers"]] == [one, two]
        assert result["total_cycles"] == one + two
    assert "one" in capsys.readouterr().out


@pytest.mark.parametrize("arguments, message", [
    (["--topology", "bad.csv"], "bad.csv"),
    (["--topology", "missing.csv"], "cannot read"),
    (["--model", "scalesim-os"], "--model scalesim-os needs --topology"),
    (["--topology", "t.csv", "--network", "hfn-resnet18"], "--topology does not go with --network"),
    (["--module", "m.py"], "--module must be F.py:NAME"),
    (["--module", "none.py:x"], "no such file"),
    (["--module", "m.py:absent"], "absent"),
    (["--module", "m.py:broken"], "gelu is no layer"),
    (["--module", "m.py:whole", "--ticket", "t"], "--module does not go with --ticket"),
    (["--module", "m.py:whole", "--density", "0.2"], "--module does not go with --density"),
    (["--module", "m.py:whole", "--channels", "5"], "channels of the images must be from 1 to 4"),
    (["--module", "exit.py:whole"], "exit.py: SystemExit"),
    (["--ticket", "t", "--density", "0.2"], "--ticket does not go with --density"),
    (["--topology", "t.csv", "--density", "0.2"], "--topology does not go with --density"),
    (["--topology", "t.csv", "--model", "scalesim-ws", "--config", "x"],
     "--model scalesim-ws does not go with --config"),
    (["--topology", "t.csv", "--pe", ""], "--pe must be RxC"),
    ([], "either --ticket or --network"),
    (["--network", "hfn-resnet18"], "--dataset is missing"),
])  # fmt: skip
def test_bad_input(monkeypatch, capsys, files, arguments, message):
    monkeypatch.chdir(files)
    assert run(monkeypatch, *arguments) == 2
    printed = capsys.readouterr().err
    assert message in printed and printed.count("\n") == 1
