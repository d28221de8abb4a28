"""Partial sums of a strip: one word of C accumulators a pixel."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2


class PartialSums(wiring.Component):
    """sum[address] = (first ? 0 : sum[address]) + values, for every `i_valid`, any number in a row.

    `o_values` (C signed accumulators) show the new sum LATENCY = 2 clocks after the input and keep
    it until the next one; `o_valid` marks the sums that leave (`i_emit`), and `o_early` does so one
    clock earlier, with `o_early_end`; `o_end`, `o_final` are `i_end`, `i_final` beside `o_valid`.
    The same address may come in neighbouring clocks (pooling does): the sum on its way to the
    memory is forwarded.
    """

    LATENCY = 2

    def __init__(self, config: Config, value_width: int):
        self.config = config
        values = data.ArrayLayout(signed(value_width), config.columns)
        sums = data.ArrayLayout(signed(config.accumulator_bits), config.columns)
        super().__init__({
            "i_valid": In(1), "i_address": In(max(1, log2(config.psum_depth))),
            "i_first": In(1), "i_emit": In(1), "i_end": In(1), "i_final": In(1),
            "i_values": In(values),
            "o_early": Out(1), "o_early_end": Out(1),
            "o_valid": Out(1), "o_end": Out(1), "o_final": Out(1), "o_values": Out(sums),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        layout = self.o_values.shape()
        m.submodules.store = store = memory.Memory(
            shape=layout, depth=self.config.psum_depth, init=[]
        )
        read, write = store.read_port(), store.write_port()
        # clock n: read; clock n + 1: add and write; clock n + 2: the sum is at the output
        valid, first, emit, end, final = (Signal() for _ in range(5))
        address, written = Signal.like(self.i_address), Signal.like(self.i_address)
        values = Signal.like(self.i_values)
        m.d.comb += [read.addr.eq(self.i_address), read.en.eq(self.i_valid)]
        m.d.sync += [
            valid.eq(self.i_valid), address.eq(self.i_address), first.eq(self.i_first),
            emit.eq(self.i_emit), end.eq(self.i_end), final.eq(self.i_final),
            values.eq(self.i_values),
        ]  # fmt: skip
        total = Signal(layout)
        forward = Signal()  # `o_values` is what stands, or will stand, at this address
        m.d.comb += forward.eq(written == address)
        width = self.config.accumulator_bits
        bases = [Mux(first, 0, Mux(forward, self.o_values[c], read.data[c]))
                 for c in range(self.config.columns)]  # fmt: skip
        m.d.comb += total.as_value().eq(
            Cat((base + value)[:width] for base, value in zip(bases, values, strict=True))
        )
        m.d.comb += [write.addr.eq(address), write.data.eq(total), write.en.eq(valid)]
        m.d.comb += [self.o_early.eq(valid & emit), self.o_early_end.eq(end)]
        m.d.sync += self.o_valid.eq(valid & emit)
        with m.If(valid):
            m.d.sync += [written.eq(address), self.o_values.eq(total),
                         self.o_end.eq(end), self.o_final.eq(final)]  # fmt: skip
        return m
