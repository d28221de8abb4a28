"""The command `python -m hfn_accel.dse`."""

import csv
import json
import sys

import numpy as np
import pytest

from hfn_accel import cli, dse
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.estimator import CAUSES
from hfn_accel.exploration import sweep, table
from hfn_accel.exploration.progress import Progress
from hfn_accel.network import Architecture
from hfn_accel.ticket import load
from hfn_accel.workload import Workload
from tests.tickets import random_ticket

OPTIONS = ["--pe", "4x4,8x16,16x8", "--activation-bytes", "1024,32768", "--mask-bytes", "256,16384",
           "--psum-depth", "16,128", "--act-bits", "own,3", "--latency", "11",
           "--workers", "1"]  # fmt: skip
FIELDS = {"rows_lanes": "rows", "columns_channels": "columns",
          "activation_bank_bytes": "activation_bytes", "mask_buffer_bytes": "mask_bytes",
          "psum_depth_pixels": "psum_depth", "bus_bits": "axi_data_width"}  # fmt: skip


@pytest.fixture(scope="module")
def ticket(tmp_path_factory):
    path = tmp_path_factory.mktemp("ticket") / "t.safetensors"
    arch = Architecture.parse("8x1,16x3f", classes=5, image_size=8)
    random_ticket(np.random.default_rng(0), arch).save(path)
    return path


def run(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["dse", *map(str, arguments)])
    try:
        cli.run(dse.main)
    except SystemExit as stop:
        return stop.code
    return 0


@pytest.fixture(scope="module")
def out(ticket, tmp_path_factory):
    """The folder of a sweep, with page and summary."""
    folder = tmp_path_factory.mktemp("dse") / "new" / "out"
    with pytest.MonkeyPatch.context() as patch:
        extra = ["--html", folder.parent / "page.html", "--json", folder.parent / "found.json"]
        folder.parent.mkdir()
        assert run(patch, "--ticket", ticket, "--out", folder, *OPTIONS, *extra) == 0
    return folder


def test_files(out):
    names = ("pareto", "buffer", "traffic")
    pictures = {f"{name}.{kind}" for name in names for kind in ("png", "svg")}
    assert {p.name for p in out.iterdir()} == {"points.csv", "front.csv", "sweep.json"} | pictures
    for name in names:
        assert (out / f"{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert b"<svg" in (out / f"{name}.svg").read_bytes()
    rows = list(csv.DictReader((out / "points.csv").open(newline="")))
    assert [int(row["point"]) for row in rows] == list(range(3 * 2**5))
    for row in rows:
        assert (row["cycles"] == "") == (row["infeasible_reason"] != "")
    front = list(csv.DictReader((out / "front.csv").open(newline="")))
    assert 0 < len(front) < len(rows) and all(row in rows for row in front)
    found = json.loads((out.parent / "found.json").read_text())
    fits = [float(row["cycles"]) for row in rows if row["cycles"]]
    assert (found["points"], found["feasible"]) == (len(rows), len(fits))
    assert found["front"] == len(front) and found["best"]["cycles"]["value"] == min(fits)
    assert "</html>" in (out.parent / "page.html").read_text()


def test_points_equal_single_estimates(out, ticket):
    points, found = table.read(out / "points.csv"), load(ticket)
    fits = points["infeasible_reason"] == ""
    own = points["activation_bits"] == "own"
    assert 0 < fits.sum() < len(fits) and own.sum() == len(own) / 2
    for i in np.flatnonzero(own):
        config = Config(**{field: int(points[column][i]) for column, field in FIELDS.items()})
        if not fits[i]:
            with pytest.raises(HfnError) as refused:
                Workload.of_ticket(found).estimate(config, 11)
            assert str(refused.value) == points["infeasible_reason"][i]
            continue
        alone = Workload.of_ticket(found).estimate(config, 11)
        assert points["cycles"][i] == alone.total_cycles
        assert points["utilisation_ratio"][i] == alone.utilisation
        assert points["mask_moved_bytes"][i] == alone.bytes_by_class["mask"]
        assert sum(points[f"{cause}_cycles"][i] for cause in CAUSES) == alone.total_cycles


def test_without_axes_the_shipped_sweep(monkeypatch):
    """Options that are not given have the shipped sweep's values."""
    seen = []
    monkeypatch.setattr(dse, "explore", lambda found, *rest: seen.append(found))
    name = "cifar10-32x1-64x2f-128x3f"
    assert run(monkeypatch, "--ticket", name, "--out", "o") == 0
    assert run(monkeypatch, "--config", "shipped-ticket", "--out", "o") == 0
    assert seen[0].about["digest"] == seen[1].about["digest"]
    assert seen[0].space.size >= 200


def test_options_for_networks(monkeypatch):
    seen = []
    monkeypatch.setattr(dse, "explore", lambda found, *rest: seen.append(found))
    arguments = ["--network", "hfn-resnet18", "--dataset", "cifar10", "--random-ticket", "1",
                 "--density", "0.2", "--activation-bits", "4", "--act-bits", "own,2"]  # fmt: skip
    assert run(monkeypatch, *arguments, "--out", "o") == 0
    variants = [v.columns for v in seen[0].space.variants]
    assert [v["activation_bits"] for v in variants] == ["4", "2"]
    assert {(v["network"], v["density_ratio"]) for v in variants} == {
        ("hfn-resnet18 for cifar10", 0.2)}  # fmt: skip


def test_a_finished_sweep_is_not_computed_again(monkeypatch, out, ticket, capsys):
    before = (out / "points.csv").read_bytes()
    monkeypatch.setattr("hfn_accel.exploration.runner.compute", None)
    assert run(monkeypatch, "--ticket", ticket, "--out", out, *OPTIONS) == 0
    assert (out / "points.csv").read_bytes() == before
    printed = capsys.readouterr()
    assert printed.out.startswith("96 points, ") and "[#" not in printed.err  # no terminal
    assert run(monkeypatch, "--ticket", ticket, "--out", out, *OPTIONS[:-2], "--bus", "64") == 2
    assert "holds another sweep" in capsys.readouterr().err
    assert (out / "points.csv").read_bytes() == before


def test_json_alone_on_standard_output(monkeypatch, out, ticket, capsys):
    assert run(monkeypatch, "--ticket", ticket, "--out", out, *OPTIONS, "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["points"] == 96


def test_constraints_that_no_point_meets(monkeypatch, capsys, tmp_path, ticket):
    path = tmp_path / "s.toml"
    path.write_text(f'[axes]\nticket = "{ticket}"\n[constraints]\ncycles = {{max = 1}}')
    assert run(monkeypatch, "--config", path, "--out", tmp_path / "o", "--workers", 1) == 2
    assert "no point that fits meets cycles = {max = 1}" in capsys.readouterr().err
    assert (tmp_path / "o" / "points.csv").read_bytes().count(b"\r\n") == 2


@pytest.mark.parametrize("arguments, words", [
    (["--pe", "16"], "pe must be RxC"),
    (["--pe", "8x8,12x8"], "rows must be a power of two"),
    (["--act-bits", "9"], "activation_bits must be own or 1 to 8"),
    (["--mask-bytes", "1000"], "mask_bytes must be a power of two"),
    (["--psum-depth", "a"], "psum_depth must be a power of two"),
    (["--bus", "32"], "axi_data_width must be"),
    (["--latency", "513"], "latency must be an integer from 1 to 512"),
    (["--network", "hfn-resnet18"], "a ticket or a network"),
    (["--workers", "0"], "--workers must be at least 1"),
    (["--config", "s.toml"], "--ticket must not be given with it"),
    (["--pe", "64x64", "--act-bits", "8", "--activation-bytes", "256", "--workers", "1"],
     "no point fits"),
])  # fmt: skip
def test_bad_input_is_one_line(monkeypatch, capsys, tmp_path, ticket, arguments, words):
    assert run(monkeypatch, "--ticket", ticket, "--out", tmp_path / "out", *arguments) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert words == "no point fits" or not (tmp_path / "out").exists()


def test_progress(monkeypatch, capsys):
    progress = Progress(1000, 100)
    assert progress._shown is False
    progress.add(400)
    now = progress._began + 80
    assert progress.text(now) == f"[{'#' * 15:30}] 500/1,000 points  5/s  1:40 left"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = Progress(10, 0)
    shown.add(10)
    shown.end()
    error = capsys.readouterr().err
    assert error.startswith("\r[" + 30 * "#" + "] 10/10 points") and error.endswith("\n")


def test_shipped_sweeps_name_their_command():
    for name in ("shipped-ticket", "hfn-resnet50"):
        text = sweep._find(name).read_text()
        assert f"python -m hfn_accel.dse --config {name} --out DIR" in text
