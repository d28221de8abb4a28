"""Bench of `MaxPool` against `max_pool`: every write at its clock, and nothing else."""

from collections import deque

import cocotb

from hfn_accel.config import Config
from hfn_accel.engine.durations import pool_cycles
from hfn_accel.engine.records import jobs
from hfn_accel.program import Opcode, encode
from hfn_accel.timing import BANK_CYCLES
from rtl.max_pool import MaxPool, max_pool
from sim.benches.clocked import Clocked
from sim.runner import parameters

PARAMETERS = parameters()
CONFIG = Config(**PARAMETERS["config"])
COLUMNS, WORDS = CONFIG.columns, CONFIG.bank_words
PARTS = CONFIG.group // COLUMNS


def draw(rng, **fixed) -> dict[str, int]:
    """Fields of a POOL over part of a map that fits the bank."""
    while True:
        f = {"bits": rng.choice((1, 1, 2, 3, 4, 8)), "kernel": rng.randint(1, 3),
             "stride": rng.randint(1, 2), "in_height": rng.randint(1, 5),
             "in_width": rng.randint(1, 5), "out_height": rng.randint(1, 4),
             "out_width": rng.randint(1, 4), "granules": rng.randint(1, 5)} | fixed  # fmt: skip
        f.setdefault("pad_x", rng.randrange(f["kernel"]))
        y_first = rng.randint(-2, 2)
        f.setdefault("y_first", y_first % (1 << 16))
        f["row_stride"] = f["in_width"] * f["bits"]
        base, corner = rng.randrange(WORDS), y_first * f["row_stride"] - f["pad_x"] * f["bits"]
        f["src_base"] = (base + corner) % (1 << 24)
        f["in_group_stride"] = f["in_height"] * f["row_stride"] + rng.randrange(5)
        f["dst_base"] = rng.randrange(WORDS)
        f["out_group_stride"] = f["out_height"] * f["out_width"] * f["bits"] + rng.randrange(5)
        groups = -(-f["granules"] // PARTS)
        if groups * max(f["in_group_stride"], f["out_group_stride"]) <= WORDS:
            return f


async def check(dut, count: int, **fixed):
    bench = Clocked(dut, PARAMETERS["seed"] + count, pulses=["start"],
                    data=["layer", "source_data"])  # fmt: skip
    await bench.start()
    for _ in range(count):
        await run_layer(bench, draw(bench.rng, **fixed))


async def run_layer(bench, f):
    # values that often agree in their first planes
    dense = bench.rng.random() < 0.5
    bank = [bench.rng.getrandbits(COLUMNS) | bench.rng.getrandbits(COLUMNS) * dense
            for _ in range(WORDS * PARTS)]  # fmt: skip
    writes = list(max_pool(CONFIG, bank, f).items())
    bits, window = f["bits"], f["kernel"] ** 2 * f["bits"]
    cycles = pool_cycles(jobs([(Opcode.POOL, f)])[0])
    held, answer = {"layer": int.from_bytes(encode(Opcode.POOL, **f), "little")}, {}
    first = 2 + MaxPool.LATENCY  # the first plane is read in clock 2
    source = deque(maxlen=BANK_CYCLES)  # what the bank is about to answer
    for clock in range(cycles + 4):
        await bench.clock(start=clock == 0, **held, **answer)
        position = clock - first
        writing = first <= clock < cycles and position % window >= window - bits
        assert bench.get("write_en") == writing, (clock, f)
        assert bench.get("done") == (clock == cycles - 1), (clock, f)
        if writing:
            seen = bench.get("write_address"), bench.get("write_data")
            assert seen == writes.pop(0), (clock, f)
        source.append(bank[bench.get("source_address")])
        answer = {"source_data": source[0]}
        if clock >= cycles - 1:
            held = {}
    assert not writes


@cocotb.test()
async def random_layers(dut):
    """Maps, bands and windows of all kinds, back to back."""
    await check(dut, 25)


@cocotb.test()
async def imagenet_stem(dut):
    """3x3, stride 2, padding 1."""
    await check(dut, 3, kernel=3, stride=2, pad_x=1, bits=4)


@cocotb.test()
async def one_plane(dut):
    """Bits of a single tap, and of several: nothing between a plane's read and its next use."""
    await check(dut, 2, kernel=1, bits=1)
    await check(dut, 3, kernel=3, bits=1)
