"""Requantisation: the arithmetic of docs/arithmetic.md in hardware.

The integer function that it must equal is `hfn_accel.arithmetic.requantise`.
"""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.arithmetic import SUM_BITS
from hfn_accel.config import Config

PARAMETER = data.StructLayout({"multiplier": signed(16), "residual": signed(16),
                               "bias": signed(32)})  # fmt: skip


class Requantiser(wiring.Component):
    """y = clamp((acc*M + r*Mr + B + 2^(S-1)) >> S, 0, 2^a - 1) for U channels a clock.

    `i_accumulators` (U signed), `i_residuals` (U unsigned 8 bits, 0 where there is none) and
    `i_parameters` (U records) with `i_valid`; `o_values` (U unsigned 8 bits) with `o_valid`
    LATENCY = 4 clocks later, one group a clock without any flow control. `shift` (1...47) and
    `bits` (1...8) are constant while a layer runs. No intermediate exceeds SUM_BITS.
    """

    LATENCY = 4

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

    def elaborate(self, platform):
        m = Module()
        half = Signal(SUM_BITS - 1)  # 2^(S-1)
        top = Signal(8)  # 2^a - 1
        m.d.sync += [half.eq((1 << self.shift)[1:]), top.eq((1 << self.bits) - 1)]
        valid = Signal(self.LATENCY)
        m.d.sync += valid.eq((valid << 1) | self.i_valid)
        m.d.comb += self.o_valid.eq(valid[-1])
        for u in range(self.config.units):
            # clock 1: operands
            acc = Signal(signed(self.config.accumulator_bits))
            residual = Signal(8)
            parameter = Signal(PARAMETER)
            m.d.sync += [acc.eq(self.i_accumulators[u]), residual.eq(self.i_residuals[u]),
                         parameter.eq(self.i_parameters[u])]  # fmt: skip
            # clock 2: products
            product = Signal(signed(self.config.accumulator_bits + 16))
            branch = Signal(signed(25))
            bias = Signal(signed(32))
            m.d.sync += [product.eq(acc * parameter.multiplier),
                         branch.eq(residual * parameter.residual),
                         bias.eq(parameter.bias)]  # fmt: skip
            # clock 3: sum
            total = Signal(signed(SUM_BITS))
            m.d.sync += total.eq((product + branch) + (bias + half))
            # clock 4: shift and clamp
            scaled = Signal(signed(SUM_BITS))
            m.d.comb += scaled.eq(total >> self.shift)
            m.d.sync += self.o_values[u].eq(Mux(scaled < 0, 0, Mux(scaled > top, top, scaled)))
        return m
