"""The loop nest of a layer: which bit-plane enters the array at which clock.

Two loops run side by side. The *walker* always describes the tile after the current one (output
tile, strip, tap, input tile, and the address, row and column at which it begins), so that tiles
follow each other without a bubble. The *pixel loop* runs through the current tile's output pixels
and planes, with additions only: no address is ever multiplied.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2

from .descriptor import CONV


def plane_tag(config: Config) -> data.StructLayout:
    """What accompanies a plane through the pipeline.

    valid; pad: the pixel lies outside the image; swap: first plane of a tile; first, last: of a
    pixel's planes; then for the pixel's partial sum its address, whether it starts from zero,
    whether it leaves (`emit`), and whether it is the last to leave of its output tile (`end`) or of
    the layer (`final`).
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
    following clock; `go` for the tile after it comes one clock after a tile's first plane, when
    that tile's weights have left the shadow registers. `active` is high in every clock of a tile
    and `waiting` in every clock without one; `finished` is high in the last clock of the last tile.

    `address` is the source bank's linear read address in units of R lanes; the plane arrives one
    clock later. `tag` belongs to `address`.
    """

    GO_DELAY = 1  # clocks from a tile's first plane to the request for the next tile

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
        twice = layer.stride == 2

        # ---- walker: the next tile
        in_tile, out_tile, strip = Signal(12), Signal(12), Signal(12)
        kx, ky = Signal(4), Signal(4)
        part = Signal(range(self.parts))
        group_base, tap_base, row_base, strip_base = (Signal(width) for _ in range(4))
        tap_x, tap_y, strip_y = (Signal(signed(14)) for _ in range(3))
        last_in_tile, last_kx = Signal(), Signal()
        last_ky, last_strip, last_out_tile = Signal(), Signal(), Signal()
        next_first, next_last, next_final = Signal(), Signal(), Signal()
        m.d.comb += [
            last_in_tile.eq(in_tile == layer.in_tiles - 1),
            last_kx.eq(kx == layer.kernel - 1),
            last_ky.eq(ky == layer.kernel - 1),
            last_strip.eq(strip == layer.strips - 1),
            last_out_tile.eq(out_tile == layer.out_tiles - 1),
            next_first.eq((in_tile == 0) & (kx == 0) & (ky == 0)),
            next_last.eq(last_in_tile & last_kx & last_ky),
            next_final.eq(next_last & last_strip & last_out_tile),
        ]
        take = Signal()

        def first_strip():
            return [strip.eq(0), strip_y.eq(-layer.pad), tap_y.eq(-layer.pad),
                    *(b.eq(-layer.origin) for b in (strip_base, row_base, tap_base))]  # fmt: skip

        with m.If(self.start):
            m.d.sync += [*first_strip(), tap_x.eq(-layer.pad), group_base.eq(0), part.eq(0),
                         in_tile.eq(0), kx.eq(0), ky.eq(0), out_tile.eq(0)]  # fmt: skip
        with m.Elif(take):
            with m.If(~last_in_tile):
                m.d.sync += [in_tile.eq(in_tile + 1), part.eq(part + 1)]
                with m.If(part == self.parts - 1):
                    m.d.sync += [part.eq(0), group_base.eq(group_base + layer.in_group_stride)]
            with m.Else():
                m.d.sync += [in_tile.eq(0), part.eq(0), group_base.eq(0)]
                with m.If(~last_kx):
                    m.d.sync += [kx.eq(kx + 1), tap_x.eq(tap_x + 1),
                                 tap_base.eq(tap_base + layer.in_bits)]  # fmt: skip
                with m.Else():
                    m.d.sync += [kx.eq(0), tap_x.eq(-layer.pad)]
                    with m.If(~last_ky):
                        following = row_base + layer.row_stride
                        m.d.sync += [ky.eq(ky + 1), tap_y.eq(tap_y + 1),
                                     row_base.eq(following), tap_base.eq(following)]  # fmt: skip
                    with m.Else():
                        m.d.sync += ky.eq(0)
                        with m.If(~last_strip):
                            following = strip_base + layer.strip_stride
                            below = strip_y + Mux(twice, layer.strip_rows << 1, layer.strip_rows)
                            m.d.sync += [strip.eq(strip + 1), strip_y.eq(below), tap_y.eq(below),
                                         strip_base.eq(following), row_base.eq(following),
                                         tap_base.eq(following)]  # fmt: skip
                        with m.Else():
                            m.d.sync += [*first_strip(), out_tile.eq(out_tile + 1)]

        # ---- pixel loop: the current tile
        active, waiting, opening = Signal(), Signal(), Signal()
        first, last, end, final = Signal(), Signal(), Signal(), Signal()
        lane_part = Signal(range(self.parts))
        slot, length = Signal(8), Signal(8)
        ox, oy, rows = Signal(12), Signal(12), Signal(12)
        x, y, x0 = (Signal(signed(14)) for _ in range(3))
        plane, pixel, row = (Signal(width) for _ in range(3))
        psum = Signal(self.tag.psum_address.shape())
        row_step = Mux(twice, layer.row_stride << 1, layer.row_stride)
        pixel_step = Mux(twice, layer.in_bits << 1, layer.in_bits)
        step = Mux(twice, 2, 1)
        last_slot, last_pixel, tile_done = Signal(), Signal(), Signal()
        m.d.comb += [
            length.eq(Mux(last, self.period, layer.in_bits)),
            last_slot.eq(slot == length - 1),
            last_pixel.eq((ox == layer.out_width - 1) & (oy == rows - 1)),
            tile_done.eq(active & last_slot & last_pixel),
            self.active.eq(active),
            self.waiting.eq(waiting),
            self.finished.eq(tile_done & final),
        ]
        pending = Signal()  # a fill was asked for and not yet taken
        again = Signal()
        m.d.sync += again.eq(opening & active & ~final)
        m.d.comb += [
            self.go.eq(self.start | again),
            take.eq(self.filled & pending & (waiting | (tile_done & ~final))),
        ]
        with m.If(self.go):
            m.d.sync += pending.eq(1)
        with m.Elif(take):
            m.d.sync += pending.eq(0)

        with m.If(active):
            m.d.sync += [opening.eq(0), slot.eq(slot + 1), plane.eq(plane + 1)]
            with m.If(last_slot):
                m.d.sync += [slot.eq(0), ox.eq(ox + 1), x.eq(x + step), psum.eq(psum + 1),
                             *(s.eq(pixel + pixel_step) for s in (pixel, plane))]  # fmt: skip
                with m.If(ox == layer.out_width - 1):
                    m.d.sync += [ox.eq(0), oy.eq(oy + 1), x.eq(x0), y.eq(y + step)]
                    m.d.sync += [s.eq(row + row_step) for s in (row, pixel, plane)]
        with m.If(tile_done):
            m.d.sync += [active.eq(0), waiting.eq(~final)]
        with m.If(self.start):
            m.d.sync += waiting.eq(1)
        with m.If(take):
            base = tap_base + group_base
            m.d.sync += [
                active.eq(1), waiting.eq(0), opening.eq(1), slot.eq(0), psum.eq(0),
                first.eq(next_first), last.eq(next_last), final.eq(next_final),
                end.eq(last_strip), lane_part.eq(part),
                rows.eq(Mux(last_strip, layer.last_strip_rows, layer.strip_rows)),
                ox.eq(0), oy.eq(0), x0.eq(tap_x), x.eq(tap_x), y.eq(tap_y),
                row.eq(base), pixel.eq(base), plane.eq(base),
            ]  # fmt: skip

        tag, pool = self.tag, layer.pool
        opens = Signal()
        leaves = Signal()
        m.d.comb += [
            opens.eq(first & (~pool | ((ox == 0) & (oy == 0)))),
            leaves.eq(last & (~pool | last_pixel)),
            self.address.eq(Cat(lane_part, plane) if self.parts > 1 else plane),
            tag.valid.eq(active & (slot < layer.in_bits)),
            tag.pad.eq((y < 0) | (y >= layer.in_height) | (x < 0) | (x >= layer.in_width)),
            tag.swap.eq(active & opening),
            tag.first.eq(slot == 0),
            tag.last.eq(slot == layer.in_bits - 1),
            tag.psum_address.eq(Mux(pool, 0, psum)),
            tag.psum_first.eq(opens),
            tag.emit.eq(leaves),
            tag.end.eq(leaves & end & last_pixel),
            tag.final.eq(leaves & final & last_pixel),
        ]
        return m
