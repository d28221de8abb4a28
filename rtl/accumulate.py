"""Bit-serial accumulation: the planes of a pixel, most significant first, become one number."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from .array import sums_layout

MAX_PLANES = 8


def accumulate(planes) -> int:
    """The pixel's value from its planes' sums, most significant plane first."""
    value = 0
    for s in planes:
        value = 2 * value + s
    return value


class PlaneAccumulator(wiring.Component):
    """For each `i_valid`, in each column: value = (i_first ? 0 : 2 * value) + i_sums.

    `i_first` marks the first plane of a pixel and `i_last` its last (both if it has one plane).
    `o_valid` comes LATENCY = 1 clock after the last plane, with the pixel's `accumulate(planes)`
    in `o_values`, which stay until the next `i_valid`. Planes come every clock or with gaps.

    `o_values` are `width` bits, enough for the MAX_PLANES = 8 planes of an activation. Only
    `accumulator_bits` of them are kept in registers, the partial sums being no wider; if that is
    fewer, `o_values` are exact modulo 2^accumulator_bits.
    """

    LATENCY = 1

    def __init__(self, rows: int, columns: int, accumulator_bits: int):
        sums = sums_layout(rows, columns)
        self.columns = columns
        self.width = sums.elem_shape.width + MAX_PLANES
        self.kept = min(self.width, accumulator_bits)
        super().__init__(
            {
                "i_sums": In(sums),
                "i_valid": In(1),
                "i_first": In(1),
                "i_last": In(1),
                "o_values": Out(ArrayLayout(signed(self.width), columns)),
                "o_valid": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o_valid.eq(self.i_valid & self.i_last)
        values = [Signal(signed(self.kept), name=f"value_{c}", reset_less=True)
                  for c in range(self.columns)]  # fmt: skip
        with m.If(self.i_valid):
            m.d.sync += [
                value.eq(Mux(self.i_first, 0, value << 1) + sums)
                for value, sums in zip(values, self.i_sums, strict=True)
            ]
        whole = (Cat(value, value[-1].replicate(self.width - self.kept)) for value in values)
        m.d.comb += self.o_values.as_value().eq(Cat(whole))
        return m
