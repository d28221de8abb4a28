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
    shadow registers in the clock in which the array swaps them. `active` is high in every clock of
    a tile and `waiting` in every clock without one; `finished` is high in the last clock of the
    last tile.

    `address` is the source bank's linear read address in units of R lanes, modulo the bank; the
    plane arrives one clock later. `tag` belongs to `address`. A bipolar layer's lanes count -1
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
        twice, twice_x = layer.stride == 2, layer.stride_x == 2

        # ---- walker: the next tile
        in_tile, out_tile, strip = Signal(12), Signal(12), Signal(12)
        kx, ky, coat = Signal(4), Signal(4), Signal(3)
        part = Signal(range(self.parts))
        group_base, tap_base, row_base, strip_base = (Signal(width) for _ in range(4))
        tap_x, tap_y, strip_y = (Signal(signed(16)) for _ in range(3))
        last_in_tile, last_kx, last_ky, last_coat, last_strip, last_out_tile = (
            Signal(name=f"last_{n}") for n in ("in_tile", "kx", "ky", "coat", "strip", "out_tile")
        )
        next_first, next_last, next_final = Signal(), Signal(), Signal()
        m.d.comb += [
            last_in_tile.eq(in_tile == layer.in_tiles - 1),
            last_kx.eq(kx == layer.kernel_width - 1),
            last_ky.eq(ky == layer.kernel_height - 1),
            last_coat.eq(coat == layer.coats - 1),
            last_strip.eq(strip == layer.strips - 1),
            last_out_tile.eq(out_tile == layer.out_tiles - 1),
            next_first.eq((in_tile == 0) & (kx == 0) & (ky == 0) & (coat == 0)),
            next_last.eq(last_in_tile & last_kx & last_ky & last_coat),
            next_final.eq(next_last & last_strip & last_out_tile),
        ]
        take = Signal()

        def first_tap(y, base):
            return [tap_y.eq(y), row_base.eq(base), tap_base.eq(base)]

        def first_strip():
            y, base = layer.y_first.as_signed(), layer.src_base
            return [strip.eq(0), strip_y.eq(y), strip_base.eq(base), *first_tap(y, base)]

        with m.If(self.start):
            m.d.sync += [*first_strip(), tap_x.eq(-layer.pad_x)]
            m.d.sync += [s.eq(0) for s in (group_base, part, in_tile, kx, ky, coat, out_tile)]
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
                    m.d.sync += [kx.eq(0), tap_x.eq(-layer.pad_x)]
                    with m.If(~last_ky):
                        m.d.sync += ky.eq(ky + 1)
                        m.d.sync += first_tap(tap_y + 1, row_base + layer.row_stride)
                    with m.Elif(~last_coat):
                        m.d.sync += [ky.eq(0), coat.eq(coat + 1), *first_tap(strip_y, strip_base)]
                    with m.Else():
                        m.d.sync += [ky.eq(0), coat.eq(0)]
                        with m.If(~last_strip):
                            following = strip_base + layer.strip_stride
                            below = strip_y + Mux(twice, layer.strip_rows << 1, layer.strip_rows)
                            m.d.sync += [
                                strip.eq(strip + 1),
                                strip_y.eq(below),
                                strip_base.eq(following),
                                *first_tap(below, following),
                            ]
                        with m.Else():
                            m.d.sync += [*first_strip(), out_tile.eq(out_tile + 1)]

        # ---- pixel loop: the current tile
        active, waiting, opening = Signal(), Signal(), Signal()
        first, last, end, final, opens = Signal(), Signal(), Signal(), Signal(), Signal()
        tile = Signal.like(out_tile)
        lane_part = Signal(range(self.parts))
        slot, length = Signal(8), Signal(8)
        ox, oy, rows = Signal(12), Signal(12), Signal(12)
        x, y, x0 = (Signal(signed(16)) for _ in range(3))
        plane, pixel, row = (Signal(width) for _ in range(3))
        psum = Signal(self.tag.psum_address.shape())
        row_step = Mux(twice, layer.row_stride << 1, layer.row_stride)
        pixel_step = Mux(twice_x, layer.in_bits << 1, layer.in_bits)
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
        m.d.comb += [
            self.go.eq(self.start | (take & ~next_final)),
            take.eq(self.filled & pending & (waiting | (tile_done & ~final))),
        ]
        with m.If(self.go):
            m.d.sync += pending.eq(1)
        with m.Elif(take):
            m.d.sync += pending.eq(0)

        with m.If(active):
            m.d.sync += [opening.eq(0), slot.eq(slot + 1), plane.eq(plane + 1)]
            with m.If(last_slot):
                m.d.sync += [slot.eq(0), ox.eq(ox + 1), psum.eq(psum + 1),
                             x.eq(x + Mux(twice_x, 2, 1)),
                             *(s.eq(pixel + pixel_step) for s in (pixel, plane))]  # fmt: skip
                with m.If(ox == layer.out_width - 1):
                    m.d.sync += [ox.eq(0), oy.eq(oy + 1), x.eq(x0), y.eq(y + Mux(twice, 2, 1))]
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
                end.eq(last_strip), opens.eq(layer.open & (strip == 0)),
                tile.eq(out_tile), lane_part.eq(part),
                rows.eq(Mux(last_strip, layer.last_strip_rows, layer.strip_rows)),
                ox.eq(0), oy.eq(0), x0.eq(tap_x), x.eq(tap_x), y.eq(tap_y),
                row.eq(base), pixel.eq(base), plane.eq(base),
            ]  # fmt: skip

        tag, pool = self.tag, layer.pool
        first_pixel, complete = Signal(), Signal()
        m.d.comb += [
            first_pixel.eq((ox == 0) & (oy == 0)),
            complete.eq(last & (~pool | (end & last_pixel))),
            self.address.eq(Cat(lane_part, plane) if self.parts > 1 else plane),
            tag.valid.eq(active & (slot < layer.in_bits)),
            tag.pad.eq((y < 0) | (y >= layer.in_height) | (x < 0) | (x >= layer.in_width)),
            tag.swap.eq(active & opening),
            tag.first.eq(slot == 0),
            tag.last.eq(slot == layer.in_bits - 1),
            tag.psum_address.eq(Mux(pool, tile, psum)),
            tag.psum_first.eq(first & (~pool | (opens & first_pixel))),
            tag.emit.eq(complete),
            tag.end.eq(complete & end & last_pixel),
            tag.final.eq(complete & final & last_pixel),
        ]
        return m
