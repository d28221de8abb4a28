"""Max-pooling of bit-planes: the largest of a window, bit by bit from the most significant."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.timing import BANK_CYCLES

from .delay import delayed
from .descriptor import POOL
from .postprocess import Walk

MAX_BITS = 8


def max_pool(config: Config, bank: list[int], fields: dict[str, int]) -> dict[int, int]:
    """Linear bank address -> C lanes: what `MaxPool` writes.

    bank: the source's content, C lanes an entry; fields: those of POOL.
    """
    f, parts = fields, config.group // config.columns
    words, kernel, bits = config.bank_words, range(fields["kernel"]), range(fields["bits"])
    y_first = (f["y_first"] ^ 1 << 15) - (1 << 15)
    written = {}
    for granule in range(f["granules"]):
        group, part = divmod(granule, parts)
        place = f["dst_base"] + group * f["out_group_stride"]
        for oy in range(f["out_height"]):
            for ox in range(f["out_width"]):
                largest = [0] * config.columns
                for ky in kernel:
                    for kx in kernel:
                        y, x = y_first + oy * f["stride"] + ky, ox * f["stride"] - f["pad_x"] + kx
                        if not (0 <= y < f["in_height"] and 0 <= x < f["in_width"]):
                            continue
                        word = f["src_base"] + group * f["in_group_stride"]
                        word += (oy * f["stride"] + ky) * f["row_stride"]
                        word += (ox * f["stride"] + kx) * f["bits"]
                        planes = [bank[(word + b) % words * parts + part] for b in bits]
                        for lane in range(config.columns):
                            value = 0
                            for plane in planes:
                                value = 2 * value + (plane >> lane & 1)
                            largest[lane] = max(largest[lane], value)
                for b in reversed(bits):
                    lanes = sum((v >> b & 1) << lane for lane, v in enumerate(largest))
                    written[place % words * parts + part] = lanes
                    place += 1
    return written


class MaxPool(wiring.Component):
    """Maximum over kernel x kernel pixels for C channels at once; outside the map is 0.

    `start` with `layer`, the POOL descriptor, held until `done`. From the next clock but one on a
    plane is read every clock: for each granule of C channels, output row and column, tap (ky, kx),
    plane, most significant first. `done` is high in the clock of the last write,
    `durations.pool_cycles` clocks from that of `start`, both included.

    `source_address` is a linear bank address in units of C lanes, modulo the bank; `source_data`
    comes BANK_CYCLES later. `write_*`: as PostProcessor's. A pixel's planes are written LATENCY
    clocks after those of its last tap were addressed.

    A lane's largest value so far and the arriving one differ first in one plane, which decides:
    before it both are equal, and from it on the planes are those of the larger.
    """

    LATENCY = BANK_CYCLES + 1

    def __init__(self, config: Config):
        self.config = config
        self.parts = config.group // config.columns
        address = log2(config.bank_words * self.parts)
        super().__init__({
            "layer": In(POOL), "start": In(1), "done": Out(1),
            "source_address": Out(address), "source_data": In(config.columns),
            "write_en": Out(1), "write_address": Out(address), "write_data": Out(config.columns),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        layer, columns = self.layer, self.config.columns
        twice = layer.stride == 2

        # ---- loops: what is left of each, this plane included; which of them end with it
        running, first_tap = Signal(), Signal()
        plane = Signal(range(MAX_BITS))
        counts = (layer.bits, layer.kernel, layer.kernel, layer.out_width, layer.out_height,
                  layer.granules)  # fmt: skip
        left = [Signal.like(count, name="left") for count in counts]
        lasts, end = [], running
        for counter, count in zip(left, counts, strict=True):
            lasts.append(Signal(name="last"))
            m.d.comb += lasts[-1].eq(counter == 1)
            with m.If(end):
                m.d.sync += counter.eq(Mux(lasts[-1], count, counter - 1))
            end = running & Cat(lasts).all()
        m.d.sync += plane.eq(Mux(lasts[0], 0, plane + running))
        with m.If(running & lasts[0]):
            m.d.sync += first_tap.eq(Cat(lasts[1:3]).all())
        with m.If(end):
            m.d.sync += running.eq(0)
        with m.If(self.start):
            m.d.sync += [running.eq(1), plane.eq(0), first_tap.eq(1)]
            m.d.sync += [counter.eq(count) for counter, count in zip(left, counts, strict=True)]

        # ---- clock 0: the plane's address
        # the word of this plane, and of the first plane of this tap's row, pixel, row and group
        word, tap_row, pixel, row, group = (
            Signal(log2(self.config.bank_words), name=n)
            for n in ("word", "tap_row", "pixel", "row", "group")
        )
        part = Signal(range(self.parts))
        y, x, row_y, pixel_x = (
            Signal(signed(16), name=n) for n in ("y", "x", "row_y", "pixel_x")
        )  # of the tap, of the pixel's first tap
        ends, begins = Signal(len(left)), Signal()
        m.d.sync += [
            ends.eq(Cat(running & Cat(lasts[: i + 1]).all() for i in range(len(left)))),
            begins.eq(self.start),
        ]
        end_tap, end_tap_row, end_pixel, end_row, end_granule, end_layer = ends

        def go(base, to_y=None, to_x=None):
            """To the pixel's first tap at word `base`."""
            m.d.sync += [s.eq(base) for s in (word, tap_row, pixel)]
            if to_y is not None:
                m.d.sync += [s.eq(to_y) for s in (y, row_y)]
            m.d.sync += [s.eq(to_x) for s in (x, pixel_x)]

        y_first, x_first = layer.y_first.as_signed(), -layer.pad_x
        m.d.sync += word.eq(word + 1)
        with m.If(end_tap):
            m.d.sync += x.eq(x + 1)
        with m.If(end_tap_row):
            below = tap_row + layer.row_stride
            m.d.sync += [y.eq(y + 1), x.eq(pixel_x), tap_row.eq(below), word.eq(below)]
        with m.If(end_pixel):
            m.d.sync += y.eq(row_y)
            go(pixel + Mux(twice, layer.bits << 1, layer.bits), to_x=pixel_x + Mux(twice, 2, 1))
        with m.If(end_row):
            below = row + Mux(twice, layer.row_stride << 1, layer.row_stride)
            m.d.sync += row.eq(below)
            go(below, row_y + Mux(twice, 2, 1), x_first)
        with m.If(end_granule):
            m.d.sync += [part.eq(part + 1), row.eq(group)]
            go(group, y_first, x_first)
            with m.If(part == self.parts - 1):
                beyond = group + layer.in_group_stride
                m.d.sync += [part.eq(0), group.eq(beyond), row.eq(beyond)]
                go(beyond, y_first, x_first)
        with m.If(begins):
            m.d.sync += [part.eq(0), group.eq(layer.src_base), row.eq(layer.src_base)]
            go(layer.src_base, y_first, x_first)
        inside = Signal()
        m.d.comb += [
            self.source_address.eq(Cat(part, word) if self.parts > 1 else word),
            inside.eq((y >= 0) & (y < layer.in_height) & (x >= 0) & (x < layer.in_width)),
        ]

        # ---- clock BANK_CYCLES: a plane arrives
        loops = Cat(first_tap, running & Cat(lasts[1:3]).all(), plane)
        loops = delayed(m, loops, 1 + BANK_CYCLES, "loops")[-1]
        first_tap, last_tap, at = loops[0], loops[1], loops[2:]
        inside, closes, final = delayed(
            m, Cat(inside, end_granule, end_layer), BANK_CYCLES, "tag")[-1]  # fmt: skip
        planes = Array(Signal(columns, name=f"plane_{i}") for i in range(MAX_BITS))
        arriving, before, larger, smaller, largest = (
            Signal(columns, name=n) for n in ("arriving", "before", "larger", "smaller", "largest")
        )
        was_larger, was_smaller = Signal(columns), Signal(columns)
        decided = (at != 0).replicate(columns)
        m.d.comb += [
            arriving.eq(self.source_data & inside.replicate(columns)),
            before.eq(planes[at] & ~first_tap.replicate(columns)),
            larger.eq((was_larger & decided) | (arriving & ~before & ~(was_smaller & decided))),
            smaller.eq((was_smaller & decided) | (before & ~arriving & ~(was_larger & decided))),
            largest.eq((larger & arriving) | (~larger & before)),
        ]
        m.d.sync += [planes[at].eq(largest), was_larger.eq(larger), was_smaller.eq(smaller)]

        # ---- a clock later: the largest's plane is written
        walk = Walk(m, self.config, self.start, layer.dst_base, 0, layer.out_group_stride)
        tile_step = Signal()
        m.d.sync += [self.write_en.eq(last_tap), self.write_data.eq(largest),
                     tile_step.eq(closes), self.done.eq(final)]  # fmt: skip
        m.d.comb += [self.write_address.eq(walk.address), walk.plane_step.eq(self.write_en),
                     walk.tile_step.eq(tile_step)]  # fmt: skip
        return m
