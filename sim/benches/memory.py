"""Bench of `SplitMemory`: random reads and writes against one long integer."""

from collections import deque

import cocotb

from rtl.memory import SplitMemory
from sim.benches.clocked import Clocked
from sim.runner import parameters

PARAMETERS = parameters()
BITS, READ = PARAMETERS["bits"], PARAMETERS["read_width"]
WIDTHS, LATENCY = tuple(PARAMETERS["write_widths"]), PARAMETERS["latency"]
NARROW, WIDE = min(WIDTHS), max(WIDTHS)


async def check(dut, gap: float, clocks: int):
    memory = SplitMemory(BITS, WIDTHS, READ, LATENCY)
    pulses = ["w_en", "w_wide"] if len(WIDTHS) == 2 else ["w_en"]
    bench = Clocked(
        dut, PARAMETERS["seed"], pulses=pulses, data=["w_addr", "w_data", "r_addr", "r_en"]
    )
    await bench.start()
    rng, expected = bench.rng, deque([None] * LATENCY, maxlen=LATENCY)  # oldest first
    for address in range(BITS // NARROW):  # earlier tests left something
        await bench.clock(w_en=1, w_addr=address, w_data=0)
    contents = 0
    for _ in range(clocks):
        write, wide = rng.random() >= gap, len(WIDTHS) == 2 and rng.getrandbits(1)
        width = WIDE if wide else NARROW
        unit, w_data = rng.randrange(BITS // width), rng.getrandbits(WIDE)
        r_addr = rng.randrange(BITS // READ)
        busy = write and unit * width // memory.width == r_addr * READ // memory.width
        inputs = {"w_wide": wide} if len(WIDTHS) == 2 else {}
        reads = rng.random() >= gap
        await bench.clock(w_en=write, w_addr=unit * (width // NARROW), w_data=w_data,
                          r_addr=r_addr, r_en=reads, **inputs)  # fmt: skip
        if expected[0] is not None:
            assert bench.get("r_data") == expected[0]
        if reads:
            value = (contents >> (r_addr * READ)) & ((1 << READ) - 1)
            expected.append(None if busy else value)
        if write:
            mask, low = (1 << width) - 1, unit * width
            contents = contents & ~(mask << low) | (w_data & mask) << low


@cocotb.test()
async def random_gaps(dut):
    """What was written last is read, `latency` clocks of `r_en` after the address."""
    await check(dut, gap=0.5, clocks=400)


@cocotb.test()
async def full_throughput(dut):
    """A read and a write in every clock."""
    await check(dut, gap=0, clocks=400)
