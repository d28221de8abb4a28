"""Builds the next tile of weights, one row a clock: mask rows paired with regenerated signs."""

from collections.abc import Iterator

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.program import Signs
from hfn_accel.timing import FILL_CYCLES

from .sign_generator import SignGenerator

# The layer's fields: bits. The first six are the loops, innermost first.
LAYER = {
    "in_tiles": 12, "kernel_width": 4, "kernel_height": 4, "coats": 3, "strips": 12,
    "out_tiles": 12, "last_rows": 8, "signs": 2, "sign_state": 64, "mask_base": 20,
    "plane_beats": 20,
}  # fmt: skip
LOOPS = tuple(LAYER)[:6]


def mask_address_bits(config: Config) -> int:
    """Width of a mask row's address: the mask buffer in rows of `columns` bits."""
    return max(1, log2(config.mask_words * config.axi_data_width // config.columns))


def tile_rows(config: Config, layer: dict[str, int]) -> Iterator[list[tuple]]:
    """A layer's tiles in loop order (output tile, strip, coat, tap, input tile).

    Yields, for each tile, its rows as (row_index, k, mask_address, sign_address): k is the row's
    weight index within an output channel; the addresses count rows of `columns` bits of the mask
    buffer, and `sign_address` is None without a sign plane. `layer`: as for `TileFiller`, but
    `sign_state`.
    """
    beat_rows = config.axi_data_width // config.columns
    taps = layer["kernel_height"] * layer["kernel_width"]
    tap_rows = [config.rows] * (layer["in_tiles"] - 1) + [layer["last_rows"]]
    tile_beats = -(-taps * sum(tap_rows) // beat_rows)

    def row(r, k, coat, out_tile):
        def address(plane):
            beat = layer["mask_base"] + plane * layer["plane_beats"] + out_tile * tile_beats
            return beat * beat_rows + k

        return r, k, address(coat), address(layer["coats"]) if layer["signs"] else None

    for out_tile in range(layer["out_tiles"]):
        for _ in range(layer["strips"]):
            for coat in range(layer["coats"]):
                k = 0
                for _ in range(taps):
                    for rows in tap_rows:
                        yield [row(r, k + r, coat, out_tile) for r in range(rows)]
                        k += rows


class TileFiller(wiring.Component):
    """Walks the tiles of one layer as `tile_rows` does and fills the array's shadow tile.

    `setup` (one clock) captures the layer and returns to its first tile; it abandons a fill under
    way and lowers `ready`. The layer: the fields LAYER of a CONV, of which the counts are at least
    1; `sign_state` is the LFSR's at the first weight. A weight's sign is the sequence's bit, its
    XOR with the sign plane's (`signs` EXCEPTIONS), or the sign plane's (EXPLICIT).

    `go` (one clock, from the clock after `setup`, never during a fill) starts the next tile and
    lowers `ready` from the next clock on. `ready` rises `rows(tile) * clocks + FILL_CYCLES` clocks
    after `go`, a row taking two clocks with a sign plane and else one; the shadow tile is then
    complete and stays so until the next `go`. After the layer's last tile, `go` only lowers
    `ready`.

    Mask buffer: `mask_data` is the row at the `mask_addr` of one clock before. A tile's first row
    is addressed from the end of the fill before it (or from `setup`) until `go`, and read in the
    clock of `go`: the layer's mask must be in the buffer by then.

    To the array: `clear` with the first row, `row_en`, `row_index`, `row_mask`, `row_sign`.
    """

    FILL_CYCLES = FILL_CYCLES

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "setup": In(1),
                **{name: In(bits) for name, bits in LAYER.items()},
                "go": In(1),
                "ready": Out(1),
                "mask_addr": Out(mask_address_bits(config)),
                "mask_data": In(config.columns),
                "clear": Out(1),
                "row_en": Out(1),
                "row_index": Out(range(max(2, config.rows))),
                "row_mask": Out(config.columns),
                "row_sign": Out(config.columns),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.generator = generator = SignGenerator(self.config.columns)

        # A loop's counter runs from 0 to its last value, captured by `setup`. It counts when the
        # loop within it ends; the innermost counts tiles.
        row, last_lane = Signal(self.row_index.shape()), Signal.like(self.last_rows)
        source = Signal.like(self.signs)
        filling = Signal()
        remaining = Signal()  # tiles are left
        second = Signal()  # the clock in which the row's signs arrive
        complete = Signal()  # all of a row has arrived
        last_row = Signal()
        loops, ends, end = {}, {}, last_row
        for name in LOOPS:
            port = getattr(self, name)
            counter, last = Signal.like(port, name=name[:-1]), Signal.like(port, name="last")
            with m.If(end):
                m.d.sync += counter.eq(Mux(counter == last, 0, counter + 1))
            ends[name] = Signal(name=f"end_{name}")
            m.d.comb += ends[name].eq(end & (counter == last))
            loops[name], end = (counter, last), ends[name]
        end_coat, end_strip = ends["kernel_height"], ends["coats"]
        end_tile, end_layer = ends["strips"], ends["out_tiles"]
        last_in_tile = loops["in_tiles"][0] == loops["in_tiles"][1]
        double = source != Signs.SEQUENCE
        m.d.comb += [
            complete.eq(filling & (second | ~double)),
            last_row.eq(complete & (row == Mux(last_in_tile, last_lane, self.config.rows - 1))),
        ]

        # `place`, within a plane, runs ahead of `row`: it waits at the next tile's first row.
        start = Signal()
        m.d.comb += start.eq(self.go & remaining)
        place, tile_place, next_beat, coat_base, first_base, sign_base, stride = (
            Signal.like(self.mask_addr, name=n)
            for n in ("place", "tile_place", "next_beat", "coat_base", "first_base", "sign_base",
                      "stride")
        )  # fmt: skip
        beat_bits = log2(self.config.axi_data_width // self.config.columns)
        m.d.comb += next_beat.eq((place + ((1 << beat_bits) - 1))[beat_bits:] << beat_bits)
        with m.If(end_tile):
            m.d.sync += [place.eq(next_beat), tile_place.eq(next_beat)]
        with m.Elif(end_coat):
            m.d.sync += place.eq(tile_place)
        with m.Elif(Mux(double, filling & ~second, start | (filling & ~last_row))):
            m.d.sync += place.eq(place + 1)
        with m.If(end_strip):
            m.d.sync += coat_base.eq(first_base)
        with m.Elif(end_coat):
            m.d.sync += coat_base.eq(coat_base + stride)
        asks_signs = filling & double & ~second
        m.d.comb += self.mask_addr.eq(place + Mux(asks_signs, sign_base, coat_base))

        m.d.comb += [
            generator.load.eq(self.setup),
            generator.load_state.eq(self.sign_state),
            generator.jump.eq(end_tile),
            generator.rewind.eq(end_coat),
            generator.step.eq(complete),
        ]

        written = Signal()  # the row at the outputs is the tile's last
        held = Signal.like(self.mask_data)  # the mask row, while its signs are read
        m.d.sync += [self.clear.eq(0), self.row_en.eq(0), written.eq(last_row),
                     held.eq(self.mask_data)]  # fmt: skip
        with m.If(written):
            m.d.sync += self.ready.eq(1)
        with m.If(filling):
            m.d.sync += second.eq(double & ~second)
        with m.If(complete):
            m.d.sync += [
                self.clear.eq(row == 0),
                self.row_en.eq(1),
                self.row_index.eq(row),
                self.row_mask.eq(Mux(double, held, self.mask_data)),
                self.row_sign.eq(
                    Mux(source == Signs.EXPLICIT, 0, generator.signs)
                    ^ Mux(double, self.mask_data, 0)
                ),
                row.eq(row + 1),
            ]
        with m.If(last_row):
            m.d.sync += [row.eq(0), filling.eq(0), remaining.eq(~end_layer)]
        with m.If(self.go):
            m.d.sync += [self.ready.eq(0), filling.eq(remaining)]
        with m.If(self.setup):
            for name, (counter, last) in loops.items():
                m.d.sync += [counter.eq(0), last.eq(getattr(self, name) - 1)]
            first = self.mask_base << beat_bits
            m.d.sync += [
                last_lane.eq(self.last_rows - 1),
                source.eq(self.signs),
                *(s.eq(0) for s in (row, filling, second, written, place, tile_place)),
                *(s.eq(0) for s in (self.row_en, self.clear, self.ready)),
                remaining.eq(1),
                stride.eq(self.plane_beats << beat_bits),
                coat_base.eq(first),
                first_base.eq(first),
                sign_base.eq(first + (self.coats * self.plane_beats << beat_bits)),
            ]
        return m
