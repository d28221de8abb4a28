"""Bench of `Requantiser` against `hfn_accel.arithmetic.requantise`."""

import cocotb
import numpy as np

from hfn_accel.arithmetic import MAX_SHIFT, requantise
from hfn_accel.config import Config
from rtl.requantise import PARAMETER, Requantiser
from sim.benches.clocked import Clocked, pack
from sim.runner import parameters

PARAMETERS = parameters()
CONFIG = Config(**PARAMETERS["config"])
UNITS, ACC_BITS = CONFIG.units, CONFIG.accumulator_bits


def signed(rng, bits: int) -> int:
    """Anything of that width, often an extreme."""
    half = 1 << (bits - 1)
    return rng.choice((-half, half - 1, 0, -1, rng.randrange(-half, half),
                       rng.randrange(-half, half)))  # fmt: skip


def record(rng, shift: int, bits: int):
    """(acc, M, r, Mr, B) of a channel: of the full ranges, or with y near its bounds or a tie."""
    acc, multiplier, factor, bias = (signed(rng, b) for b in (ACC_BITS, 16, 16, 32))
    r = rng.choice((0, 255, rng.randrange(256)))
    if rng.random() < 0.7:
        acc >>= rng.randrange(ACC_BITS)
        target = (2 * rng.randint(-1, 1 << bits) - 1 << shift) >> 1  # a tie
        aimed = target - acc * multiplier - r * factor + rng.choice((-1, 0, 1))
        if -(1 << 31) <= aimed < 1 << 31:
            bias = aimed
    return acc, multiplier, r, factor, bias


def expect(records, shift: int, bits: int) -> list[int]:
    acc, multiplier, r, factor, bias = np.array(records).T
    return requantise(acc, multiplier, bias, shift, bits, r, factor).tolist()


async def check(dut, gap: float, layers, groups: int):
    bench = Clocked(dut, PARAMETERS["seed"], pulses=["i_valid"],
                    data=["i_accumulators", "i_residuals", "i_parameters"])  # fmt: skip
    dut.shift.value, dut.bits.value = 1, 1
    await bench.start()
    rng, seen = bench.rng, set()

    for shift, bits in layers:
        dut.shift.value, dut.bits.value = shift, bits
        await bench.clock()
        pipeline = [None] * Requantiser.LATENCY  # expected values, oldest first
        left = groups
        while left or any(pipeline):
            inputs, values = {}, None
            if left and rng.random() >= gap:
                left -= 1
                records = [record(rng, shift, bits) for _ in range(UNITS)]
                acc, multiplier, r, factor, bias = zip(*records, strict=True)
                inputs = {
                    "i_valid": 1,
                    "i_accumulators": pack(acc, ACC_BITS),
                    "i_residuals": pack(r, 8),
                    "i_parameters": pack([pack((m, f), 16) | pack([b], 32) << 32 for m, f, b in
                                          zip(multiplier, factor, bias, strict=True)],
                                         PARAMETER.size),
                }  # fmt: skip
                values = expect(records, shift, bits)
                seen.update(values)
            await bench.clock(**inputs)
            due = pipeline.pop(0)
            pipeline.append(values)
            assert bench.get("o_valid") == (due is not None)
            if due is not None:
                assert bench.get("o_values") == pack(due, 8), (shift, bits, due)
    assert len(seen) > 50  # not only the bounds


@cocotb.test()
async def random_gaps(dut):
    """Every shift and every width, exact, LATENCY clocks after each group."""
    bits = [1 + i % 8 for i in range(MAX_SHIFT)]
    await check(dut, 0.4, list(zip(range(1, MAX_SHIFT + 1), bits, strict=True)), groups=16)


@cocotb.test()
async def full_throughput(dut):
    """A group every clock."""
    await check(dut, 0, [(9, 8), (20, 4), (1, 8), (47, 1), (30, 8)], groups=150)
