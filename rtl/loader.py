"""Image bytes from memory to bit-planes in an activation bank."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.images import MAX_TAPS, PIXEL_BYTES

from .descriptor import IMAGE

PLANES = 8
PIXEL = 8 * PIXEL_BYTES


def load_image(config: Config, pixels, fields: dict[str, int]) -> dict[int, int]:
    """Linear bank address -> C lanes: what `ImageLoader` writes.

    pixels: `rows` * `width` of `fields` (IMAGE), each a sequence of 4 bytes.
    """
    f, columns, parts = fields, config.columns, config.group // config.columns
    words = {}
    for y in range(f["rows"]):
        row = pixels[y * f["width"] : (y + 1) * f["width"]]
        for x in range(f["out_width"]):
            lanes = []
            for tap in range(f["taps"]):
                from_x = x * f["stride"] + tap - f["pad"]
                inside = 0 <= from_x < f["width"]
                lanes += [int(v) if inside else 0 for v in row[from_x * inside][: f["channels"]]]
            for granule in range(f["granules"]):
                values = lanes[granule * columns :][:columns]
                for plane in range(PLANES):
                    word = f["base"] + granule // parts * f["group_stride"]
                    word += (y * f["out_width"] + x) * PLANES + plane
                    word = word % config.bank_words * parts + granule % parts
                    words[word] = sum(
                        (v >> (PLANES - 1 - plane) & 1) << i for i, v in enumerate(values)
                    )
    return words


class ImageLoader(wiring.Component):
    """Turns the stream of a `ReadDma` into writes of an activation bank (see docs/architecture.md).

    `start` (a pulse while not busy) with `image`, the IMAGE descriptor, held until not busy: `taps`
    1 to MAX_TAPS, `channels` 1 to 4, `stride` 1 or 2, the counts > 0. `busy` is high from the clock
    after `start` until WRITE_LATENCY clocks after the last plane was looked up and the last pixel
    taken, inclusive.

    A pixel is 4 bytes, channel c in byte c, 8 bits a channel; a beat (`i_valid`, `i_ready`,
    `i_data`) holds D / 32 pixels, of which those behind the image's last are ignored. Pixels, and
    zeros beside the row, enter a window of `taps` pixels one a clock. When it is complete, 8 clocks
    a granule look up C lanes each, which are written WRITE_LATENCY clocks later at `w_addr`
    (linear, in units of C lanes): pixel after pixel, in it granule after granule, in it plane after
    plane, most significant first; lanes from `taps * channels` on are 0. The next pixel enters in
    the last of these clocks, except behind a row's last. Each row begins with an empty window, once
    its first pixel is at hand; pixels that nothing needs are skipped, one a clock.

    A beat is accepted in the clock in which the last pixel of the one before enters, without a
    bubble: a whole image takes `durations.image_cycles` clocks. `abort` leaves the rest out: idle
    on the next clock (after a bus error the missing beats never come).
    """

    WRITE_LATENCY = 2

    def __init__(self, config: Config):
        self.config = config
        super().__init__({
            "start": In(1), "image": In(IMAGE), "abort": In(1), "busy": Out(1),
            "i_valid": In(1), "i_data": In(config.axi_data_width), "i_ready": Out(1),
            "w_en": Out(1), "w_addr": Out(log2(config.activation_bytes * 8 // config.columns)),
            "w_data": Out(config.columns),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        image = self.image
        columns, parts = self.config.columns, self.config.group // self.config.columns
        beat_pixels = self.config.bus_bytes // PIXEL_BYTES

        beat = Signal(self.config.axi_data_width)  # the next pixel in the lowest 4 bytes
        beat_left = Signal(range(beat_pixels))
        full = Signal()
        active = Signal(1 + self.WRITE_LATENCY)  # now, and in the clocks before
        pads, pixels = Signal.like(image.pad), Signal.like(image.width)  # of the row, left
        beyond = Signal()  # none are
        rows, columns_left = Signal.like(image.rows), Signal.like(image.out_width)
        missing = Signal(4)  # pixels to enter before the window is complete
        writing = Signal()  # it is
        skipping = Signal()  # the row's words are written, its last pixels are still to be taken
        plane, granule = Signal(range(PLANES)), Signal(range(PIXEL_BYTES * MAX_TAPS))
        last_granule = Signal()  # known a clock late: granules have 8
        last_column, last_row, last_pixel, end_granule, end_word, end_row, enter, take = (
            Signal(name=n) for n in ("last_column", "last_row", "last_pixel", "end_granule",
                                     "end_word", "end_row", "enter", "take")
        )  # fmt: skip
        m.d.comb += [
            last_column.eq(columns_left == 1),
            last_row.eq(rows == 1),
            last_pixel.eq(pixels == 1),
            end_granule.eq(writing & (plane == PLANES - 1)),
            end_word.eq(end_granule & last_granule),
            enter.eq(active[0] & (~writing | (end_word & ~last_column)) & (full | beyond)),
            take.eq(enter & (pads == 0) & ~beyond),
            end_row.eq(Mux(skipping, take & last_pixel, end_word & last_column & beyond)),
            self.busy.eq(active.any()),
            self.i_ready.eq(
                active[0] & Mux(full, take & (beat_left == 0) & ~(last_pixel & last_row),
                                ~(beyond & last_row))
            ),
        ]  # fmt: skip

        # ---- pixels into the window, which moves down by one each
        window = Signal(data.ArrayLayout(PIXEL, MAX_TAPS))
        with m.If(take):
            m.d.sync += [beat.eq(Cat(beat[PIXEL:], beat[-PIXEL:])), beat_left.eq(beat_left - 1)]
            with m.If(beat_left == 0):
                m.d.sync += full.eq(0)
        with m.If(self.i_valid & self.i_ready):
            m.d.sync += [beat.eq(self.i_data), beat_left.eq(beat_pixels - 1), full.eq(1)]
        with m.If(enter):
            m.d.sync += [window[i].eq(window[i + 1]) for i in range(MAX_TAPS - 1)]
            m.d.sync += window[-1].eq(Mux(take, beat[:PIXEL], 0))

        # ---- where it is
        m.d.sync += [
            active[1:].eq(active), last_granule.eq(granule == image.granules - 1)
        ]  # fmt: skip
        with m.If(enter):
            m.d.sync += missing.eq(missing - 1)
            with m.If(pads != 0):
                m.d.sync += pads.eq(pads - 1)
            with m.If((missing == 1) & ~skipping):
                m.d.sync += writing.eq(1)
        with m.If(take):
            m.d.sync += [pixels.eq(pixels - 1), beyond.eq(last_pixel)]
        with m.If(writing):
            m.d.sync += plane.eq(plane + 1)
        with m.If(end_word):
            m.d.sync += [missing.eq(image.stride - enter), columns_left.eq(columns_left - 1),
                         writing.eq(enter & (image.stride == 1))]  # fmt: skip
            with m.If(last_column):
                m.d.sync += [columns_left.eq(image.out_width), skipping.eq(~beyond)]
        with m.If(end_row):
            m.d.sync += [rows.eq(rows - 1), skipping.eq(0), missing.eq(image.taps),
                         pads.eq(image.pad), pixels.eq(image.width), beyond.eq(0)]  # fmt: skip
            with m.If(last_row):
                m.d.sync += active[0].eq(0)
        with m.If(self.start):
            m.d.sync += [
                *(s.eq(0) for s in (full, skipping, plane, beyond)), active[0].eq(1),
                missing.eq(image.taps), pads.eq(image.pad), pixels.eq(image.width),
                rows.eq(image.rows), columns_left.eq(image.out_width),
            ]  # fmt: skip

        # ---- clock 0: a plane of the whole window
        place = Signal(log2(self.config.bank_words))  # the pixel's first word of the first group
        group = Signal.like(place)  # words before the granule's group
        with m.If(end_granule):
            m.d.sync += granule.eq(granule + 1)
            with m.If((granule & (parts - 1)) == parts - 1):
                m.d.sync += group.eq(group + image.group_stride)
        with m.If(end_word):
            m.d.sync += [granule.eq(0), group.eq(0), place.eq(place + PLANES)]
        with m.If(self.start):
            m.d.sync += [granule.eq(0), group.eq(0), place.eq(image.base)]
        values = [
            byte
            for pixel in window
            for byte in (pixel[8 * i : 8 * i + 8] for i in range(PIXEL_BYTES))
        ]
        first, from_granule, from_plane = (Signal.like(s) for s in (place, granule, plane))
        bits, looked_up = Signal(len(values)), Signal()
        m.d.sync += [
            looked_up.eq(writing), first.eq(place + group), from_granule.eq(granule),
            from_plane.eq(plane),
            bits.eq(Cat(value.bit_select(~plane, 1) for value in values)),
        ]  # fmt: skip

        # ---- clock 1: its lanes; the last `taps` pixels entered the window's end
        taps, lanes = Signal(len(values)), Signal(-(-len(values) // columns) * columns)
        with m.Switch(image.taps):
            for count in range(1, MAX_TAPS + 1):
                with m.Case(count):
                    m.d.comb += taps.eq(bits[PIXEL_BYTES * (MAX_TAPS - count) :])
        with m.Switch(image.channels):
            for channels in range(1, PIXEL_BYTES + 1):
                with m.Case(channels):
                    m.d.comb += lanes.eq(Cat(
                        taps.word_select(tap, PIXEL_BYTES)[:channels] for tap in range(MAX_TAPS)
                    ))  # fmt: skip
        m.d.sync += [
            self.w_en.eq(looked_up),
            self.w_addr.eq((first + from_plane)[: len(place)] << log2(parts)
                           | (from_granule & (parts - 1))),
            self.w_data.eq(lanes.word_select(from_granule, columns)),
        ]  # fmt: skip
        with m.If(self.abort):
            m.d.sync += [s.eq(0) for s in (active, full, writing, looked_up, self.w_en)]
        return m
