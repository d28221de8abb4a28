"""Splits a transfer of consecutive beats into AXI bursts and counts their beats."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2


def split_bursts(config: Config, address: int, beats: int) -> list[tuple[int, int]]:
    """(address, beats) of every burst: what `BurstSplitter` gives, `timing.bursts` of them."""
    result = []
    while beats:
        count = min(beats, (config.burst_bytes - address % config.burst_bytes) // config.bus_bytes)
        result.append((address, count))
        address, beats = address + count * config.bus_bytes, beats - count
    return result


class BurstSplitter(wiring.Component):
    """Bursts that never cross a multiple of `config.burst_bytes`.

    `start` takes `address` (bytes, a multiple of the bus width) and `beats` (> 0). From the next
    clock on `burst_address` and `burst_length` (beats - 1) describe the next burst; `issue` says
    that it was asked for. From then on `final` says that it is the transfer's last, and `last`
    that its next data beat is its last; `beat` counts one. The next burst shows meanwhile.
    """

    def __init__(self, config: Config):
        self.config = config
        super().__init__({
            "start": In(1),
            "address": In(32),
            "beats": In(24),
            "issue": In(1),
            "beat": In(1),
            "burst_address": Out(32),
            "burst_length": Out(8),
            "last": Out(1),
            "final": Out(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        beat_bits = log2(self.config.bus_bytes)
        burst_bits = log2(self.config.burst_bytes) - beat_bits

        position = Signal(32 - beat_bits)  # where the next burst begins, in beats
        left = Signal(24)  # beats that no burst asked for yet - 1
        to_boundary = Signal(burst_bits)  # beats to the next boundary - 1
        more = Signal()  # the next burst is not the last
        count = Signal(burst_bits)  # beats of the burst in flight - 1
        m.d.comb += [
            to_boundary.eq(~position[:burst_bits]),
            more.eq(left > to_boundary),
            self.burst_length.eq(Mux(more, to_boundary, left)),
            self.burst_address.eq(position << beat_bits),
            self.last.eq(count == 0),
        ]
        with m.If(self.start):
            m.d.sync += [position.eq(self.address >> beat_bits), left.eq(self.beats - 1)]
        with m.If(self.beat):
            m.d.sync += count.eq(count - 1)
        with m.If(self.issue):
            m.d.sync += [
                count.eq(self.burst_length),
                self.final.eq(~more),
                left.eq(left - self.burst_length - 1),
                position.eq(position + self.burst_length + 1),
            ]
        return m
