"""The command `python -m hfn_accel.dse`."""

import csv
import sys

import numpy as np
import pytest

from hfn_accel import cli, dse
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.estimate import estimate_ticket
from hfn_accel.estimator import CAUSES
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


def test_points_equal_single_estimates(ticket, table):
    fits = table["infeasible_reason"] == ""
    assert 0 < fits.sum() < len(fits) == 3 * 2**5
    for i in np.flatnonzero(fits & (table["act_bits"] == "own")):
        config = dse.configuration(table, i)
        alone = estimate_ticket(ticket, config, 11)
        assert table["cycles"][i] == alone.total_cycles
        assert table["utilisation_ratio"][i] == alone.utilisation
        assert table["mask_moved_bytes"][i] == alone.bytes_by_class["mask"]
        causes = [table[f"{cause}_cycles"][i] for cause in CAUSES]
        assert sum(causes) == table["cycles"][i]


def test_reasons_name_layer_and_limit(ticket, table):
    for i in np.flatnonzero(table["infeasible_reason"] != ""):
        assert np.isnan(table["cycles"][i])
        with pytest.raises(HfnError) as refused:
            bits = table["act_bits"][i]
            estimate_ticket(dse.with_bits(ticket, bits), dse.configuration(table, i), 11)
        assert str(refused.value) == table["infeasible_reason"][i]


def test_buffer_bytes():
    config = Config(columns=8, activation_bytes=1024, mask_bytes=2048, psum_depth=64,
                    accumulator_bits=24, parameter_channels=64, result_words=64)  # fmt: skip
    assert dse.buffer_bytes(config) == 3 * 1024 + 2048 + 64 * 8 * 3 + 64 * 8 + 64 * 4


def test_progress_counts_every_point(ticket):
    calls = []
    axes = {**AXES, "pe": [(8, 8)], "mask_bytes": [16384], "bus": [64]}
    dse.sweep(ticket, axes, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(i + 1, 8) for i in range(8)]


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
    whole = table["activation_bank_bytes"] == max(sizes["activation_bytes"])
    least = 4 * 8 * 8 + 4 * 5  # the image and the logits
    np.testing.assert_array_equal(table["activation_moved_bytes"][whole], least)
    assert (table["activation_moved_bytes"][~whole] > least).all()


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
    (["--pe", "64x64", "--act-bits", "8", "--activation-bytes", "256"], "no point fits"),
])  # fmt: skip
def test_bad_input_is_one_line(monkeypatch, capsys, tmp_path, ticket, arguments, words):
    ticket.save(tmp_path / "t.safetensors")
    out = tmp_path / "out"
    arguments = ["--ticket", tmp_path / "t.safetensors", "--out", out, *arguments]
    assert run(monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert not list(out.glob(".*"))
