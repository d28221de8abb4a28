"""The array: ternary weights, one bit-plane of lanes a clock, one sum a column."""

import numpy as np
from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from hfn_accel.timing import array_latency

from .tree import count_ones, delay


def column_sums(x, mask, sign, bipolar: bool = False) -> np.ndarray:
    """Sums of one bit-plane: sum over r of x[r] * w[r, c], w being 0 without mask, -1 with sign;
    if `bipolar`, x = 0 counts as -1.

    x (..., rows), mask and sign (rows, columns), all 0 or 1; returns int64 (..., columns).
    """
    x, mask, sign = (np.asarray(a, np.int64) for a in (x, mask, sign))
    return (2 * x - 1 if bipolar else x) @ (mask * (1 - 2 * sign))


def sums_layout(rows: int, columns: int) -> ArrayLayout:
    """One signed number from -rows to rows a column."""
    return ArrayLayout(signed(rows.bit_length() + 1), columns)


class Array(wiring.Component):
    """sums[c] = sum over r of x[r] * w[r][c], w -1, 0 or +1 by mask and sign (1 is -1).

    With `bipolar`, a 0 of `x` counts as -1. With `blank`, all lanes count 0.

    `rows` lanes, a power of two. Latency: `sums` are those of the `x` and `blank` of LATENCY
    clocks before (`array_latency(rows)`); one bit-plane a clock, without flow control.

    Weights: `row_en` writes row `row_index` of the shadow tile from `row_mask` and `row_sign`;
    `clear` zeroes the mask of all rows except one written in the same clock. Between two clears a
    row is written once at most. `swap` makes the shadow tile, as it was before this clock's
    writes, active for the `x` of this clock and all after it; later writes to the shadow tile do
    not disturb the active one. `bipolar` stands from a tile's `clear` until its last sums are out.

    Arithmetic: a weight adds one where mask & (x ^ sign). That is its product, or one more if the
    weight is negative; of a bipolar product it is (product + 1) / 2. So a sum is the number of
    ones less an *offset*, the number of negative weights; a bipolar one is twice the number less
    the number of weights. Offsets are counted while rows are written.
    """

    def __init__(self, rows: int, columns: int):
        if type(rows) is not int or rows < 1 or rows & (rows - 1):
            raise ValueError(f"rows must be a power of two, not {rows!r}")
        self.rows = rows
        self.columns = columns
        self.LATENCY = array_latency(rows)
        super().__init__(
            {
                "bipolar": In(1),
                "clear": In(1),
                "row_en": In(1),
                "row_index": In(range(max(2, rows))),
                "row_mask": In(columns),
                "row_sign": In(columns),
                "swap": In(1),
                "x": In(rows),
                "blank": In(1),
                "sums": Out(sums_layout(rows, columns)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        [x] = delay(m, [self.x])
        ones = []
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
            one = Signal(self.columns, name=f"one_{r}")
            m.d.comb += one.eq(mask & (sign ^ x[r].replicate(self.columns)))
            ones.append(one)
        counts = self.by_column(m, count_ones(m, ones), "count")

        # Offsets reach the last stage along with the ones of the tile's first plane.
        offsets = delay(m, self.offset(m), self.LATENCY - 2)
        [blank] = delay(m, [self.blank], self.LATENCY - 1)
        offsets = self.by_column(m, offsets, "offset")
        sums = [Signal(signed(self.rows.bit_length() + 1), name=f"sum_{c}", reset_less=True)
                for c in range(self.columns)]  # fmt: skip
        with m.If(blank):
            m.d.sync += [total.eq(0) for total in sums]
        with m.Else():
            m.d.sync += [
                total.eq(Mux(self.bipolar, count << 1, count) - offset)
                for total, count, offset in zip(sums, counts, offsets, strict=True)
            ]
        m.d.comb += self.sums.as_value().eq(Cat(sums))
        return m

    def offset(self, m: Module) -> list[Signal]:
        """Slices of the active tile's offsets, from the clock after `swap` on."""
        bits = self.rows.bit_length()
        shadow, active = ([Signal(self.columns, name=f"{name}_{i}", reset_less=True)
                           for i in range(bits)]
                          for name in ("shadow_offset", "offset"))  # fmt: skip
        carry = Signal(self.columns, name="counted")
        m.d.comb += carry.eq(
            self.row_mask
            & (self.row_sign | self.bipolar.replicate(self.columns))
            & self.row_en.replicate(self.columns)
        )
        for digit in shadow:
            kept, carried = Signal(self.columns, name="kept"), Signal(self.columns, name="carried")
            m.d.comb += [kept.eq(digit & ~self.clear.replicate(self.columns)),
                         carried.eq(kept & carry)]  # fmt: skip
            m.d.sync += digit.eq(kept ^ carry)
            carry = carried
        with m.If(self.swap):
            m.d.sync += [a.eq(s) for a, s in zip(active, shadow, strict=True)]
        return active

    def by_column(self, m: Module, slices: list, name: str) -> list[Signal]:
        """The numbers, column by column, whose slices these are."""
        numbers = [Signal(len(slices), name=f"{name}_{c}") for c in range(self.columns)]
        m.d.comb += [number.eq(Cat(s[c] for s in slices)) for c, number in enumerate(numbers)]
        return numbers
