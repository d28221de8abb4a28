"""Partial sums of a strip: one word of C accumulators a pixel."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2

from .memory import RAM_ATTRIBUTES


class PartialSums(wiring.Component):
    """sum[address] = (first ? 0 : sum[address]) + values, for every `i_valid`, any number in a row.

    `o_values` (C signed accumulators) show the new sum LATENCY = 3 clocks after the input and keep
    it until the next one; `o_valid` marks the sums that leave (`i_emit`), and `o_early` does so one
    clock earlier, with `o_early_end`; `o_end`, `o_final` are `i_end`, `i_final` beside `o_valid`.
    The same address may come in neighbouring clocks (pooling does): sums on their way to the memory
    are forwarded.
    """

    LATENCY = 3

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
        # A sum is never read in the clock in which it is written and then used: see `older`.
        m.submodules.store = store = memory.Memory(
            shape=layout, depth=self.config.psum_depth, init=[], attrs=RAM_ATTRIBUTES
        )
        read, write = store.read_port(), store.write_port()
        m.d.comb += [read.addr.eq(self.i_address), read.en.eq(self.i_valid)]

        # clock n: read; n + 1: the memory answers; n + 2: add and write; n + 3: at the output
        flags, values = (self.i_emit, self.i_end, self.i_final), [self.i_values]
        for i in range(2):
            before, flags = flags, [Signal(name=f"{f.name}_{i + 1}") for f in flags]
            m.d.sync += [flag.eq(f) for flag, f in zip(flags, before, strict=True)]
            values.append(Signal.like(self.i_values, name=f"values_{i + 1}", reset_less=True))
            m.d.sync += values[-1].eq(values[-2])
        emit, end, final = flags
        asked, valid, first = Signal(), Signal(), Signal()
        m.d.sync += [asked.eq(self.i_valid), valid.eq(asked), first.eq(self.i_first)]

        # `newest` is the address of the latest sum before `address`, whether it is at the output
        # or still to be added.
        address, newest = Signal.like(self.i_address), Signal.like(self.i_address)
        with m.If(self.i_valid):
            m.d.sync += address.eq(self.i_address)
        with m.If(asked):
            m.d.sync += newest.eq(address)
        is_older, is_newest = Signal(), Signal()
        m.d.sync += [is_older.eq(self.i_address == newest),
                     is_newest.eq(~first & (address == newest))]  # fmt: skip
        stored, older, total = (Signal(layout, name=n) for n in ("stored", "older", "total"))
        m.d.sync += [
            stored.as_value().eq(Mux(first | is_older, 0, read.data.as_value())),
            older.as_value().eq(Mux(first | ~is_older, 0, self.o_values.as_value())),
        ]
        width = self.config.accumulator_bits
        bases = [Mux(is_newest, output, a | b)
                 for output, a, b in zip(self.o_values, stored, older, strict=True)]  # fmt: skip
        m.d.comb += total.as_value().eq(
            Cat((base + value)[:width] for base, value in zip(bases, values[-1], strict=True))
        )
        m.d.comb += [write.addr.eq(newest), write.data.eq(total), write.en.eq(valid)]
        m.d.comb += [self.o_early.eq(valid & emit), self.o_early_end.eq(end)]
        m.d.sync += self.o_valid.eq(valid & emit)
        with m.If(valid):
            m.d.sync += [self.o_values.eq(total), self.o_end.eq(end), self.o_final.eq(final)]
        return m
