"""CRC-32 of a stream of bus beats, as `zlib.crc32` computes it."""

from functools import lru_cache

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config

POLYNOMIAL = 0xEDB88320  # of IEEE 802.3, bits reversed: bit 0 of a byte comes first
BITS = 32
ONES = (1 << BITS) - 1


def advance(state: int, width: int) -> int:
    """The register, so many bits of zeros later."""
    for _ in range(width):
        state = (state >> 1) ^ (POLYNOMIAL if state & 1 else 0)
    return state


def absorb(state: int, beat: int, width: int) -> int:
    """The register behind a beat of `width` bits."""
    for i in range(width):
        state = advance(state ^ (beat >> i & 1), 1)
    return state


def crc32(beats, width: int) -> int:
    """What `Crc` shows behind these beats."""
    state = ONES
    for beat in beats:
        state = absorb(state, beat, width)
    return state ^ ONES


RESIDUE = crc32([0], BITS)
"""CRC-32 of anything with its own CRC-32 behind it, least significant byte first."""


@lru_cache
def columns(width: int, of_state: bool) -> tuple[int, ...]:
    """The register behind a beat is linear: what each of its bits, or each bit of the beat, adds
    to it, a word each."""
    if of_state:
        return tuple(advance(1 << i, width) for i in range(BITS))
    return tuple(absorb(0, 1 << i, width) for i in range(width))


class Crc(wiring.Component):
    """A beat a clock; `crc` is that of all beats since `clear`, LATENCY clocks behind the last.

    `clear` begins anew: it comes in a clock without `valid`, LATENCY clocks behind the last beat
    at the earliest.
    """

    LATENCY = 2

    def __init__(self, config: Config):
        self.width = config.axi_data_width
        super().__init__({
            "clear": In(1), "valid": In(1), "data": In(self.width), "crc": Out(BITS),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        state, beat = Signal(BITS, init=ONES), Signal(BITS)
        new = Signal()
        m.d.sync += [new.eq(self.valid), beat.eq(_sum(columns(self.width, False), self.data))]
        with m.If(self.clear):
            m.d.sync += state.eq(ONES)
        with m.Elif(new):
            m.d.sync += state.eq(_sum(columns(self.width, True), state) ^ beat)
        m.d.comb += self.crc.eq(~state)
        return m


def _sum(matrix: tuple[int, ...], vector):
    """Sum, bit by bit, of the columns where the vector has a 1."""
    return Cat(
        Cat(bit for bit, column in zip(vector, matrix, strict=True) if column >> row & 1).xor()
        for row in range(BITS)
    )
