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

    def clock(self, x, bipolar, blank, row=None, mask=None, sign=None, clear=0, swap=0):
        """Returns what the sums must be in this clock, None while unknown."""
        if swap:
            self.active = self.mask.copy(), self.sign.copy()
        if clear:
            self.mask[:] = 0
        if row is not None:
            self.mask[row], self.sign[row] = mask, sign
        self.sums.append(column_sums(x, *self.active, bipolar) * (1 - blank))
        return self.sums.popleft()


class Driver(Clocked):
    """`bipolar` stands while tiles are written and used: `layer` begins another kind of tile."""

    def __init__(self, dut):
        super().__init__(dut, PARAMETERS["seed"], pulses=["clear", "row_en", "swap", "blank"],
                         data=["row_index", "row_mask", "row_sign", "x", "bipolar"])  # fmt: skip
        self.draw = np.random.default_rng(PARAMETERS["seed"])

    async def layer(self, bipolar: int):
        """Wait for the last sums, then for a tile without weights."""
        if hasattr(self, "model"):
            for _ in range(LATENCY):
                await self.plane(blank=1)
        self.bipolar, self.model = bipolar, Model()
        await self.plane(clear=1, blank=1)
        await self.plane(swap=1)

    async def plane(self, x=None, row=None, mask=None, sign=None, clear=0, swap=0, blank=None):
        """One clock, with what is not given drawn."""
        x = self.draw.integers(0, 2, ROWS) if x is None else x
        blank = int(self.rng.random() < 0.1) if blank is None else blank
        inputs = {"x": pack(x, 1), "bipolar": self.bipolar, "clear": clear, "swap": swap,
                  "blank": blank}  # fmt: skip
        if row is not None:
            drawn = self.draw.integers(0, 2, (2, COLUMNS))
            mask, sign = (d if given is None else given
                          for given, d in zip((mask, sign), drawn, strict=True))  # fmt: skip
            inputs |= {"row_en": 1, "row_index": row, "row_mask": pack(mask, 1),
                       "row_sign": pack(sign, 1)}  # fmt: skip
        await self.clock(**inputs)
        expected = self.model.clock(x, self.bipolar, blank, row, mask, sign, clear, swap)
        if expected is not None:
            assert self.get_signed("sums", COLUMNS) == expected.tolist()


async def start(dut):
    driver = Driver(dut)
    await driver.start()
    return driver


@cocotb.test()
async def full_throughput(dut):
    """Tile after tile without a bubble, the next one being written while one is in use."""
    driver = await start(dut)
    for bipolar in (0, 1, 0):
        await driver.layer(bipolar)
        for tile in range(8):
            for r in range(ROWS if tile % 3 else driver.rng.randint(1, ROWS)):
                await driver.plane(row=r, clear=r == 0, swap=r == 0)


@cocotb.test()
async def random_commands(dut):
    """Rows in any order, none twice, with gaps; clears and swaps at any time and together."""
    driver = await start(dut)
    rng = driver.rng
    for layer in range(8):
        await driver.layer(layer % 2)
        for _ in range(5):
            rows, clear = rng.sample(range(ROWS), rng.randint(0, ROWS)), 1
            while rows or clear:
                row = rows.pop() if rows and rng.random() < 0.7 else None
                await driver.plane(row=row, clear=clear, swap=rng.random() < 0.2)
                clear = 0
            await driver.plane(swap=rng.getrandbits(1))


@cocotb.test()
async def extremes(dut):
    """All lanes add, all subtract: the sums reach rows and -rows."""
    driver = await start(dut)
    ones, zeros = np.ones(COLUMNS, int), np.zeros(COLUMNS, int)
    for bipolar in (0, 1):
        for sign in (zeros, ones, np.arange(COLUMNS) % 2):
            await driver.layer(bipolar)
            for r in range(ROWS):
                await driver.plane(row=r, mask=ones, sign=sign)
            await driver.plane(swap=1)
            for lanes in (*range(ROWS + 1), *[0] * LATENCY):
                await driver.plane([1] * lanes + [0] * (ROWS - lanes), blank=0)
