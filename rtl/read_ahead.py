"""Consecutive words of a memory as a stream, however late the memory answers."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class ReadAhead(wiring.Component):
    """Words from `first` on, a word a clock as `o_ready` allows, until the next `start`.

    `start` (a pulse at any time) asks for word `first` in the same clock; `o_valid` rises `latency`
    clocks later, and falls only in the clock after a `start`. Words that were asked for before and
    not taken are dropped.

    The memory is asked for word `place` in every clock with `advance`, and answers with `i_data`
    `latency` clocks of `advance` later: without it, all of its registers must stand still, its
    output too. `advance` depends on `start` and a register only; the word that is on offer in the
    clock before it falls is kept here.
    """

    def __init__(self, width: int, place_bits: int, latency: int):
        self.latency = latency
        super().__init__({
            "start": In(1), "first": In(place_bits),
            "place": Out(place_bits), "advance": Out(1), "i_data": In(width),
            "o_valid": Out(1), "o_data": Out(width), "o_ready": In(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        following, kept = Signal.like(self.place), Signal.like(self.o_data)
        asked = Signal(self.latency)  # words that are on their way, or there
        flows = Signal(init=1)
        m.d.comb += [
            self.place.eq(Mux(self.start, self.first, following)),
            self.advance.eq(self.start | flows),
            self.o_valid.eq(asked[-1]),
            self.o_data.eq(Mux(flows, self.i_data, kept)),
        ]
        m.d.sync += flows.eq(self.start | self.o_ready | (flows & ~self.o_valid))
        with m.If(flows):
            m.d.sync += [kept.eq(self.i_data), asked.eq((asked << 1) | asked[0])]
        with m.If(self.advance):
            m.d.sync += following.eq(self.place + 1)
        with m.If(self.start):
            m.d.sync += asked.eq(1)
        return m
