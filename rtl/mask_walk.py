"""The order in which a layer's units stand in a mask stream."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config
from hfn_accel.units import unit_bits


class MaskWalk(wiring.Component):
    """Unit by unit of a row, row by row of a tile, tile by tile of a layer.

    `start` goes to the first unit, `step` to the next; what is said of it follows a clock later:
    its number in its row, and whether it ends (or is in the first of) its row, tile and layer.
    `fan_in` and `out_tiles`, from `start` on, are the layer's.
    """

    def __init__(self, config: Config):
        self.config = config
        self.units = config.columns // unit_bits(config)
        super().__init__({
            "start": In(1),
            "step": In(1),
            "fan_in": In(20),
            "out_tiles": In(12),
            "unit": Out(range(max(2, self.units))),
            "first_unit": Out(1),
            "first_row": Out(1),
            "last_tile": Out(1),
            "end_row": Out(1),
            "end_tile": Out(1),
            "end_layer": Out(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        last_row, single = Signal(), Signal()
        row, tile = Signal(20), Signal(12)  # the next, counted from 1 on
        m.d.comb += [
            single.eq(self.fan_in == 1),
            self.first_unit.eq(self.unit == 0),
            self.end_row.eq(self.unit == self.units - 1),
            self.end_tile.eq(self.end_row & last_row),
            self.end_layer.eq(self.end_tile & self.last_tile),
        ]
        with m.If(self.step):
            m.d.sync += self.unit.eq(Mux(self.end_row, 0, self.unit + 1))
            with m.If(self.end_tile):
                m.d.sync += [
                    row.eq(2), self.first_row.eq(1), last_row.eq(single),
                    tile.eq(tile + 1), self.last_tile.eq(tile == self.out_tiles),
                ]  # fmt: skip
            with m.Elif(self.end_row):
                m.d.sync += [row.eq(row + 1), self.first_row.eq(0), last_row.eq(row == self.fan_in)]
        with m.If(self.start):
            m.d.sync += [
                self.unit.eq(0), row.eq(2), self.first_row.eq(1), last_row.eq(single),
                tile.eq(2), self.last_tile.eq(self.out_tiles == 1),
            ]  # fmt: skip
        return m
