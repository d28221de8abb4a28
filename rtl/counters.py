"""The performance counters: wide ones in a memory, brought up to date one after the other."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.registers import COUNTER_BITS, COUNTERS, READ_COUNTERS, Cause

SLOTS = 32
"""Clocks from one update of a counter to the next."""


class Counters(wiring.Component):
    """COUNTERS of hfn_accel.registers, one a slot, in order.

    They are cleared by `start` and count from the next clock on: each clock with `cause` != 0
    one cycle in total and one of its cause; `read_beat` one bus beat of `read_class`; `write_beat`
    `write_bytes`; `plane` one plane. `value` is counter `slot` (0 for one that does not exist) as
    it was LATENCY clocks before; slots follow each other, one a clock.

    Each counter has a few fast bits of its own, which overflow in more than SLOTS clocks; when its
    slot comes, the memory's word takes them over, and its other bits count their overflow.
    """

    LATENCY = 4
    INPUTS = {
        "start": In(1), "cause": In(4), "read_class": In(3), "read_beat": In(1),
        "write_beat": In(1), "write_bytes": In(5), "plane": In(1),
    }  # fmt: skip

    def __init__(self, config: Config):
        self.config = config
        super().__init__({**self.INPUTS, "slot": Out(range(SLOTS)), "value": Out(COUNTER_BITS)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=COUNTER_BITS, depth=SLOTS, init=[], attrs={"no_rw_check": 1}
        )
        source, target = memory.read_port(), memory.write_port()
        fast = self._fast(m)
        slots = [Signal(range(SLOTS), name=f"slot_{clock}") for clock in range(3)]
        left = Signal(range(SLOTS + 1), init=SLOTS)  # words to clear
        fresh, new = Signal(), Signal.like(fast[0])
        m.d.sync += [
            # the next word is read, together with its counter's fast bits
            slots[0].eq(slots[0] + 1),
            slots[1].eq(slots[0]),
            fresh.eq(left != 0),
            # the word is brought up to date
            slots[2].eq(slots[1]),
            self.value.eq(Cat(new, Mux(fresh, 0, source.data[len(new) :]
                                       + (new < source.data[: len(new)])))),
        ]  # fmt: skip
        m.d.comb += [
            source.addr.eq(slots[0]),
            self.slot.eq(slots[2]),
            target.addr.eq(slots[2]), target.data.eq(self.value), target.en.eq(1),
        ]  # fmt: skip
        with m.Switch(slots[0]):
            for i, counter in enumerate(fast):
                with m.Case(i):
                    m.d.sync += new.eq(counter)
            with m.Default():
                m.d.sync += new.eq(0)
        with m.If(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.If(self.start):
            m.d.sync += left.eq(SLOTS)
        return m

    def _fast(self, m) -> list:
        """The lowest bits of every counter; those of whole beats leave out the bits that stay 0."""
        beat_bits = log2(self.config.bus_bytes)
        bits = log2(SLOTS) + 1 + beat_bits
        counts = {"CYCLES": (self.cause != 0, 1, 0), "PLANES": (self.plane, 1, 0),
                  "BYTES_ACTIVATION_WRITE": (self.write_beat, self.write_bytes, 0)}  # fmt: skip
        for cause in Cause:
            if cause != Cause.IDLE:
                counts[f"CYCLES_{cause.name}"] = (self.cause == cause, 1, 0)
        for read_class, name in READ_COUNTERS.items():
            counts[name] = (self.read_beat & (self.read_class == read_class), 1, beat_bits)
        amount = Signal(5)
        m.d.sync += amount.eq(self.write_bytes)
        fast = []
        for name in COUNTERS:
            condition, step, zeros = counts[name]
            counter = Signal(bits - zeros, name=name.lower())
            enable = Signal(name=f"{name.lower()}_counts")
            m.d.sync += enable.eq(condition & ~self.start)
            with m.If(self.start):
                m.d.sync += counter.eq(0)
            with m.Elif(enable):
                m.d.sync += counter.eq(counter + (amount if step is self.write_bytes else step))
            fast.append(Cat(Const(0, zeros), counter))
        assert len(fast) <= SLOTS
        return fast
