"""The loop nest of a layer: which bit-plane enters the array at which clock.

Two loops run side by side. The *walker* always describes the tile after the current one (output
tile, strip, coat, tap, input tile, and the address, row and column at which it begins), so that
tiles follow each other without a bubble. The *pixel loop* runs through the current tile's output
pixels and planes, with additions only: no address is ever multiplied.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2

from .descriptor import CONV
from .loops import Nest
from .tile_filler import LOOPS


def plane_tag(config: Config) -> data.StructLayout:
    """What accompanies a plane through the pipeline.

    valid; pad: the pixel lies outside the image; swap: first plane of a tile; first, last: of a
    pixel's planes; then for the pixel's partial sum its address, whether it starts from zero,
    whether it is complete (`emit`), and whether it is the last one of its output tile (`end`) or
    of the layer (`final`).
    """
    return data.StructLayout({
        "valid": 1, "pad": 1, "swap": 1, "first": 1, "last": 1,
        "psum_address": max(1, log2(config.psum_depth)), "psum_first": 1,
        "emit": 1, "end": 1, "final": 1,
    })  # fmt: skip


class Streamer(wiring.Component):
    """Issues one plane a clock.

    `start` (with `layer` and `period`, held until `finished`) begins a layer: `go` asks the tile
    filler for the first tile in the same clock. Whenever `filled`, the next tile starts on the
    following clock, and `go` asks for the tile after it in this one: its first row reaches the
    shadow registers in the clock in which the array swaps them. `filled` is low from the clock
    after a `go` on, for two clocks at least. `active` is high in every clock of
    a tile and `waiting` in every clock without one; `finished` is high in the last clock of the
    last tile.

    `address` is the source bank's linear read address in units of R lanes, modulo the bank; the
    plane arrives BANK_CYCLES later. `tag` belongs to `address`. A bipolar layer's lanes count -1
    where a plane that is valid and not `pad` has a 0.

    With `pool`, all pixels of output tile t add to partial sum t, which starts from zero only if
    `open`; it is complete with the last strip's last pixel, whether it leaves (`close`) or not.
    """

    def __init__(self, config: Config):
        self.config = config
        self.parts = config.group // config.rows
        super().__init__({
            "layer": In(CONV), "period": In(8), "start": In(1),
            "go": Out(1), "filled": In(1),
            "address": Out(log2(config.bank_words * self.parts)), "tag": Out(plane_tag(config)),
            "active": Out(1), "waiting": Out(1), "finished": Out(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        layer, width = self.layer, log2(self.config.bank_words)
        taken = Signal()  # the next tile has become the current one: the walker steps
        walker = Walker(m, self, taken, width)

        # ---- pixel loop: the current tile. Flags say what the counters are at in this clock.
        active, waiting, opening = Signal(), Signal(), Signal()
        first, last, end, final, opens = Signal(), Signal(), Signal(), Signal(), Signal()
        slot, column, row = Signal(8), Signal(12), Signal(12)  # each from 1
        first_slot, last_slot, last_column, last_row = Signal(), Signal(), Signal(), Signal()
        first_pixel, last_pixel, take, tile_done = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            last_pixel.eq(last_column & last_row),
            tile_done.eq(active & last_slot & last_pixel),
            take.eq(self.filled & (waiting | (tile_done & ~final))),
            self.go.eq(self.start | (take & ~walker.final)),
            self.active.eq(active),
            self.waiting.eq(waiting),
            self.finished.eq(tile_done & final),
        ]
        m.d.sync += [taken.eq(take), opening.eq(take)]
        with m.If(take):
            m.d.sync += [active.eq(1), waiting.eq(0)]
        with m.Elif(tile_done):
            m.d.sync += [active.eq(0), waiting.eq(~final)]
        with m.If(self.start):
            m.d.sync += waiting.eq(1)

        # What follows a tile's last clock, and all clocks of waiting, is the first of the next.
        begin, change = Signal(), Signal()  # a pixel, and a tile, may begin in the next clock
        m.d.comb += [begin.eq(waiting | last_slot), change.eq(waiting | last_pixel)]
        length, rows = Signal(8), Signal(12)
        m.d.comb += length.eq(
            Mux(Mux(begin & change, walker.last, last), self.period, layer.in_bits)
        )
        x, y, x0 = (Signal(signed(16)) for _ in range(3))
        plane, pixel, line = (Signal(width) for _ in range(3))  # of this clock; that follow
        where = Signal(width)
        psum, tile = (Signal(self.tag.psum_address.shape()) for _ in range(2))
        twice, twice_x = layer.stride == 2, layer.stride_x == 2
        m.d.comb += where.eq(Mux(change, walker.base, Mux(last_column, line, pixel)))
        m.d.sync += [slot.eq(slot + 1), first_slot.eq(0), last_slot.eq(slot + 1 == length),
                     plane.eq(plane + 1)]  # fmt: skip
        with m.If(begin):
            m.d.sync += [
                slot.eq(1), first_slot.eq(1), last_slot.eq(length == 1), first_pixel.eq(change),
                column.eq(column + 1), last_column.eq(column + 1 == layer.out_width),
                plane.eq(where), psum.eq(psum + 1), x.eq(x + Mux(twice_x, 2, 1)),
                pixel.eq(where + Mux(twice_x, layer.in_bits << 1, layer.in_bits)),
            ]  # fmt: skip
            with m.If(change | last_column):
                m.d.sync += [
                    column.eq(1), last_column.eq(layer.out_width == 1), x.eq(x0),
                    row.eq(row + 1), last_row.eq(row + 1 == rows), y.eq(y + Mux(twice, 2, 1)),
                    line.eq(where + Mux(twice, layer.row_stride << 1, layer.row_stride)),
                ]  # fmt: skip
            with m.If(change):
                m.d.sync += [
                    row.eq(1), rows.eq(walker.rows), last_row.eq(walker.rows == 1),
                    x0.eq(walker.x), x.eq(walker.x), y.eq(walker.y), psum.eq(0),
                    first.eq(walker.first), last.eq(walker.last), final.eq(walker.final),
                    end.eq(walker.end), opens.eq(walker.opens), tile.eq(walker.tile),
                ]  # fmt: skip
        lane_part = Signal(range(self.parts))
        with m.If(begin & change):
            m.d.sync += lane_part.eq(walker.part)

        tag, pool, complete = self.tag, layer.pool, Signal()
        m.d.comb += [
            complete.eq(last & (~pool | (end & last_pixel))),
            self.address.eq(Cat(lane_part, plane) if self.parts > 1 else plane),
            tag.valid.eq(active & (slot <= layer.in_bits)),
            tag.pad.eq((y < 0) | (y >= layer.in_height) | (x < 0) | (x >= layer.in_width)),
            tag.swap.eq(active & opening),
            tag.first.eq(first_slot),
            tag.last.eq(slot == layer.in_bits),
            tag.psum_address.eq(Mux(pool, tile, psum)),
            tag.psum_first.eq(first & (~pool | (opens & first_pixel))),
            tag.emit.eq(complete),
            tag.end.eq(complete & end & last_pixel),
            tag.final.eq(complete & final & last_pixel),
        ]
        return m


class Walker:
    """The tile after the current one, two clocks after `start` or `step`; see the module.

    Where it begins: `base`, a word of the source bank, and `part` of it; column `x` and row `y` of
    its first pixel; `rows` of the strip. `tile`: its output tile. Whether it is the `first` or
    `last` of a strip's passes, in the last strip (`end`), the layer's last (`final`), and in a
    strip that may open a pool's sums (`opens`).
    """

    def __init__(self, m: Module, streamer: Streamer, step, width: int):
        layer, start, parts = streamer.layer, streamer.start, streamer.parts
        nest = Nest(m, {name: layer[name] for name in LOOPS}, step, start)
        ends, last = nest.ends, nest.last
        self.part = Signal(range(parts))
        self.x, self.y, strip_y = (Signal(signed(16)) for _ in range(3))
        self.base, group_base, tap_base, row_base, strip_base = (Signal(width) for _ in range(5))
        self.rows, self.tile = Signal(12), Signal(streamer.tag.psum_address.shape())
        self.first, self.last, self.final, self.opens = (Signal() for _ in range(4))
        self.end, first_strip = last["strips"], Signal()
        m.d.sync += self.base.eq(tap_base + group_base)
        m.d.comb += [
            self.last.eq(Cat(last[name] for name in LOOPS[:4]).all()),
            self.final.eq(self.last & last["strips"] & last["out_tiles"]),
            self.opens.eq(layer.open & first_strip),
            self.rows.eq(Mux(self.end, layer.last_strip_rows, layer.strip_rows)),
        ]

        def first_tap(y, base):
            return [self.y.eq(y), row_base.eq(base), tap_base.eq(base)]

        def first_row(y, base):
            return [strip_y.eq(y), strip_base.eq(base), *first_tap(y, base)]

        top = layer.y_first.as_signed(), layer.src_base
        following = (
            strip_y + Mux(layer.stride == 2, layer.strip_rows << 1, layer.strip_rows),
            strip_base + layer.strip_stride,
        )
        with m.If(step):
            m.d.sync += [self.first.eq(ends["coats"]), self.part.eq(self.part + 1)]
            with m.If(self.part == parts - 1):
                m.d.sync += group_base.eq(group_base + layer.in_group_stride)
        with m.If(ends["in_tiles"]):
            m.d.sync += [self.part.eq(0), group_base.eq(0), self.x.eq(self.x + 1),
                         tap_base.eq(tap_base + layer.in_bits)]  # fmt: skip
        with m.If(ends["kernel_width"]):
            m.d.sync += [
                self.x.eq(-layer.pad_x),
                *first_tap(self.y + 1, row_base + layer.row_stride),
            ]
        with m.If(ends["kernel_height"]):
            m.d.sync += first_tap(strip_y, strip_base)
        with m.If(ends["coats"]):
            m.d.sync += [first_strip.eq(0), *first_row(*following)]
        with m.If(ends["strips"]):
            m.d.sync += [first_strip.eq(1), self.tile.eq(self.tile + 1), *first_row(*top)]
        with m.If(start):
            m.d.sync += [first_strip.eq(1), self.first.eq(1), self.x.eq(-layer.pad_x)]
            m.d.sync += [s.eq(0) for s in (group_base, self.part, self.tile)]
            m.d.sync += first_row(*top)
