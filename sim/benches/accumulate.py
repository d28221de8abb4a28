"""Bench of `PlaneAccumulator` against `accumulate`."""

import cocotb

from rtl.accumulate import MAX_PLANES, PlaneAccumulator, accumulate
from rtl.array import sums_layout
from sim.benches.clocked import Clocked, pack
from sim.runner import parameters

PARAMETERS = parameters()
ROWS, COLUMNS, BITS = (PARAMETERS[n] for n in ("rows", "columns", "accumulator_bits"))


def kept(value: int) -> int:
    """`value` modulo 2^BITS, signed."""
    half = 1 << (BITS - 1)
    return (value + half) % (2 * half) - half


async def check(dut, gap: float, pixels: int):
    bench = Clocked(dut, PARAMETERS["seed"], pulses=["i_valid"],
                    data=["i_sums", "i_first", "i_last"])  # fmt: skip
    await bench.start()
    rng, width, expected, valid = bench.rng, sums_layout(ROWS, COLUMNS).elem_shape.width, None, 0

    async def clock(**inputs):
        await bench.clock(**inputs)
        assert bench.get("o_valid") == valid
        if expected is not None:
            assert bench.get_signed("o_values", COLUMNS) == expected

    for pixel in range(pixels):
        count, planes = rng.randint(1, MAX_PLANES), []
        for plane in range(count):
            while rng.random() < gap:
                await clock()
                valid = 0
            extreme = (-ROWS, ROWS)[pixel // 2 % 2]
            sums = [extreme if pixel % 2 else rng.randint(-ROWS, ROWS) for _ in range(COLUMNS)]
            planes.append(sums)
            first, last = plane == 0, plane == count - 1
            await clock(i_valid=1, i_first=first, i_last=last, i_sums=pack(sums, width))
            valid = int(last)
            expected = [kept(accumulate(p)) for p in zip(*planes, strict=True)] if last else None
    await clock()
    valid = 0
    await clock()


@cocotb.test()
async def random_gaps(dut):
    """Planes with gaps; a pixel's value stays until the next plane."""
    assert PlaneAccumulator.LATENCY == 1
    await check(dut, gap=0.4, pixels=60)


@cocotb.test()
async def full_throughput(dut):
    """A plane every clock, a pixel every 1 to 8."""
    await check(dut, gap=0, pixels=120)
