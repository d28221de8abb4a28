"""Splits a transfer of consecutive beats into AXI bursts and counts their beats."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.timing import OUTSTANDING


def split_bursts(config: Config, address: int, beats: int) -> list[tuple[int, int]]:
    """(address, beats) of every burst: what `BurstSplitter` gives."""
    result = []
    while beats:
        count = min(beats, (config.burst_bytes - address % config.burst_bytes) // config.bus_bytes)
        result.append((address, count))
        address, beats = address + count * config.bus_bytes, beats - count
    return result


class BurstSplitter(wiring.Component):
    """Bursts that never cross a multiple of `config.burst_bytes`, and the beats that they carry.

    `start` takes `address` (bytes, a multiple of the bus width) and `beats` (> 0). From the second
    clock after it on, while `more`, `burst_address` and `burst_length` (beats - 1) describe the
    next burst; `issue` says that it was asked for. OUTSTANDING may be, while beats of earlier ones
    are to come: `open` says that of those asked for some are; `beat` counts one, `last` says that
    it is its burst's last, and `final` that it is the transfer's. `wraps` says from the clock after
    `start` on that the transfer passes the end of the address space.

    Only the first burst begins, and only the last one ends, elsewhere than at a boundary.
    """

    def __init__(self, config: Config):
        self.config = config
        super().__init__({
            "start": In(1),
            "address": In(32),
            "beats": In(24),
            "issue": In(1),
            "beat": In(1),
            "more": Out(1),
            "burst_address": Out(32),
            "burst_length": Out(8),
            "open": Out(1),
            "last": Out(1),
            "final": Out(1),
            "wraps": Out(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        beat_bits = log2(self.config.bus_bytes)
        burst_bits = log2(self.config.burst_bytes) - beat_bits
        full = (1 << burst_bits) - 1

        first, end = Signal(32 - beat_bits), Signal(33 - beat_bits)  # beats of the transfer
        begun = Signal()  # the clock after `start`
        low, high = Signal(burst_bits), Signal(32 - beat_bits - burst_bits)  # of the next burst
        after = Signal.like(high)  # the boundary behind it
        last_low, last_high = Signal.like(low), Signal.like(high)  # the transfer's last beat
        m.d.comb += [
            self.wraps.eq(end[-1]),
            last_low.eq(end), last_high.eq(end >> burst_bits),
            self.burst_address.eq(Cat(Const(0, beat_bits), low, high)),
        ]  # fmt: skip

        # addresses
        m.d.sync += begun.eq(self.start)
        with m.If(begun):
            m.d.sync += [
                low.eq(first), high.eq(first >> burst_bits), after.eq((first >> burst_bits) + 1),
                self.burst_length.eq(
                    Mux(first >> burst_bits == last_high, last_low, full) - first[:burst_bits]
                ),
                self.more.eq(1),
            ]  # fmt: skip
        with m.Elif(self.issue):
            m.d.sync += [
                low.eq(0), high.eq(after), after.eq(after + 1),
                self.burst_length.eq(Mux(after == last_high, last_low, full)),
                self.more.eq(high != last_high),
            ]  # fmt: skip

        # beats
        bursts = Signal(range(OUTSTANDING + 1))  # open ones
        following = Signal(burst_bits)  # place of the beat behind the next one
        at_boundary, at_end = Signal(), Signal()  # the next one's place is the last of a burst
        m.d.comb += [
            self.open.eq(bursts != 0),
            self.final.eq(at_end & (bursts == 1) & ~self.more),
            self.last.eq(at_boundary | self.final),
        ]
        m.d.sync += bursts.eq(bursts + self.issue - (self.beat & self.last))
        with m.If(self.beat):
            m.d.sync += [
                following.eq(following + 1), at_boundary.eq(following == full),
                at_end.eq(following == last_low),
            ]  # fmt: skip
        with m.If(begun):
            m.d.sync += [
                following.eq(first + 1), at_boundary.eq(first[:burst_bits] == full),
                at_end.eq(first[:burst_bits] == last_low),
            ]  # fmt: skip
        with m.If(self.start):
            position = self.address >> beat_bits
            m.d.sync += [
                first.eq(position), end.eq(position + self.beats - 1), bursts.eq(0),
                self.more.eq(0),
            ]  # fmt: skip
        return m
