"""Durations of jobs against walks over tiles, and against sums by hand."""

from random import Random

import pytest

from hfn_accel import timing
from hfn_accel.config import Config
from hfn_accel.engine.durations import (
    CAUSE_COUNT,
    decode_cycles,
    durations,
    plain_cycles,
    read_cycles,
    write_cycles,
)
from hfn_accel.engine.records import Design, jobs
from hfn_accel.program import Opcode
from hfn_accel.registers import Cause


def spent(opcode: Opcode, fields: dict, config: Config, latency: int) -> dict[Cause, int]:
    """What one descriptor takes, without zeros."""
    (clocks,) = durations(jobs([(opcode, fields)]), Design.of(config, latency))
    assert clocks.shape == (CAUSE_COUNT,)
    return {cause: clocks[cause] for cause in Cause if clocks[cause]}


def random_conv(rng: Random, config: Config) -> dict[str, int]:
    """Fields of a CONV that decide its time."""
    draw = rng.randint
    return {
        "in_bits": draw(1, 8), "out_bits": draw(1, 8), "res_bits": draw(1, 8),
        "residual": draw(0, 1), "raw": draw(0, 1), "close": 1, "coats": draw(1, 3),
        "signs": draw(0, 2), "kernel_height": draw(1, 3), "kernel_width": draw(1, 3),
        "in_tiles": draw(1, 3), "last_rows": draw(1, config.rows), "out_tiles": draw(1, 3),
        "strips": draw(1, 3), "strip_rows": draw(2, 4), "last_strip_rows": draw(1, 2),
        "out_width": draw(1, 6), "out_channels": draw(1, config.columns), "fan_in": draw(1, 99),
        "mask_beats": draw(1, 99), "fetch_mask": draw(0, 1), "fetch_parameters": draw(0, 1),
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


@pytest.mark.parametrize("seed", range(200))
def test_conv_equals_walk(seed):
    rng = Random(seed)
    config = Config(rows=1 << rng.randint(0, 6), columns=1 << rng.randint(0, 6))
    f, latency = random_conv(rng, config), rng.randint(1, 512)
    found = spent(Opcode.CONV, f, config, latency)
    walked = walk(f, config)
    assert {cause: found.get(cause, 0) for cause in walked} == walked
    assert found[Cause.DRAIN] > 0
    for cause, there in ((Cause.STORE, f["raw"]), (Cause.PARAMETER, f["fetch_parameters"]),
                         (Cause.MASK, f["fetch_mask"])):  # fmt: skip
        assert (cause in found) == bool(there), cause


@pytest.mark.parametrize("change, clocks", [
    ({}, 50 + 2),  # plain: beats
    *[(one, 2 * 90 * 2 + 10) for one in ({"code": 3}, {"pruned": 1}, {"locked": 1})],
    ({"coats": 3}, 3 * 2 * 90 * 2 + 10), ({"signs": 1}, 2 * 2 * 90 * 2 + 10),
    ({"coats": 2, "signs": 2}, 3 * 2 * 90 * 2 + 10),
])  # fmt: skip
def test_mask_takes_a_clock_a_beat_or_a_unit_of_a_plane(change, clocks):
    config = Config(rows=8, columns=16)  # two units a row
    f = random_conv(Random(0), config)
    f |= {"coats": 1, "signs": 0, "fan_in": 90, "out_tiles": 2, "mask_beats": 50, "fetch_mask": 1}
    assert spent(Opcode.CONV, f | change, config, 20)[Cause.MASK] == clocks + 21 + 1 + 2


def test_transfers_take_a_clock_a_beat_and_the_latency():
    config, transfer = Config(), {"groups": 3, "beats": 700}
    assert read_cycles(10, 5) == 17 and write_cycles(10, 5) == 19
    assert decode_cycles(100, 3, 5) == 315 and plain_cycles(100, 5) == 107
    assert spent(Opcode.LOAD, transfer, config, 512) == {Cause.LOAD: 3 * (700 + 512 + 3)}
    assert spent(Opcode.STORE, transfer, config, 512) == {Cause.STORE: 3 * (700 + 512 + 5)}
    conv = random_conv(Random(0), config) | {"raw": 1, "out_channels": 10, "fetch_parameters": 1}
    found = spent(Opcode.CONV, conv, config, 40)
    assert found[Cause.STORE] == 5 + 40 + 5 and found[Cause.PARAMETER] == 10 + 40 + 5
    assert Cause.STORE not in spent(Opcode.CONV, conv | {"close": 0}, config, 40)


def test_others():
    config = Config()
    pool = {"granules": 2, "out_height": 3, "out_width": 5, "kernel": 3, "bits": 4}
    planes = 2 * 15 * 9 * 4
    assert spent(Opcode.POOL, pool, config, 16) == {Cause.POOL: planes + timing.POOL_CYCLES}
    image = {"rows": 4, "width": 9, "pad": 2, "taps": 3, "stride": 2, "out_width": 6, "granules": 2}
    row = 13 + 6 * 15 + 1  # five words' pixels two apart and three taps; all but a row's last wait
    assert spent(Opcode.IMAGE, image, config, 16) == {
        Cause.LOAD: timing.LOAD_CYCLES + 16 + 4 * row + 2  # a clock of the DMA, the phase's
    }
    for opcode in (Opcode.BEGIN, Opcode.END):
        assert spent(opcode, {"wait_stored": 3}, config, 16) == {}
