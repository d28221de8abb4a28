"""Bench of `SplitMemory`: random reads and writes against one long integer."""

import cocotb

from rtl.memory import SplitMemory
from sim.benches.clocked import Clocked
from sim.runner import parameters

PARAMETERS = parameters()
BITS, WRITE, READ = (PARAMETERS[n] for n in ("bits", "write_width", "read_width"))


async def check(dut, gap: float, clocks: int):
    memory = SplitMemory(BITS, WRITE, READ)
    bench = Clocked(dut, PARAMETERS["seed"], pulses=["w_en"], data=["w_addr", "w_data", "r_addr"])
    await bench.start()
    rng, contents, expected = bench.rng, None, None
    word = memory.width
    for address in range(BITS // WRITE):  # earlier tests left something
        await bench.clock(w_en=1, w_addr=address, w_data=0)
    contents = 0
    for _ in range(clocks):
        write = rng.random() >= gap
        w_addr, w_data = rng.randrange(BITS // WRITE), rng.getrandbits(WRITE)
        r_addr = rng.randrange(BITS // READ)
        busy = write and w_addr * WRITE // word == r_addr * READ // word
        await bench.clock(w_en=write, w_addr=w_addr, w_data=w_data, r_addr=r_addr)
        if expected is not None:
            assert bench.get("r_data") == expected
        expected = None if busy else (contents >> (r_addr * READ)) & ((1 << READ) - 1)
        if write:
            low = w_addr * WRITE
            contents = contents & ~(((1 << WRITE) - 1) << low) | w_data << low


@cocotb.test()
async def random_gaps(dut):
    """What was written last is read, LATENCY clocks after the address."""
    assert SplitMemory.LATENCY == 1
    await check(dut, gap=0.5, clocks=400)


@cocotb.test()
async def full_throughput(dut):
    """A read and a write in every clock."""
    await check(dut, gap=0, clocks=400)
