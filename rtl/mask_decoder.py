"""Turns a mask stream into planes in the mask buffer, one unit of one plane a clock."""

from amaranth import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.huffman import MAX_LENGTH, ORDER, TABLES
from hfn_accel.units import UNIT, unit_bits

from .descriptor import CONV
from .sign_generator import PATTERN_OFFSETS, SignGenerator

WORD = 16
"""Bits that go from the waiting beat to the window in a clock."""

WINDOW = 2 * WORD + MAX_LENGTH
"""A word is added below 2 * WORD bits, so MAX_LENGTH bits remain behind any code."""


def unit_address_bits(config: Config) -> int:
    """Width of a unit's address in the mask buffer."""
    return log2(config.mask_bytes * 8 // unit_bits(config))


class MaskDecoder(wiring.Component):
    """Writes a CONV's planes into the mask buffer, as `hfn_accel.codec.decode` reads the stream.

    `start` (a pulse while not busy) begins with the layer in `conv`, which is held until `busy`
    falls; the DMA is started with `mask_beats` > 0 in the same clock. `busy` is high from the clock
    after `start` to that of the last write, inclusive.

    Stream in: `i_valid`, `i_data`, `i_last`, `i_ready`. A plain stream (`codec.is_plain`) is
    taken a beat a clock. A coded one passes through a beat and a window of WINDOW bits, which give
    a unit of one plane a clock, without a gap if a beat comes whenever `i_ready` is high. With the
    first beat latency + 1 clocks after `start`, `busy` is low for the first time
    `durations.decode_cycles(units, planes, latency)` (`durations.plain_cycles(beats, latency)`)
    clocks after `start`.

    Writes: `w_en`, `w_addr` in units, `w_data`; `w_wide` for a whole beat, else the lowest bits
    are a unit. They come LATENCY clocks behind the beat or the decoded bits. Where is written
    does not depend on the stream: `out_tiles` tiles of each plane, each from a whole beat on,
    planes `plane_beats` apart; a plain stream fills at most `plane_beats` beats.

    Errors: none are signalled. Any bits decode to something. Beats behind the last unit are taken
    and dropped. Behind `i_last`, the first unit that lacks bits is the end: `busy` falls, the rest
    stays as it was. `abort` is the end at once (`busy` is low in the clock after it); a DMA that
    stops short of `i_last`, for an error, needs it.
    """

    LATENCY = 1

    def __init__(self, config: Config):
        self.config = config
        super().__init__({
            "start": In(1),
            "abort": In(1),
            "conv": In(CONV),
            "busy": Out(1),
            "wrong": Out(1),
            "i_valid": In(1),
            "i_data": In(config.axi_data_width),
            "i_last": In(1),
            "i_ready": Out(1),
            "w_en": Out(1),
            "w_wide": Out(1),
            "w_addr": Out(unit_address_bits(config)),
            "w_data": Out(config.axi_data_width),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        conv, size = self.conv, unit_bits(self.config)
        units, words = self.config.columns // size, self.config.axi_data_width // WORD
        frozen, plain = Signal(), Signal()
        m.d.comb += [
            frozen.eq((conv.pruned != 0) | (conv.locked != 0)),
            plain.eq((conv.coats == 1) & (conv.signs == 0) & (conv.code == 0) & ~frozen),
        ]

        # Bits: a beat gives word after word to the window, whose first bit is the next to decode.
        walking = Signal()  # units are left
        pending = Signal()  # beats are left
        primed = Signal()  # the first word is in the window
        beat = Signal(self.config.axi_data_width)
        left = Signal(range(words + 1))  # words of the beat
        window, fill = Signal(WINDOW), Signal(range(WINDOW + 1))
        accept, take, advance = Signal(), Signal(), Signal()
        length, value = Signal(4), Signal(size)
        added = Mux(take, beat[:WORD] << fill[: log2(2 * WORD)], 0)
        m.d.comb += [
            self.i_ready.eq(pending & (plain | ~walking | (left == 0) | (take & (left == 1)))),
            accept.eq(self.i_valid & self.i_ready),
            take.eq((left != 0) & (fill < 2 * WORD)),
            advance.eq(walking & Mux(plain, accept, primed & (length <= fill))),
        ]
        m.d.sync += fill.eq(fill + Mux(take, WORD, 0) - Mux(advance, length, 0))
        m.d.sync += window.eq((window | added) >> Mux(advance, length, 0))
        with m.If(take):
            m.d.sync += [primed.eq(1), left.eq(left - 1), beat.eq(beat >> WORD)]
        with m.If(accept):
            m.d.sync += pending.eq(~self.i_last)
            with m.If(~plain):
                m.d.sync += [left.eq(words), beat.eq(self.i_data)]

        # The walk, from the innermost loop on; a plain stream is one tile of beats.
        plane, unit, row, tile = Signal(3), Signal(range(max(2, units))), Signal(20), Signal(12)
        last_plane, last_unit, last_row, last_tile = (Signal() for _ in range(4))
        m.d.comb += [
            last_plane.eq(plain | (plane == (conv.coats + (conv.signs != 0) - 1)[:3])),
            last_unit.eq(plain | (unit == units - 1)),
            last_row.eq(row == (Mux(plain, conv.plane_beats, conv.fan_in) - 1)[:20]),
            last_tile.eq(plain | (tile == (conv.out_tiles - 1)[:12])),
        ]
        ends = [advance]  # of a plane's unit, of all planes' unit, of row, tile and layer
        for name, counter, last in (
            ("planes", plane, last_plane), ("row", unit, last_unit),
            ("tile", row, last_row), ("layer", tile, last_tile),
        ):  # fmt: skip
            with m.If(ends[-1]):
                m.d.sync += counter.eq(Mux(last, 0, counter + 1))
            ends.append(Signal(name=f"end_{name}"))
            m.d.comb += ends[-1].eq(ends[-2] & last)
        _, end_planes, end_row, end_tile, end_layer = ends

        beat_bits = log2(self.config.axi_data_width // size)
        place = Signal.like(self.w_addr)  # of the unit in plane 0
        plane_beat = Signal(len(place) - beat_bits)  # the plane's distance from plane 0
        m.d.sync += [
            self.w_en.eq(advance),
            self.w_wide.eq(plain),
            self.w_addr.eq(place + (plane_beat << beat_bits)),
            self.w_data.eq(Mux(plain, self.i_data, value)),
        ]
        with m.If(end_planes):
            skipped = Mux(plain | end_tile, (1 << beat_bits) - 1, 0)
            m.d.sync += [place.eq((place | skipped) + 1), plane_beat.eq(0)]
        with m.Elif(advance):
            m.d.sync += plane_beat.eq(plane_beat + conv.plane_beats)

        searchable, locked = self._frozen(m, end_row, end_tile, unit, last_tile)
        coat, first = Signal(size), Signal(size)
        is_sign = Signal()
        m.d.comb += is_sign.eq(last_plane & (conv.signs != 0))
        with m.If(advance):
            m.d.sync += coat.eq(value)
            with m.If(plane == 0):
                m.d.sync += first.eq(value)
        under, fixed = Signal(size), Signal(size)
        with m.If(plane != 0):
            m.d.comb += under.eq(Mux(is_sign, first, coat))
        with m.Elif(frozen):
            m.d.comb += [under.eq(searchable), fixed.eq(locked)]
        with m.Else():
            m.d.comb += under.eq(~0)
        raw_length, raw = _deposit(m, window, under)
        m.d.comb += [length.eq(raw_length), value.eq(raw | fixed)]
        if size == UNIT:
            table = Signal(4)
            m.d.comb += table.eq(Mux(plane == 0, conv.code, Mux(is_sign, conv.sign_code, 0)))
            huffman_length, byte = _huffman(m, window, table)
            with m.If(table != 0):
                m.d.comb += [length.eq(huffman_length), value.eq(byte)]

        starved = ~pending & (plain | (left == 0)) & ~advance
        with m.If(end_layer | starved):
            m.d.sync += walking.eq(0)
        with m.If(self.start):
            m.d.sync += [
                walking.eq(1), pending.eq(1), primed.eq(0), left.eq(0), fill.eq(0), window.eq(0),
                plane.eq(0), unit.eq(0), row.eq(0), tile.eq(0),
                place.eq(conv.mask_base << beat_bits), plane_beat.eq(0),
            ]  # fmt: skip
        with m.If(self.abort):
            m.d.sync += [walking.eq(0), pending.eq(0), self.w_en.eq(0)]
        m.d.comb += self.busy.eq(walking | pending | self.w_en)
        return m

    def _frozen(self, m, end_row, end_tile, unit, last_tile) -> tuple[Value, Value]:
        """(searchable, locked) weights of the unit; channels that do not exist are neither."""
        conv, columns, size = self.conv, self.config.columns, unit_bits(self.config)
        m.submodules.pattern = pattern = SignGenerator(columns, PATTERN_OFFSETS)
        m.d.comb += [
            pattern.load.eq(self.start),
            pattern.load_state.eq(conv.pattern_state),
            pattern.jump.eq(end_tile),
            pattern.step.eq(end_row),
        ]
        tail = conv.out_channels & (columns - 1)  # channels of the last tile, 0: all
        exists = Cat(~(last_tile & (tail != 0) & (tail <= c)) for c in range(columns))
        bits = [pattern.signs[i : i + columns].word_select(unit, size)
                for i in range(0, len(pattern.signs), columns)]  # fmt: skip
        numbers = [Cat(b[c] for b in bits) for c in range(size)]
        alive = exists.word_select(unit, size)
        pruned = Cat(number < conv.pruned for number in numbers)
        frozen = Cat(number < conv.pruned + conv.locked for number in numbers)
        return alive & ~frozen, alive & frozen & ~pruned


def _deposit(m: Module, window: Value, under: Value) -> tuple[Value, Value]:
    """(ones of `under`, the window's first bits at their places), as `units.DEPOSIT`."""
    counts = [Const(0)]
    for i, bit in enumerate(under):
        count = Signal(range(i + 2), name=f"ones_{i}")
        m.d.comb += count.eq(counts[-1] + bit)
        counts.append(count)
    return counts[-1], Cat(
        bit & window[: i + 1].bit_select(count, 1)
        for i, (bit, count) in enumerate(zip(under, counts, strict=False))
    )


def _huffman(m: Module, window: Value, table: Value) -> tuple[Value, Value]:
    """(length, byte) of the code that the window begins with, as `huffman.Table.decode`."""

    def constant(name: str, width: int, n: int):
        """Item n of what the table in use has under `name`."""
        signal = Signal(width, name=f"{name}_{n}")
        values = [0, *(getattr(t, name)[n] for t in TABLES.values())]
        m.d.comb += signal.eq(Array(Const(v, width) for v in values)[table])
        return signal

    bits, length, place, byte = Signal(MAX_LENGTH), Signal(4), Signal(UNIT), Signal(UNIT)
    m.d.comb += bits.eq(Cat(reversed(window[:MAX_LENGTH])))
    for n in range(MAX_LENGTH, 0, -1):  # the last to assign is the shortest that fits
        with m.If(bits < constant("limits", MAX_LENGTH + 1, n)):
            code = bits[MAX_LENGTH - n :]
            m.d.comb += [length.eq(n), place.eq(code + constant("offsets", UNIT, n))]
    m.d.comb += byte.eq(Array(Const(value, UNIT) for value in ORDER)[place])
    return length, byte
