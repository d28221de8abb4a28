"""Turns a mask stream into planes in the mask buffer, one unit of one plane a clock."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.units import UNIT, unit_bits

from .bit_feed import BitFeed
from .descriptor import CONV
from .gather import deposit, sort_ones
from .huffman import byte_at, code_length, ones_above, place, to_number
from .units_ahead import UnitsAhead, unit_layout


def unit_address_bits(config: Config) -> int:
    """Width of a unit's address in the mask buffer."""
    return log2(config.mask_bytes * 8 // unit_bits(config))


class MaskDecoder(wiring.Component):
    """Writes a CONV's planes into the mask buffer, as `hfn_accel.codec.decode` reads the stream.

    `start` (a pulse while not busy) begins with the layer in `conv`, which is held until `busy`
    falls; the DMA is started with `mask_beats` > 0 in the same clock. `busy` is high from the clock
    after `start` to that of the last write, inclusive.

    Stream in: `i_valid`, `i_data`, `i_last`, `i_ready`. A plain stream (`codec.is_plain`) is
    taken and written a beat a clock. A coded one gives a unit of one plane a clock, without a gap
    if a beat comes whenever `i_ready` is high. With the first beat latency + 1 clocks after
    `start`, `busy` is low for the first time `durations.decode_cycles(units, planes, latency)`
    (`durations.plain_cycles(beats, latency)`) clocks after `start`.

    Writes: `w_en`, `w_addr` in units, `w_data`; `w_wide` for a whole beat, else the lowest bits
    are a unit. Where is written does not depend on the stream: `out_tiles` tiles of each plane,
    each from a whole beat on, planes `plane_beats` apart; a plain stream's beats one after the
    other.

    Inside, a coded stream's planes pass six stages, which move together where there are bits:
    a unit's frozen pattern, its masks, and how many bits they ask for, all ahead of the stream;
    then, a plane a clock, the length of what is next in the stream; of a Huffman code its place,
    its byte; raw bits go to their places under a mask. Only the length depends on the plane
    before, by the number of its ones.

    Errors: any bits decode to something. Beats behind the last unit are taken and dropped; where
    bits lack, the rest is not written. `wrong`, valid from when `busy` falls to the next `start`:
    one of these, or a plain stream whose `mask_beats` are not `plane_beats`. `abort` is the end at
    once (`busy` is low in the clock after it, `wrong` means nothing); a DMA that stops short of
    `i_last`, for an error, needs it.
    """

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
        conv, start, size = self.conv, self.start, unit_bits(self.config)
        m.submodules.feed = feed = BitFeed(self.config)
        m.submodules.ahead = ahead = UnitsAhead(self.config)
        plane_layout = data.StructLayout({
            "unit": unit_layout(self.config), "first": 1, "sign": 1, "last": 1, "table": 4,
        })  # fmt: skip

        # ---- what holds for the layer
        plain, is_plain, unequal = Signal(), Signal(), Signal()
        signs, others = Signal(), Signal(3)  # planes but one
        m.d.comb += is_plain.eq(
            (conv.coats == 1) & (conv.signs == 0) & (conv.code == 0)
            & (conv.pruned == 0) & (conv.locked == 0)
        )  # fmt: skip
        with m.If(start):
            m.d.sync += [plain.eq(is_plain), unequal.eq(conv.mask_beats != conv.plane_beats)]
        m.d.sync += [
            signs.eq(conv.signs != 0),
            others.eq(conv.coats + (conv.signs != 0) - 1),
        ]

        walking, live = Signal(), Signal()  # planes are to be written, to be measured

        # ---- length: the stage that a plane's bits leave the feed in
        plane, left = Signal(plane_layout), Signal(3)  # planes of the unit behind this
        keep, ones = Signal(UNIT), Signal(UNIT)  # see `UnitsAhead`
        next_left, next_sign, next_table = Signal(3), Signal(), Signal(4)
        next_code = Mux(plane.last, Mux(ahead.unit.valid, conv.code, 0),
                        Mux(next_sign, conv.sign_code, 0))  # fmt: skip
        take, head = feed.take, feed.head
        m.d.comb += [
            take.eq(walking & feed.ready),
            ahead.start.eq(start),
            ahead.conv.eq(conv),
            ahead.step.eq(take & plane.last),
            next_left.eq(Mux(plane.last, Mux(ahead.unit.valid, others, 0), left - 1)),
            next_sign.eq((left == 1) & signs),
            next_table.eq(Mux(start, 0, Mux(take, next_code, plane.table))),
        ]
        m.d.sync += plane.table.eq(next_table)
        with m.If(take):
            m.d.sync += [
                left.eq(next_left),
                plane.last.eq(next_left == 0),
                plane.first.eq(plane.last),
                plane.sign.eq(~plane.last & next_sign),
            ]
        with m.If(ahead.step):
            m.d.sync += [plane.unit.eq(ahead.unit), ones.eq(ahead.given)]

        # Ones of this plane, and so bits of the next; those of the first for the sign plane
        raw_ones = Cat(sort_ones(m, list(((head & keep) | ones)[:size])))
        count, first_count = Signal(UNIT), Signal(UNIT)
        m.d.comb += count.eq(raw_ones)
        length = to_number(keep)
        longer, code_bits = keep, 0
        if size == UNIT:
            code = Signal(4)
            m.d.sync += code.eq(conv.code)
            coded_ones = Cat(ones_above(m, head, code))
            code_longer = code_length(m, head, next_table)
            longer, code_bits = keep | Cat(code_longer), to_number(code_longer)
            with m.If(plane.first):
                m.d.comb += count.eq(raw_ones | coded_ones)
        with m.If(take):
            with m.If(plane.last):
                m.d.sync += keep.eq(ahead.wanted)
            with m.Elif(next_sign & (conv.sign_code != 0)):
                m.d.sync += keep.eq(0)
            with m.Elif(next_sign & ~plane.first):
                m.d.sync += keep.eq(first_count)
            with m.Else():
                m.d.sync += keep.eq(count)
            with m.If(plane.first):
                m.d.sync += first_count.eq(count)
            with m.If(plane.last & plane.unit.end_layer & plane.unit.valid):
                m.d.sync += live.eq(0)
        m.d.comb += [
            feed.start.eq(start),
            feed.abort.eq(self.abort),
            feed.drop.eq(~walking),
            feed.count.eq(live),
            feed.length.eq(length | code_bits),
            feed.longer.eq(longer),
            feed.i_valid.eq(self.i_valid),
            feed.i_data.eq(self.i_data),
            feed.i_last.eq(self.i_last),
            self.i_ready.eq(feed.i_ready),
        ]

        # ---- place, byte, value: the stages behind
        placed, found, now = (Signal(plane_layout, name=n) for n in ("placed", "found", "now"))
        bits, code_length_ = Signal.like(head), Signal(4)
        place_or_bits, raw, fixed, under = (
            Signal(size, name=n) for n in ("place_or_bits", "raw", "fixed", "under")
        )
        with m.If(take):
            m.d.sync += [
                placed.eq(plane), placed.unit.valid.eq(plane.unit.valid & live),
                bits.eq(head), code_length_.eq(code_bits),
                found.eq(placed), place_or_bits.eq(bits),
                now.eq(found), raw.eq(place_or_bits),
                fixed.eq(Mux(found.first, found.unit.locked, 0)),
            ]  # fmt: skip
            if size == UNIT:
                with m.If(placed.table != 0):
                    m.d.sync += place_or_bits.eq(place(bits, code_length_, placed.table))
                with m.If(found.table != 0):
                    m.d.sync += fixed.eq(byte_at(place_or_bits))
        value, coat, first_value = (Signal(size, name=n) for n in ("value", "coat", "first_value"))
        with m.If(now.table != 0):
            m.d.comb += under.eq(0)
        with m.Elif(now.first):
            m.d.comb += under.eq(now.unit.searchable)
        with m.Else():
            m.d.comb += under.eq(Mux(now.sign, first_value, coat))
        m.d.comb += value.eq(deposit(m, raw, under) | fixed)
        with m.If(take):
            m.d.sync += coat.eq(value)
            with m.If(now.first):
                m.d.sync += first_value.eq(value)

        written, ends = Signal(), now.last & now.unit.end_layer
        m.d.comb += written.eq(Mux(plain, self.i_valid & self.i_ready,
                                   take & now.unit.valid))  # fmt: skip
        self._write(m, plain, written, now, value)
        with m.If(written & ~plain & ends | feed.short):
            m.d.sync += walking.eq(0)
        with m.If(start):
            m.d.sync += [
                walking.eq(~is_plain), live.eq(1), left.eq(0), keep.eq(~0), ones.eq(0),
                *(s.unit.valid.eq(0) for s in (plane, placed, found, now)),
                plane.last.eq(1),
            ]  # fmt: skip
        with m.If(self.abort):
            m.d.sync += [walking.eq(0), self.w_en.eq(0)]
        m.d.comb += [
            self.busy.eq(walking | feed.pending | self.w_en),
            self.wrong.eq(Mux(plain, unequal, feed.wrong)),
        ]
        return m

    def _write(self, m, plain, written, plane, value):
        """Where the unit of this plane belongs, or a plain stream's beat."""
        conv = self.conv
        beat_bits = log2(self.config.axi_data_width // unit_bits(self.config))
        place = Signal.like(self.w_addr)  # of the unit in plane 0
        plane_beat = Signal(len(place) - beat_bits)  # the plane's distance from plane 0
        m.d.sync += [
            self.w_en.eq(written),
            self.w_wide.eq(plain),
            self.w_addr.eq(place + (plane_beat << beat_bits)),
            self.w_data.eq(Mux(plain, self.i_data, value)),
        ]
        with m.If(written & (plain | plane.last)):
            skipped = Mux(plain | plane.unit.end_tile, (1 << beat_bits) - 1, 0)
            m.d.sync += [place.eq((place | skipped) + 1), plane_beat.eq(0)]
        with m.Elif(written):
            m.d.sync += plane_beat.eq(plane_beat + conv.plane_beats)
        with m.If(self.start):
            m.d.sync += [place.eq(conv.mask_base << beat_bits), plane_beat.eq(0)]
