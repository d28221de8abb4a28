"""Bench of `ResultStore`: what was written comes back beat by beat, bytes counted and masked."""

import cocotb

from hfn_accel.config import Config
from rtl.results import ResultStore
from sim.benches.clocked import Clocked, pack
from sim.runner import parameters

PARAMETERS = parameters()
CONFIG = Config(**PARAMETERS["config"])
UNITS, WORDS = CONFIG.units, CONFIG.result_words
PER_BEAT = CONFIG.axi_data_width // 32


async def write(bench, buffer: list[int], gap: float):
    """New accumulators for the whole buffer, in order, as a layer writes them; or for some."""
    rng = bench.rng
    entries = list(range(len(buffer) // UNITS))
    if rng.random() < 0.5:
        entries = rng.sample(entries, rng.randint(1, len(entries)))
    for entry in entries:
        while rng.random() < gap:
            await bench.clock()
        words = [rng.getrandbits(32) for _ in range(UNITS)]
        buffer[entry * UNITS : (entry + 1) * UNITS] = words
        await bench.clock(write_en=1, write_address=entry, write_data=pack(words, 32))
    for _ in range(rng.randint(0, 2)):
        await bench.clock()
        assert bench.get("o_valid") == 0


async def stream(bench, buffer: list[int], count: int, stall: float):
    """The first `count` words, the taker refusing a beat with probability `stall`."""
    rng = bench.rng
    for clock in range(ResultStore.START_CYCLES):
        await bench.clock(start=clock == 0, words=count, o_ready=bench.rng.getrandbits(1))
        assert bench.get("o_valid") == 0
    for at in range(0, count, PER_BEAT):
        words = buffer[at : min(at + PER_BEAT, count)]
        size, ready = 4 * len(words), False
        while not ready:  # a beat that waits does not change
            ready = rng.random() >= stall
            await bench.clock(o_ready=ready, words=count)
            assert bench.get("o_valid") == 1
            assert bench.get("o_bytes") == size
            assert bench.get("o_strb") == (1 << size) - 1
            assert bench.get("o_data") == pack(words, 32)
    for _ in range(3):
        await bench.clock(o_ready=rng.getrandbits(1))
        assert bench.get("o_valid") == 0


async def check(dut, stall: float, rounds: int):
    bench = Clocked(dut, PARAMETERS["seed"], pulses=["write_en", "start", "o_ready"],
                    data=["write_address", "write_data", "words"])  # fmt: skip
    await bench.start()
    buffer = [0] * max(WORDS, UNITS)
    for entry in range(len(buffer) // UNITS):  # earlier tests left something
        await bench.clock(write_en=1, write_address=entry, write_data=0)
    for i in range(rounds):
        await write(bench, buffer, gap=stall)
        edges = (1, 2, 3, PER_BEAT, PER_BEAT + 1, WORDS - 1, WORDS)
        count = edges[i] if i < len(edges) else bench.rng.randint(1, WORDS)
        await stream(bench, buffer, count, stall)


@cocotb.test()
async def random_stalls(dut):
    """Streams of every remainder, the taker waiting at random."""
    await check(dut, 0.5, 12)


@cocotb.test()
async def full_throughput(dut):
    """A beat every clock from START_CYCLES clocks after `start` on."""
    await check(dut, 0, 12)
