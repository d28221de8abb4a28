"""Builds the next tile of weights, one row a clock: mask rows paired with regenerated signs."""

from collections.abc import Iterator

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.timing import FILL_CYCLES

from .sign_generator import SignGenerator


def mask_address_bits(config: Config) -> int:
    """Width of a mask row's address: the mask buffer in rows of `columns` bits."""
    return max(1, log2(config.mask_words * config.axi_data_width // config.columns))


def tile_rows(
    config: Config,
    *,
    taps: int,
    in_tiles: int,
    last_rows: int,
    strips: int,
    out_tiles: int,
    mask_base: int,
) -> Iterator[list[tuple[int, int, int]]]:
    """A layer's tiles in loop order (output tile, strip, tap, input tile).

    Yields, for each tile, its rows as (row_index, k, mask_address): k is the row's weight index
    within an output channel, mask_address counts rows of `columns` bits of the mask buffer, and
    `mask_base` counts bus beats. Every output tile's rows begin at a bus beat.
    """
    beat_rows = config.axi_data_width // config.columns
    tap_rows = [config.rows] * (in_tiles - 1) + [last_rows]
    fan_in = taps * sum(tap_rows)
    for out_tile in range(out_tiles):
        base = (mask_base + out_tile * -(-fan_in // beat_rows)) * beat_rows
        for _ in range(strips):
            k = 0
            for _ in range(taps):
                for rows in tap_rows:
                    yield [(r, k + r, base + k + r) for r in range(rows)]
                    k += rows


class TileFiller(wiring.Component):
    """Walks the tiles of one layer as `tile_rows` does and fills the array's shadow tile.

    `setup` (one clock) captures the layer and returns to its first tile; it abandons a fill under
    way and lowers `ready`. The layer: `sign_state` (LFSR state at the tensor's first weight),
    `taps` (kernel height * width), `in_tiles`, `last_rows` (rows of a tap's last input tile),
    `strips`, `out_tiles`, all at least 1, and `mask_base` (in bus beats).

    `go` (one clock, from the clock after `setup`, never during a fill) starts the next tile and
    lowers `ready` from the next clock on. `ready` rises `rows(tile) + FILL_CYCLES` clocks after
    `go`; the shadow tile is then complete and stays so until the next `go`. After the layer's last
    tile, `go` only lowers `ready`.

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
                "sign_state": In(64),
                "taps": In(8),
                "in_tiles": In(12),
                "last_rows": In(8),
                "strips": In(12),
                "out_tiles": In(12),
                "mask_base": In(20),
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
        m.submodules.signs = signs = SignGenerator(self.config.columns)

        # A loop's counter runs from 0 to its last value, captured by `setup`.
        loops = {}
        for name in ("in_tiles", "taps", "strips", "out_tiles"):
            port = getattr(self, name)
            counter, last = (
                Signal.like(port, name=name[:-1]),
                Signal.like(port, name=f"last_{name}"),
            )
            loops[name] = counter, last
        ends = {name: counter == last for name, (counter, last) in loops.items()}
        last_lane = Signal.like(self.last_rows)
        row = Signal(self.row_index.shape())

        filling = Signal()
        remaining = Signal()  # tiles are left
        last_row = Signal()
        end_tap, end_strip, end_tile, end_layer = (Signal() for _ in range(4))
        m.d.comb += [
            last_row.eq(filling & (row == Mux(ends["in_tiles"], last_lane, self.config.rows - 1))),
            end_tap.eq(last_row & ends["in_tiles"]),
            end_strip.eq(end_tap & ends["taps"]),
            end_tile.eq(end_strip & ends["strips"]),
            end_layer.eq(end_tile & ends["out_tiles"]),
        ]

        # The address runs one row ahead of `row`: it waits at the next tile's first row.
        start = Signal()
        base = Signal.like(self.mask_addr)
        beat_bits = log2(self.config.axi_data_width // self.config.columns)
        next_beat = (self.mask_addr + ((1 << beat_bits) - 1))[beat_bits:] << beat_bits
        m.d.comb += start.eq(self.go & remaining)
        with m.If(end_tile):
            m.d.sync += [self.mask_addr.eq(next_beat), base.eq(next_beat)]
        with m.Elif(end_strip):
            m.d.sync += self.mask_addr.eq(base)
        with m.Elif(start | (filling & ~last_row)):
            m.d.sync += self.mask_addr.eq(self.mask_addr + 1)

        m.d.comb += [
            signs.load.eq(self.setup),
            signs.load_state.eq(self.sign_state),
            signs.jump.eq(end_tile),
            signs.rewind.eq(end_strip),
            signs.step.eq(filling),
        ]

        written = Signal()  # the row at the outputs is the tile's last
        m.d.sync += [self.clear.eq(0), self.row_en.eq(0), written.eq(last_row)]
        with m.If(written):
            m.d.sync += self.ready.eq(1)
        with m.If(filling):
            m.d.sync += [
                self.clear.eq(row == 0),
                self.row_en.eq(1),
                self.row_index.eq(row),
                self.row_mask.eq(self.mask_data),
                self.row_sign.eq(signs.signs),
                row.eq(row + 1),
            ]
        for name, end in (("in_tiles", last_row), ("taps", end_tap),
                          ("strips", end_strip), ("out_tiles", end_tile)):  # fmt: skip
            counter, _ = loops[name]
            with m.If(end):
                m.d.sync += counter.eq(Mux(ends[name], 0, counter + 1))
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
                row.eq(0),
                filling.eq(0),
                remaining.eq(1),
                written.eq(0),
                self.row_en.eq(0),
                self.clear.eq(0),
                self.ready.eq(0),
                self.mask_addr.eq(first),
                base.eq(first),
            ]
        return m
