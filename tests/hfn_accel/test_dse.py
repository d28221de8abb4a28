"""The command `python -m hfn_accel.dse`."""

import csv
import sys

import numpy as np
import pytest

from hfn_accel import cli, dse
from hfn_accel.config import Config
from hfn_accel.designs import Designs
from hfn_accel.estimate import estimate_ticket
from hfn_accel.network import Architecture
from tests.tickets import random_ticket

AXES = {
    "pe": [(4, 4), (8, 16), (16, 8)], "act_bits": ["own", 3], "activation_bytes": [1024, 32768],
    "mask_bytes": [256, 16384], "psum_depth": [16, 128], "bus": [64, 128],
}  # fmt: skip


@pytest.fixture(scope="module")
def ticket():
    arch = Architecture.parse("8x1,16x3f", classes=5, image_size=8)
    return random_ticket(np.random.default_rng(0), arch)


@pytest.fixture(scope="module")
def table(ticket):
    return dse.sweep(ticket, AXES, 11)


def configuration(table, i) -> Config:
    return Config(rows=int(table["rows_lanes"][i]), columns=int(table["columns_channels"][i]),
                  activation_bytes=int(table["activation_bank_bytes"][i]),
                  mask_bytes=int(table["mask_buffer_bytes"][i]),
                  psum_depth=int(table["psum_depth_pixels"][i]),
                  axi_data_width=int(table["bus_bits"][i]))  # fmt: skip


def test_points_equal_single_estimates(ticket, table):
    fits = table["infeasible_reason"] == ""
    assert 0 < fits.sum() < len(fits) == 3 * 2**5
    for i in np.flatnonzero(fits & (table["act_bits"] == "own")):
        config = configuration(table, i)
        alone, _ = estimate_ticket(ticket, config, 11)
        assert table["cycles"][i] == alone.total_cycles
        assert table["utilisation_ratio"][i] == alone.utilisation
        assert table["mask_moved_bytes"][i] == alone.bytes_by_class["mask"]
        assert table["buffer_bytes"][i] == Designs.of(config).buffer_bytes


def test_chunks_do_not_matter(monkeypatch, ticket, table):
    monkeypatch.setattr(dse, "CHUNK", 7)
    calls = []
    again = dse.sweep(ticket, AXES, 11, progress=lambda done, total: calls.append((done, total)))
    assert dse.points_csv(again) == dse.points_csv(table)
    assert calls[0] == (7, 96) and calls[-1] == (96, 96)


def test_pareto_by_definition():
    rng = np.random.default_rng(0)
    for _ in range(50):
        a, b = rng.integers(0, 8, (2, 20))
        expected = [
            not any(a[j] <= a[i] and b[j] <= b[i] and (a[j] < a[i] or b[j] < b[i])
                    for j in range(20))
            for i in range(20)
        ]  # fmt: skip
        assert dse.pareto(a, b).tolist() == expected


def test_fronts_hold_feasible_points_only(table):
    assert (table["infeasible_reason"][table["pareto"]] == "").all()
    for bits in AXES["act_bits"]:
        front = table["pareto"] & (table["act_bits"] == bits)
        fits = (table["act_bits"] == bits) & (table["infeasible_reason"] == "")
        assert table["cycles"][front].min() == table["cycles"][fits].min()


def test_fitting_buffers_fit(ticket):
    sizes = dse.fitting(ticket)
    axes = {**AXES, **sizes, "pe": [(8, 8)], "act_bits": ["own"]}
    table = dse.sweep(ticket, axes)
    assert (table["infeasible_reason"] == "").all()
    least = {name: [values[0] // 2] for name, values in sizes.items() if values[0] > 256}
    for name, values in least.items():
        table = dse.sweep(ticket, axes | {name: values})
        assert (table["infeasible_reason"] != "").all(), name


def run(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["dse", *map(str, arguments)])
    try:
        cli.run(dse.main)
    except SystemExit as stop:
        return stop.code
    return 0


def test_command_writes_points_and_plots(monkeypatch, capsys, tmp_path, ticket):
    ticket.save(tmp_path / "t.safetensors")
    out = tmp_path / "new" / "out"
    assert run(monkeypatch, "--ticket", tmp_path / "t.safetensors", "--out", out) == 0
    assert {p.name for p in out.iterdir()} == {"points.csv", "pareto.png", "traffic.png"}
    for name in ("pareto.png", "traffic.png"):
        assert (out / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    rows = list(csv.DictReader((out / "points.csv").open()))
    assert len(rows) >= 200
    for row in rows:
        assert (row["cycles"] == "") == (row["infeasible_reason"] != "")
    assert "[#" not in capsys.readouterr().err  # no progress bar without a terminal


@pytest.mark.parametrize("arguments, words", [
    (["--pe", "16"], "--pe must be RxC"),
    (["--pe", "8x8,12x8"], "rows must be a power of two"),
    (["--act-bits", "9"], "--act-bits must be own or 1 to 8"),
    (["--mask-bytes", "1000"], "mask_bytes must be a power of two"),
    (["--psum-depth", "a"], "--psum-depth must be integers"),
    (["--bus", "32"], "axi_data_width must be"),
    (["--mask-bytes", "256"], "no point fits"),
])  # fmt: skip
def test_bad_input_is_one_line(monkeypatch, capsys, tmp_path, ticket, arguments, words):
    ticket.save(tmp_path / "t.safetensors")
    out = tmp_path / "out"
    arguments = ["--ticket", tmp_path / "t.safetensors", "--out", out, *arguments]
    assert run(monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert not list(out.glob(".*"))
