"""Image bytes from memory to bit-planes in an activation bank."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.images import PIXEL_BYTES

PLANES = 8


def load_image(config: Config, image: bytes, channels: int, group_stride: int) -> dict[int, int]:
    """Linear bank address -> C lanes: what `ImageLoader` writes for whole pixels of 4 bytes."""
    columns, parts = config.columns, config.group // config.columns
    words = {}
    for pixel in range(len(image) // PIXEL_BYTES):
        values = image[pixel * PIXEL_BYTES :][:channels]
        for granule in range(-(-channels // columns)):
            lanes = values[granule * columns :][:columns]
            for plane in range(PLANES):
                word = granule // parts * group_stride + pixel * PLANES + plane
                words[word * parts + granule % parts] = sum(
                    (value >> (PLANES - 1 - plane) & 1) << lane for lane, value in enumerate(lanes)
                )
    return words


class ImageLoader(wiring.Component):
    """Turns the stream of a `ReadDma` into writes of an activation bank (see docs/architecture.md).

    `start` (a pulse while not busy) takes `channels` (1 to 4), `granules` = ceil(channels / C),
    `pixels` (> 0) and `group_stride` (words from one channel group to the next). `busy` is high
    from the clock after `start` to the clock of the last write, inclusive.

    A pixel is 4 bytes, channel c in byte c, 8 bits a channel; a beat holds D / 32 pixels, of which
    those behind the image's last are ignored. Every clock in which a beat is held writes C lanes
    at `w_addr` (linear, in units of C lanes): pixel after pixel, in it granule after granule, in
    it plane after plane, most significant first; lanes from `channels` on are 0. So a beat takes
    `D / 4 * granules` clocks; it is accepted on the last clock of the one before it, without a
    bubble. A whole image takes `timing.load_cycles` clocks. `abort` leaves the rest out: idle on
    the next clock (after a bus error the missing beats never come).
    """

    def __init__(self, config: Config):
        self.config = config
        super().__init__({
            "start": In(1),
            "channels": In(3),
            "granules": In(3),
            "pixels": In(20),
            "group_stride": In(20),
            "abort": In(1),
            "i_valid": In(1),
            "i_data": In(config.axi_data_width),
            "i_ready": Out(1),
            "w_en": Out(1),
            "w_addr": Out(log2(config.activation_bytes * 8 // config.columns)),
            "w_data": Out(config.columns),
            "busy": Out(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        columns, parts = self.config.columns, self.config.group // self.config.columns
        beat_pixels = self.config.bus_bytes // PIXEL_BYTES

        channels = Signal(3)
        last_granule = Signal(2)
        group_stride = Signal(20)
        left = Signal(20)  # pixels after this one
        beat = Signal(self.config.axi_data_width)  # this pixel in the lowest 4 bytes
        beat_left = Signal(range(beat_pixels))
        full = Signal()

        plane = Signal(range(PLANES))
        granule = Signal(2)
        pixel = Signal(20)
        group = Signal(20)  # words before the granule's group
        end_granule, end_pixel, end_beat, end_image = (
            Signal(name=f"end_{name}") for name in ("granule", "pixel", "beat", "image")
        )
        m.d.comb += [
            end_granule.eq(full & (plane == PLANES - 1)),
            end_pixel.eq(end_granule & (granule == last_granule)),
            end_image.eq(end_pixel & (left == 0)),
            end_beat.eq(end_pixel & (beat_left == 0)),
            self.i_ready.eq(self.busy & (~full | (end_beat & ~end_image))),
        ]

        # A channel's byte turns left by one bit a clock, so that its current plane is always the
        # top bit, and stands as it was after 8 clocks.
        values = [beat[8 * c : 8 * c + 8] for c in range(PIXEL_BYTES)]
        with m.If(full):
            m.d.sync += [value.eq(value.rotate_left(1)) for value in values]
        with m.If(end_pixel):
            m.d.sync += [beat.eq(beat >> 8 * PIXEL_BYTES), beat_left.eq(beat_left - 1)]
        with m.If(end_beat | end_image):
            m.d.sync += full.eq(0)
        with m.If(self.i_valid & self.i_ready):
            m.d.sync += [beat.eq(self.i_data), beat_left.eq(beat_pixels - 1), full.eq(1)]

        with m.If(full):
            m.d.sync += plane.eq(plane + 1)
        with m.If(end_granule):
            m.d.sync += granule.eq(granule + 1)
            with m.If((granule & (parts - 1)) == parts - 1):
                m.d.sync += group.eq(group + group_stride)
        with m.If(end_pixel):
            m.d.sync += [granule.eq(0), group.eq(0), pixel.eq(pixel + 1), left.eq(left - 1)]
        with m.If(end_image):
            m.d.sync += self.busy.eq(0)
        with m.If(self.abort):
            m.d.sync += [self.busy.eq(0), full.eq(0)]
        with m.If(self.start):
            m.d.sync += [
                channels.eq(self.channels),
                last_granule.eq(self.granules - 1),
                group_stride.eq(self.group_stride),
                left.eq(self.pixels - 1),
                pixel.eq(0),
                plane.eq(0),
                granule.eq(0),
                group.eq(0),
                self.busy.eq(1),
            ]

        used = Cat(value[-1] & (channels > c) for c, value in enumerate(values))
        part_bits = log2(parts)
        word = Signal(self.w_addr.shape().width)
        m.d.comb += [
            word.eq(group + Cat(plane, pixel)),
            self.w_en.eq(full),
            self.w_addr.eq(word << part_bits | (granule & (parts - 1))),
            self.w_data.eq(used.word_select(granule, columns) if columns < PIXEL_BYTES else used),
        ]
        return m
