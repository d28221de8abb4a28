"""Bench of `PartialSums` against a list of sums."""

import cocotb

from hfn_accel.config import Config
from rtl.psum import PartialSums
from sim.benches.clocked import Clocked, pack
from sim.runner import parameters

PARAMETERS = parameters()
CONFIG = Config(**PARAMETERS["config"])
VALUE_BITS = PARAMETERS["value_bits"]
COLUMNS, ACC_BITS, DEPTH = CONFIG.columns, CONFIG.accumulator_bits, CONFIG.psum_depth
FLAGS = ("i_first", "i_emit", "i_end", "i_final")


def address(rng, recent: list[int]) -> int:
    """Often that of one to three inputs before."""
    if recent and rng.random() < 0.7:
        return recent[-rng.randint(1, min(3, len(recent)))]
    return rng.choice((0, DEPTH - 1, rng.randrange(DEPTH)))


def wrap(total: int) -> int:
    """Modulo 2^ACC_BITS, signed. (In a network nothing wraps: the compiler proves it.)"""
    half = 1 << (ACC_BITS - 1)
    return (total + half) % (2 * half) - half


async def check(dut, gap: float, count: int, draw):
    """`draw(rng, recent)`: the next address, from those of the inputs before, latest last."""
    bench = Clocked(dut, PARAMETERS["seed"], pulses=["i_valid"],
                    data=["i_address", "i_values", *FLAGS])  # fmt: skip
    await bench.start()
    rng, half = bench.rng, 1 << (VALUE_BITS - 1)
    sums, recent = {}, []
    due, soon, later = None, None, None  # what comes out in this clock, the next one, and after
    kept = None  # what stays at the output
    while count or due or soon or later:
        inputs, result = {}, None
        if count and rng.random() >= gap:
            count -= 1
            where = draw(rng, recent)
            first, emit, end, final = (int(rng.random() < p) for p in (0.2, 0.4, 0.3, 0.3))
            if where not in sums:
                first = 1
            recent.append(where)
            values = [rng.choice((-half, half - 1, rng.randrange(-half, half)))
                      for _ in range(COLUMNS)]  # fmt: skip
            before = [0] * COLUMNS if first else sums[where]
            total = [wrap(a + b) for a, b in zip(before, values, strict=True)]
            sums[where] = total
            inputs = dict(zip(FLAGS, (first, emit, end, final), strict=True))
            inputs |= {"i_valid": 1, "i_address": where, "i_values": pack(values, VALUE_BITS)}
            result = total, emit, end, final
        await bench.clock(**inputs)

        assert bench.get("o_early") == bool(soon and soon[1])
        if soon and soon[1]:
            assert bench.get("o_early_end") == soon[2]
        assert bench.get("o_valid") == bool(due and due[1])
        kept = due or kept
        if kept:
            assert bench.get_signed("o_values", COLUMNS) == kept[0]
            assert (bench.get("o_end"), bench.get("o_final")) == kept[2:]
        due, soon, later = soon, later, result


@cocotb.test()
async def random_gaps(dut):
    """Sums follow each other at any distance; a sum stays at the output until the next one."""
    assert PartialSums.LATENCY == 3
    await check(dut, 0.4, 700, address)


@cocotb.test()
async def full_throughput(dut):
    """An input every clock, often to the same address."""
    await check(dut, 0, 1200, address)


@cocotb.test()
async def one_address(dut):
    """Pooling with one plane a pixel: the same sum in every clock."""
    await check(dut, 0, 100, lambda rng, recent: 0)


@cocotb.test()
async def sweeps(dut):
    """All pixels of a strip, tile after tile."""
    await check(dut, 0, 3 * DEPTH, lambda rng, recent: len(recent) % DEPTH)
