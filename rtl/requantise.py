"""Requantisation: the arithmetic of docs/arithmetic.md in hardware.

The integer function that it must equal is `hfn_accel.arithmetic.requantise`.
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.arithmetic import BIAS_BITS, MULTIPLIER_BITS
from hfn_accel.config import Config
from hfn_accel.timing import REQUANTISE_CYCLES

PARAMETER = data.StructLayout({"multiplier": signed(MULTIPLIER_BITS),
                               "residual": signed(MULTIPLIER_BITS),
                               "bias": signed(BIAS_BITS)})  # fmt: skip

LOW = 17
"""Bits of an accumulator that one multiplier of 18 x 18 bits takes, unsigned; another takes the
rest. The widths at which a product fits that of most FPGAs."""


class Requantiser(wiring.Component):
    """y = clamp((acc*M + r*Mr + B + 2^(S-1)) >> S, 0, 2^a - 1) for U channels a clock.

    `i_accumulators` (U signed), `i_residuals` (U unsigned 8 bits, 0 where there is none) and
    `i_parameters` (U records) with `i_valid`; `o_values` (U unsigned 8 bits) with `o_valid`
    LATENCY clocks later, one group a clock without any flow control. `shift` (1...47) and `bits`
    (1...8) are constant while a layer runs.

    Between two registers there is one multiplier, one adder, or a shift by one base-4 digit. The
    half is added behind the shift: (x + 2^(S-1)) >> S = ((x >> (S-1)) + 1) >> 1. A negative x gives
    0, so that nothing needs its sign but the clamp; what a shift leaves out above is only asked
    whether it is 0.
    """

    LATENCY = REQUANTISE_CYCLES

    def __init__(self, config: Config):
        self.config = config
        units = config.units
        accumulators = data.ArrayLayout(signed(config.accumulator_bits), units)
        super().__init__({
            "shift": In(6), "bits": In(4),
            "i_valid": In(1), "i_accumulators": In(accumulators),
            "i_residuals": In(data.ArrayLayout(8, units)),
            "i_parameters": In(data.ArrayLayout(PARAMETER, units)),
            "o_valid": Out(1), "o_values": Out(data.ArrayLayout(8, units)),
        })  # fmt: skip

    @staticmethod
    def sum_bits(accumulator_bits: int) -> int:
        """Bits of a signed integer that holds every sum of products and bias."""
        factor = 1 << (MULTIPLIER_BITS - 1)
        largest = (1 << (accumulator_bits - 1)) * factor + 255 * factor + (1 << (BIAS_BITS - 1))
        return largest.bit_length() + 1

    def elaborate(self, platform):
        m = Module()
        width = self.sum_bits(self.config.accumulator_bits)
        before = Signal(6)  # the shift before the half is added
        top = Signal(9)  # 2^a - 1
        m.d.sync += [before.eq(self.shift - 1), top.eq((1 << self.bits) - 1)]
        valid = Signal(self.LATENCY)
        m.d.sync += valid.eq((valid << 1) | self.i_valid)
        m.d.comb += self.o_valid.eq(valid[-1])

        def register(value, name):
            held = Signal(value.shape(), name=name)
            m.d.sync += held.eq(value)
            return held

        for u in range(self.config.units):
            # clock 1: operands
            acc = register(self.i_accumulators[u], "acc")
            residual = register(self.i_residuals[u], "residual")
            multiplier, factor, bias = (
                register(self.i_parameters[u][n], n) for n in ("multiplier", "residual", "bias")
            )
            # clock 2: products
            wide = len(acc) > LOW + 1
            low = register((acc[:LOW] if wide else acc) * multiplier, "low")
            high = register(acc[LOW:].as_signed() * multiplier, "high") if wide else 0
            branch, bias = register(residual * factor, "branch"), register(bias, "bias")
            # clock 3: two sums, one of which counts 2^LOW but for its lowest bits
            upper, lower = register((branch >> LOW) + high, "upper"), register(low + bias, "lower")
            rest = register(branch[:LOW], "rest")
            # clock 4: the sum
            total = register((Cat(rest, upper).as_signed() + lower)[:width], "total")
            # clock 5: without its sign, shifted by multiples of 16 and 4
            x, coarse = shifted(total[:-1], before[4:], 16, 9 + 15)
            x, middle = shifted(x, before[2:4], 4, 9 + 3)
            negative, over = register(total[-1], "negative"), register(coarse | middle, "over")
            # clock 6: shifted to twice the value
            x, fine = shifted(register(x, "middle"), before[:2], 1, 9)
            negative, over = register(negative, "negative"), register(over | fine, "over")
            # clock 7: round and clamp
            rounded = (register(x, "doubled") + 1)[1:]
            over = over | (rounded & ~top).any()
            m.d.sync += self.o_values[u].eq(Mux(negative, 0, Mux(over, top, rounded)))
        return m


def shifted(value, digit, step: int, bits: int):
    """`bits` bits of `value` (unsigned) >> `digit` * `step`, and whether there is a 1 above."""
    choices = [value[step * i :] for i in range(1 << len(digit))]
    whole = Array(choices)[digit]
    return whole[:bits], whole[bits:].any()
