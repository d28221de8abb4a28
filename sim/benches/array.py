"""Bench of `Array` against `column_sums`, checked in every clock."""

from collections import deque

import cocotb
import numpy as np

from rtl.array import Array, column_sums
from sim.benches.clocked import Clocked, pack
from sim.runner import parameters

PARAMETERS = parameters()
ROWS, COLUMNS = PARAMETERS["rows"], PARAMETERS["columns"]
LATENCY = Array(ROWS, COLUMNS).LATENCY


class Model:
    """Shadow and active tile, and the sums on their way."""

    def __init__(self):
        self.mask, self.sign = (np.zeros((ROWS, COLUMNS), int) for _ in range(2))
        self.active = self.mask, self.sign
        self.sums = deque([None] * LATENCY)

    def clock(self, x, negative, row=None, mask=None, sign=None, clear=0, swap=0):
        """Returns what the sums must be in this clock, None while unknown."""
        if swap:
            self.active = self.mask.copy(), self.sign.copy()
        if clear:
            self.mask[:] = 0
        if row is not None:
            self.mask[row], self.sign[row] = mask, sign
        self.sums.append(column_sums(x, negative, *self.active).tolist())
        return self.sums.popleft()


async def start(dut):
    bench = Clocked(dut, PARAMETERS["seed"], pulses=["clear", "row_en", "swap"],
                    data=["row_index", "row_mask", "row_sign", "x", "negative"])  # fmt: skip
    await bench.start()
    model = Model()
    await clock(bench, model, [0] * ROWS, clear=1)
    await clock(bench, model, [0] * ROWS, swap=1)
    return bench, model


async def clock(bench, model, x, row=None, mask=(), sign=(), clear=0, swap=0, bipolar=0):
    """`bipolar`: lanes of `x` that are 0 count -1 where this has a 1."""
    negative = (1 - np.asarray(x)) * bipolar
    inputs = {"x": pack(x, 1), "negative": pack(negative, 1), "clear": clear, "swap": swap}
    if row is not None:
        inputs |= {"row_en": 1, "row_index": row, "row_mask": pack(mask, 1),
                   "row_sign": pack(sign, 1)}  # fmt: skip
    await bench.clock(**inputs)
    expected = model.clock(x, negative, row, mask, sign, clear, swap)
    if expected is not None:
        assert bench.get_signed("sums", COLUMNS) == expected


@cocotb.test()
async def full_throughput(dut):
    """Tile after tile without a bubble, the next one being written while one is in use."""
    bench, model = await start(dut)
    draw = np.random.default_rng(PARAMETERS["seed"])
    for tile in range(12):
        rows = ROWS if tile % 3 else bench.rng.randint(1, ROWS)
        for r in range(rows):
            mask, sign = draw.integers(0, 2, (2, COLUMNS))
            x = draw.integers(0, 2, ROWS)
            await clock(bench, model, x, r, mask, sign, clear=r == 0, swap=r == 0,
                        bipolar=draw.integers(0, 2, ROWS) * (tile % 2))  # fmt: skip


@cocotb.test()
async def random_commands(dut):
    """Rows, clears and swaps in any order and together."""
    bench, model = await start(dut)
    rng, draw = bench.rng, np.random.default_rng(PARAMETERS["seed"])
    for _ in range(300):
        mask, sign = draw.integers(0, 2, (2, COLUMNS))
        row = rng.randrange(ROWS) if rng.random() < 0.7 else None
        await clock(bench, model, draw.integers(0, 2, ROWS), row, mask, sign,
                    clear=rng.random() < 1 / (2 * ROWS), swap=rng.random() < 0.2,
                    bipolar=draw.integers(0, 2, ROWS) * rng.getrandbits(1))  # fmt: skip


@cocotb.test()
async def extremes(dut):
    """All lanes add, all subtract: the sums reach rows and -rows."""
    bench, model = await start(dut)
    ones, zeros = np.ones(COLUMNS, int), np.zeros(COLUMNS, int)
    for sign in (zeros, ones, np.arange(COLUMNS) % 2):
        for r in range(ROWS):
            await clock(bench, model, [0] * ROWS, r, ones, sign)
        await clock(bench, model, [1] * ROWS, swap=1)
        for _ in range(LATENCY):
            await clock(bench, model, [0] * ROWS)
        for lanes in range(ROWS + 1):
            for bipolar in (0, 1):
                x = [1] * lanes + [0] * (ROWS - lanes)
                await clock(bench, model, x, bipolar=bipolar)
