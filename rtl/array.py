"""The array: ternary weights, one bit-plane of lanes a clock, one sum a column."""

import numpy as np
from amaranth import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from hfn_accel.timing import array_latency

from .tree import add, count_latency, count_ones, delay


def column_sums(x, negative, mask, sign) -> np.ndarray:
    """Sums of one bit-plane: sum over r of (x[r] - negative[r]) * w[r, c], w being 0 without mask,
    -1 with sign.

    x and negative (..., rows), mask and sign (rows, columns), all 0 or 1; returns int64
    (..., columns).
    """
    x, negative, mask, sign = (np.asarray(a, np.int64) for a in (x, negative, mask, sign))
    return (x - negative) @ (mask * (1 - 2 * sign))


def sums_layout(rows: int, columns: int) -> ArrayLayout:
    """One signed number from -rows to rows a column."""
    return ArrayLayout(signed(rows.bit_length() + 1), columns)


class Array(wiring.Component):
    """sums[c] = sum over r of (x[r] - negative[r]) * w[r][c], w -1, 0 or +1 by mask and sign.

    A lane counts +1 with `x`, -1 with `negative`, 0 with neither; never both. A sign of 1 is -1.

    `rows` lanes, a power of two. Latency: `sums` are those of the `x` and `negative` of LATENCY
    clocks before (`array_latency(rows)`); one bit-plane a clock, without flow control.

    Weights: `row_en` writes row `row_index` of the shadow tile from `row_mask` and `row_sign`;
    `clear` zeroes the mask of all rows except one written in the same clock. `swap` makes the
    shadow tile, as it was before this clock's writes, active for the `x` of this clock and all
    after it; later writes to the shadow tile do not disturb the active one.

    Arithmetic: a product p - n (p, n: the bits that add and subtract) is p + ~n - 1, so a sum is
    the number of ones among 2 * rows bits, less `rows`.
    """

    def __init__(self, rows: int, columns: int):
        if type(rows) is not int or rows < 1 or rows & (rows - 1):
            raise ValueError(f"rows must be a power of two, not {rows!r}")
        self.rows = rows
        self.columns = columns
        self.LATENCY = array_latency(rows)
        super().__init__(
            {
                "clear": In(1),
                "row_en": In(1),
                "row_index": In(range(max(2, rows))),
                "row_mask": In(columns),
                "row_sign": In(columns),
                "swap": In(1),
                "x": In(rows),
                "negative": In(rows),
                "sums": Out(sums_layout(rows, columns)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lanes, flips = (Signal(self.rows, name=n, reset_less=True) for n in ("lanes", "flips"))
        m.d.sync += [lanes.eq(self.x | self.negative), flips.eq(self.negative)]

        slices = []  # p and ~n of every row
        for r in range(self.rows):
            shadow_mask, shadow_sign, mask, sign = (
                Signal(self.columns, name=f"{name}_{r}", reset_less=True)
                for name in ("shadow_mask", "shadow_sign", "mask", "sign")
            )
            with m.If(self.row_en & (self.row_index == r)):
                m.d.sync += [shadow_mask.eq(self.row_mask), shadow_sign.eq(self.row_sign)]
            with m.Elif(self.clear):
                m.d.sync += shadow_mask.eq(0)
            with m.If(self.swap):
                m.d.sync += [mask.eq(shadow_mask), sign.eq(shadow_sign)]
            product, minus, plus, not_minus = (
                Signal(self.columns, name=f"{name}_{r}")
                for name in ("product", "minus", "plus", "not_minus")
            )
            m.d.comb += [
                product.eq(mask & lanes[r].replicate(self.columns)),
                minus.eq(sign ^ flips[r].replicate(self.columns)),
                plus.eq(product & ~minus),
                not_minus.eq(~(product & minus)),
            ]
            slices += [plus, not_minus]

        levels = self.rows.bit_length() - 1
        *low, top = count_ones(m, slices[:-1])
        [last] = delay(m, slices[-1:], count_latency(levels))
        zero = Signal(self.columns)
        # The count less `rows` (its top bit) is the sum but for the last bit, which adds one.
        less_rows = Signal(self.columns)
        m.d.comb += less_rows.eq(~top)
        total = add(m, [*low, less_rows, less_rows], [zero] * (levels + 2), last)[:-1]
        total = delay(m, total, self.LATENCY - 1 - count_latency(levels))
        # One statement: Icarus resolves a wire that is driven in parts bit by bit.
        m.d.comb += self.sums.as_value().eq(
            Cat(bit[c] for c in range(self.columns) for bit in total)
        )
        return m
