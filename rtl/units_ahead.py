"""What a mask stream's units are to hold, known ahead of the stream."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config
from hfn_accel.sequence import PATTERN_BITS
from hfn_accel.units import UNIT, unit_bits

from .descriptor import CONV
from .frozen_pattern import FrozenPattern
from .gather import sort_ones
from .mask_walk import MaskWalk


def unit_layout(config: Config) -> data.StructLayout:
    """A unit of a layer: `valid` if it is one, where it stands, and its weights: which of them
    plane 0 has raw bits for, and which are 1 without."""
    return data.StructLayout({
        "valid": 1, "end_tile": 1, "end_layer": 1,
        "searchable": unit_bits(config), "locked": unit_bits(config),
    })  # fmt: skip


class UnitsAhead(wiring.Component):
    """Unit after unit of the layer in `conv` (held from `start` on), one with every `step`.

    `start` leads to two that are not valid, of which the first wants all UNIT bits and the second
    none. `wanted`: as many of the lowest bits as plane 0 has raw bits. `given`: the next as many as
    are locked, so that the ones of plane 0 are those of `raw bits & wanted | given`.
    """

    def __init__(self, config: Config):
        self.config = config
        super().__init__({
            "start": In(1),
            "step": In(1),
            "conv": In(CONV),
            "unit": Out(unit_layout(config)),
            "wanted": Out(UNIT),
            "given": Out(UNIT),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        conv, config, size = self.conv, self.config, unit_bits(self.config)
        m.submodules.walk = walk = MaskWalk(config)
        m.submodules.pattern = pattern = FrozenPattern(config)
        m.d.comb += [
            walk.start.eq(self.start),
            walk.step.eq(self.step),
            walk.fan_in.eq(conv.fan_in),
            walk.out_tiles.eq(conv.out_tiles),
            pattern.load.eq(self.start),
            pattern.load_state.eq(conv.pattern_state),
            pattern.step.eq(self.step),
            *(getattr(pattern, name).eq(getattr(walk, name)) for name in (
                "first_unit", "first_row", "end_row", "end_tile")),
        ]  # fmt: skip

        # A unit's masks
        pruned, gone, raw = Signal(5), Signal(5), Signal()
        m.d.sync += [
            pruned.eq(conv.pruned),
            gone.eq(conv.pruned + conv.locked),
            raw.eq((conv.pruned == 0) & (conv.locked == 0) & (conv.code == 0)),
        ]
        # The last tile's last channel: units before its unit are whole, those behind it empty
        last = Signal(range(max(2, config.columns)))
        last_unit, upto = Signal.like(walk.unit), Signal(size)
        m.d.comb += last.eq((conv.out_channels - 1) & (config.columns - 1))
        m.d.sync += [last_unit.eq(last // size),
                     upto.eq(Cat(last % size >= c for c in range(size)))]  # fmt: skip
        whole = ~walk.last_tile | (walk.unit < last_unit)
        alive = Mux(whole, ~0, Mux(walk.unit == last_unit, upto, 0))[:size]
        numbers = [pattern.numbers.word_select(c, PATTERN_BITS) for c in range(size)]
        is_pruned = Cat(number < pruned for number in numbers)
        is_gone = Cat(number < gone for number in numbers)
        unit = Signal.like(self.unit)
        with m.If(self.step):
            m.d.sync += [
                unit.valid.eq(1),
                unit.end_tile.eq(walk.end_tile),
                unit.end_layer.eq(walk.end_layer),
                unit.searchable.eq((alive & ~is_gone & (gone != 0).replicate(size))
                                   | raw.replicate(size)),
                unit.locked.eq(alive & is_gone & ~is_pruned),
                self.unit.eq(unit),
            ]  # fmt: skip

        # How many bits they ask for
        searchable = Cat(sort_ones(m, list(unit.searchable)))
        present = Cat(sort_ones(m, list(unit.searchable | unit.locked)))
        with m.If(self.step):
            m.d.sync += [self.wanted.eq(searchable), self.given.eq(present & ~searchable)]
        with m.If(self.start):
            m.d.sync += [
                unit.valid.eq(0), unit.searchable.eq(0), unit.locked.eq(0),
                self.unit.valid.eq(0), self.wanted.eq(~0), self.given.eq(0),
            ]  # fmt: skip
        return m
