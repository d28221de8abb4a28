"""Splits a transfer of consecutive beats into AXI bursts and counts their beats."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2


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

    `start` takes `address` (bytes, a multiple of the bus width) and `beats` (> 0). From the next
    clock on, while `more`, `burst_address` and `burst_length` (beats - 1) describe the next burst;
    `issue` says that it was asked for. Any number may be, while beats of earlier ones are to come:
    `open` says that of those asked for some are; `beat` counts one, `last` says that it is its
    burst's last, and `final` that it is the transfer's.
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
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        beat_bits = log2(self.config.bus_bytes)
        burst_bits = log2(self.config.burst_bytes) - beat_bits

        position = Signal(32 - beat_bits)  # where the next burst begins, in beats
        unasked = Signal(24)  # beats that no burst asked for yet
        place = Signal(burst_bits)  # of the next beat
        uncome = Signal(24)  # beats to come
        to_boundary = Signal(burst_bits)  # beats to the next boundary - 1
        m.d.comb += [
            to_boundary.eq(~position[:burst_bits]),
            self.more.eq(unasked != 0),
            self.burst_length.eq(Mux(unasked > to_boundary, to_boundary, unasked - 1)),
            self.burst_address.eq(position << beat_bits),
            self.open.eq(unasked != uncome),
            self.final.eq(uncome == 1),
            self.last.eq(self.final | place.all()),
        ]
        with m.If(self.issue):
            m.d.sync += [
                unasked.eq(unasked - self.burst_length - 1),
                position.eq(position + self.burst_length + 1),
            ]
        with m.If(self.beat):
            m.d.sync += [uncome.eq(uncome - 1), place.eq(place + 1)]
        with m.If(self.start):
            m.d.sync += [
                position.eq(self.address >> beat_bits),
                place.eq(self.address >> beat_bits),
                unasked.eq(self.beats),
                uncome.eq(self.beats),
            ]
        return m
