"""The frozen pattern in hardware: one LFSR whose top bits are the numbers of a unit's weights."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel import sequence
from hfn_accel.config import Config
from hfn_accel.units import unit_bits

ROW = 1 << (sequence.BITS - sequence.PATTERN_LOG2)
"""Steps of the pattern's LFSR to the next weight of a channel, modulo the period."""

CHANNEL = sequence.PATTERN_BITS
"""Steps to the same weight of the next channel."""


class FrozenPattern(wiring.Component):
    """Numbers 0...15 of a unit's weights (`sequence.pattern`), unit after unit of a layer.

    The LFSR holds the sequence's every 2^18th bit (`sequence.pattern_state`): four of them are a
    weight's number, and the next four are the next channel's. So the top bits are the numbers, and
    the next unit, the next row and the next output tile are each a fixed number of steps away.

    `load` begins with the layer's first unit at `load_state`. `step` goes to the next unit: of the
    row, or where `end_row`, of the next row, or where `end_tile` too, of the next output tile.
    `first_row`: the unit is of its tile's first row. Where `end_row` and `first_row` the LFSR is
    right before the next tile, whose state is kept until `end_tile`. `numbers` (PATTERN_BITS a
    weight, lowest column first) follow a command one clock later; a command a clock.
    """

    def __init__(self, config: Config):
        self.config = config
        super().__init__({
            "load": In(1),
            "load_state": In(sequence.BITS),
            "step": In(1),
            "first_unit": In(1),
            "end_row": In(1),
            "end_tile": In(1),
            "first_row": In(1),
            "numbers": Out(sequence.PATTERN_BITS * unit_bits(self.config)),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        state, tile, row = (Signal(sequence.BITS, name=n) for n in ("state", "tile", "row"))

        def jumped(steps: int) -> Value:
            return Cat((state & mask).xor() for mask in sequence.jump_rows(steps))

        unit = jumped(CHANNEL * unit_bits(self.config))
        if self.config.columns == unit_bits(self.config):
            m.d.comb += row.eq(jumped(ROW))
        else:
            with m.If(self.first_unit):
                m.d.sync += row.eq(jumped(ROW))
        stay = ~self.end_row | (self.end_tile & self.first_row)
        with m.If(self.step | self.load):
            following = Mux(stay, unit, Mux(self.end_tile, tile, row))
            m.d.sync += state.eq(Mux(self.load, self.load_state, following))
        with m.If(self.step & self.first_row & self.end_row):
            m.d.sync += tile.eq(unit)
        m.d.comb += self.numbers.eq(Cat(reversed(state[-len(self.numbers) :])))
        return m
