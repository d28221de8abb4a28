"""Bench of `ReadAhead` in front of a memory that holds its own addresses, scrambled."""

from collections import deque

import cocotb

from sim.benches.clocked import Clocked
from sim.runner import parameters

PARAMETERS = parameters()
LATENCY, BITS, WIDTH = (PARAMETERS[n] for n in ("latency", "place_bits", "width"))


def word(place: int) -> int:
    return (place % (1 << BITS) + 1) * 0x9E3779B1 % (1 << WIDTH)


async def check(dut, stall: float, streams: int):
    """Each stream begins while the one before is under way, or has a word on offer."""
    bench = Clocked(dut, PARAMETERS["seed"], pulses=["start"], data=["first", "i_data", "o_ready"])
    await bench.start()
    rng, memory = bench.rng, deque([0] * LATENCY, maxlen=LATENCY)
    for _ in range(streams):
        place, length, since = rng.randrange(1 << BITS), rng.randrange(30), 0
        while length or since == 0:
            ready = rng.random() >= stall
            await bench.clock(
                start=since == 0, first=place % (1 << BITS), i_data=memory[0], o_ready=ready
            )
            if bench.get("advance"):
                memory.append(word(bench.get("place")))
            if since:
                assert bench.get("o_valid") == (since >= LATENCY)
            if since >= LATENCY:
                assert bench.get("o_data") == word(place)
                place, length = place + ready, length - ready
            since += 1
            if since < LATENCY and rng.random() < 0.1:
                break


@cocotb.test()
async def random_stalls(dut):
    """Every word once, in order; a word that waits does not change."""
    await check(dut, 0.5, 80)


@cocotb.test()
async def full_throughput(dut):
    """A word every clock from `latency` clocks after `start` on."""
    await check(dut, 0, 80)
