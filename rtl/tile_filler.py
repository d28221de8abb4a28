"""Builds the next tile of weights, one row a clock: mask rows paired with regenerated signs."""

from collections.abc import Iterator

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.program import Signs
from hfn_accel.timing import FILL_CYCLES, MASK_CYCLES

from .loops import Nest
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

    `setup` (one clock) goes to a layer's first tile; it abandons a fill under way and lowers
    `ready`. The layer, held from `setup` on until the last tile is filled: the fields LAYER of a
    CONV, of which the counts are at least 1; `sign_state` is the LFSR's at the first weight. A
    weight's sign is the sequence's bit, its XOR with the sign plane's (`signs` EXCEPTIONS), or the
    sign plane's (EXPLICIT).

    `go` (one clock, from the clock after `setup`, never during a fill) starts the next tile and
    lowers `ready` from the next clock on. `ready` rises `rows(tile) * clocks + FILL_CYCLES` clocks
    after `go`, a row taking two clocks with a sign plane and else one. The shadow tile begins to
    change ROW_CYCLES clocks after `go` and is complete, until it changes for the next tile, from
    ROW_CYCLES - 1 clocks after the rise of `ready`. After the layer's last tile, `go` only lowers
    `ready`.

    Mask buffer: `mask_data` is the row at the `mask_addr` of MASK_CYCLES clocks before. A tile's
    first row is addressed from the end of the fill before it (or from `setup`) until `go`, and
    read in the clock of `go`: the layer's mask must be in the buffer by then.

    To the array: `clear` with the first row, `row_en`, `row_index`, `row_mask`, `row_sign`.
    """

    FILL_CYCLES = FILL_CYCLES
    ROW_CYCLES = MASK_CYCLES + 1

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

        # clock n: a row's last word is asked for; n + 1: `complete`; n + 2: the word is here, the
        # signs of n + 1 beside it, and behind a tile's last row the loops step (`tile_end`)
        filling, remaining = Signal(), Signal()  # a tile is being filled; tiles are left
        second, complete = Signal(), Signal()  # of the two clocks of a row with a sign plane
        row, last_lane = Signal(self.row_index.shape()), Signal(self.row_index.shape())
        last_row, tile_end = Signal(), Signal()
        double = Signal()
        nest = Nest(m, {name: getattr(self, name) for name in LOOPS}, tile_end, self.setup)
        ends, last_in_tile = nest.ends, nest.last["in_tiles"]
        m.d.sync += [double.eq(self.signs != Signs.SEQUENCE), tile_end.eq(last_row),
                     last_lane.eq(self.last_rows - 1)]  # fmt: skip
        m.d.comb += [
            complete.eq(filling & (second | ~double)),
            last_row.eq(complete & (row == Mux(last_in_tile, last_lane, self.config.rows - 1))),
            generator.load.eq(self.setup),
            generator.load_state.eq(self.sign_state),
            generator.jump.eq(ends["strips"]),
            generator.rewind.eq(ends["kernel_height"]),
            generator.step.eq(complete),
        ]
        with m.If(filling):
            m.d.sync += second.eq(double & ~second)
        with m.If(complete):
            m.d.sync += row.eq(row + 1)
        with m.If(last_row):
            m.d.sync += [row.eq(0), filling.eq(0)]
        with m.If(tile_end):
            m.d.sync += [self.ready.eq(1), remaining.eq(~ends["out_tiles"])]
        with m.If(self.go):
            m.d.sync += [self.ready.eq(0), filling.eq(remaining)]

        # `place`, within a plane, runs ahead of `row`: it waits at the next tile's first row.
        place, tile_place, next_beat, coat_base, sign_base = (
            Signal.like(self.mask_addr, name=n)
            for n in ("place", "tile_place", "next_beat", "coat_base", "sign_base")
        )
        beat_bits = log2(self.config.axi_data_width // self.config.columns)
        stride, first_base = self.plane_beats << beat_bits, self.mask_base << beat_bits
        m.d.comb += next_beat.eq((place + ((1 << beat_bits) - 1))[beat_bits:] << beat_bits)
        with m.If(ends["strips"]):
            m.d.sync += [place.eq(next_beat), tile_place.eq(next_beat)]
        with m.Elif(ends["kernel_height"]):
            m.d.sync += place.eq(tile_place)
        with m.Elif(Mux(double, filling & ~second, self.go & remaining | (filling & ~last_row))):
            m.d.sync += place.eq(place + 1)
        with m.If(ends["coats"]):
            m.d.sync += coat_base.eq(first_base)
        with m.Elif(ends["kernel_height"]):
            m.d.sync += coat_base.eq(coat_base + stride)
        parts = [Signal.like(self.mask_addr, name=f"sign_base_{i}") for i in range(2)]
        ones, twos, fours = (Mux(bit, stride << i, 0) for i, bit in enumerate(self.coats))
        m.d.sync += [parts[0].eq(ones + twos), parts[1].eq(first_base + fours),
                     sign_base.eq(parts[0] + parts[1])]  # fmt: skip
        asks_signs = filling & double & ~second
        m.d.comb += self.mask_addr.eq(place + Mux(asks_signs, sign_base, coat_base))

        # The row, from `complete` on its way to the array.
        held = Signal.like(self.mask_data)  # the mask row, while its signs are read
        signs, index, arrives = Signal.like(self.row_sign), Signal.like(row), Signal()
        m.d.sync += [
            arrives.eq(complete),
            index.eq(row),
            signs.eq(Mux(self.signs == Signs.EXPLICIT, 0, generator.signs)),
            held.eq(self.mask_data),
            self.row_en.eq(arrives),
            self.clear.eq(arrives & (index == 0)),
            self.row_index.eq(index),
            self.row_mask.eq(Mux(double, held, self.mask_data)),
            self.row_sign.eq(signs ^ Mux(double, self.mask_data, 0)),
        ]
        with m.If(self.setup):
            m.d.sync += [
                *(s.eq(0) for s in (row, filling, second, tile_end, place, tile_place)),
                *(s.eq(0) for s in (arrives, self.row_en, self.clear, self.ready)),
                remaining.eq(1),
                coat_base.eq(first_base),
            ]
        return m
