"""Durations of jobs against walks over tiles, and against the blocks' own forms."""

import numpy as np
import pytest

from hfn_accel import timing
from hfn_accel.config import Config
from hfn_accel.jobs import jobs
from hfn_accel.program import FIELDS, Opcode
from hfn_accel.registers import Cause


def durations(opcode: Opcode, fields: dict, config: Config, latency: int):
    """The job of one descriptor."""
    names = {f.name for table in FIELDS.values() for f in table}
    table = {name: np.array([fields.get(name, 0)]) for name in names}
    return jobs(np.array([opcode]), table, config, latency)[0]


def random_conv(rng, config: Config) -> dict[str, int]:
    """Fields of a CONV that decide its time."""

    def draw(low, high):
        return int(rng.integers(low, high + 1))

    coats, signs = draw(1, 3), draw(0, 2)
    return {
        "in_bits": draw(1, 8), "out_bits": draw(1, 8), "res_bits": draw(1, 8),
        "residual": draw(0, 1), "raw": draw(0, 1), "close": 1, "coats": coats, "signs": signs,
        "kernel_height": draw(1, 3), "kernel_width": draw(1, 3), "in_tiles": draw(1, 3),
        "last_rows": draw(1, config.rows), "out_tiles": draw(1, 3), "strips": draw(1, 3),
        "strip_rows": draw(2, 4), "last_strip_rows": draw(1, 2), "out_width": draw(1, 6),
        "out_channels": draw(1, config.columns), "fan_in": draw(1, 99), "mask_beats": draw(1, 99),
        "fetch_mask": draw(0, 1), "fetch_parameters": draw(0, 1),
    }  # fmt: skip


def walk(f: dict, config: Config) -> dict[Cause, int]:
    """fill, compute and stall of a CONV, tile by tile, as docs/architecture.md says."""
    out_bits = 0 if f["raw"] else f["out_bits"]
    res_bits = f["res_bits"] if f["residual"] else 0
    period = max(f["in_bits"], out_bits, res_bits, config.columns // config.units)
    a_row = 2 if f["signs"] else 1
    tiles = []
    for _ in range(f["out_tiles"]):
        for strip in range(f["strips"]):
            rows = f["last_strip_rows"] if strip == f["strips"] - 1 else f["strip_rows"]
            taps = f["coats"] * f["kernel_height"] * f["kernel_width"]
            for tap in range(taps):
                for tile in range(f["in_tiles"]):
                    end = tile == f["in_tiles"] - 1
                    final = end and tap == taps - 1
                    stream = rows * f["out_width"] * (period if final else f["in_bits"])
                    tiles.append((stream, a_row * (f["last_rows"] if end else config.rows)))
    stall = 0
    for (stream, _), (_, fill) in zip(tiles, tiles[1:], strict=False):
        stall += max(0, fill + timing.FILL_CYCLES - stream)
    fill = timing.SETUP_CYCLES + tiles[0][1] + timing.FILL_CYCLES
    return {Cause.FILL: fill, Cause.COMPUTE: sum(s for s, _ in tiles), Cause.STALL: stall}


@pytest.mark.parametrize("seed", range(100))
def test_conv_equals_walk(seed):
    rng = np.random.default_rng(seed)
    config = Config(rows=1 << int(rng.integers(7)), columns=1 << int(rng.integers(7)))
    f, latency = random_conv(rng, config), int(rng.integers(1, 512))
    job = durations(Opcode.CONV, f, config, latency)
    counted = {cause: job.execute.get(cause, 0) for cause in walk(f, config)}
    assert counted == walk(f, config)
    assert job.execute[Cause.DRAIN] > 0
    assert (job.write > 0) == bool(f["raw"])
    assert (Cause.PARAMETER in job.fetch) == bool(f["fetch_parameters"])
    assert (Cause.MASK in job.fetch) == bool(f["fetch_mask"])


@pytest.mark.parametrize("change, clocks", [
    ({}, 50 + 2),  # plain: beats
    ({"code": 3}, 2 * 90 * 2 + 4), ({"pruned": 1}, 2 * 90 * 2 + 4), ({"locked": 1}, 2 * 90 * 2 + 4),
    ({"coats": 3}, 3 * 2 * 90 * 2 + 4), ({"signs": 1}, 2 * 2 * 90 * 2 + 4),
    ({"coats": 2, "signs": 2}, 3 * 2 * 90 * 2 + 4),
])  # fmt: skip
def test_mask_takes_a_clock_a_beat_or_a_unit_of_a_plane(change, clocks):
    config = Config(rows=8, columns=16)  # two units a row
    f = random_conv(np.random.default_rng(0), config)
    f |= {"coats": 1, "signs": 0, "fan_in": 90, "out_tiles": 2, "mask_beats": 50, "fetch_mask": 1}
    assert durations(Opcode.CONV, f | change, config, 20).fetch[Cause.MASK] == clocks + 20 + 1


def test_transfers_take_a_clock_a_beat_and_the_latency():
    config, transfer = Config(), {"groups": 3, "beats": 700}
    load = durations(Opcode.LOAD, transfer, config, 512)
    assert load.fetch == {Cause.LOAD: 3 * (700 + 512 + 2)} and load.execute == {}
    store = durations(Opcode.STORE, transfer, config, 512)
    assert store.write == 3 * (700 + 512 + 3) and store.fetch == {}
    logits = {"raw": 1, "close": 1, "out_channels": 10, "out_tiles": 1, "in_tiles": 1}
    conv = random_conv(np.random.default_rng(0), config) | logits
    assert durations(Opcode.CONV, conv, config, 40).write == 5 + 40 + 3
    assert durations(Opcode.CONV, conv | {"close": 0}, config, 40).write == 0


def test_others():
    config = Config()
    pool = {"granules": 2, "out_height": 3, "out_width": 5, "kernel": 3, "bits": 4}
    job = durations(Opcode.POOL, pool, config, 16)
    assert job.execute == {Cause.POOL: 2 * 15 * 9 * 4 + timing.POOL_CYCLES} and job.fetch == {}
    for opcode in (Opcode.BEGIN, Opcode.END):
        job = durations(opcode, {"wait_stored": 3}, config, 16)
        assert (job.fetch, job.execute, job.write) == ({}, {}, 0)
    assert job.wait_stored == 3
