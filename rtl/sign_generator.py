"""The weight sequence in hardware: one LFSR serves every column."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel import sequence

PATTERN_OFFSETS = tuple(j << sequence.PATTERN_LOG2 for j in range(sequence.PATTERN_BITS))
"""Where the bits of a weight's number in the frozen pattern are, from its state on."""


def tile_signs(state: int, columns: int, offsets: tuple[int, ...] = (0,)) -> int:
    """The bits of all columns at LFSR state `state`: of offset j and column c in bit
    `j * columns + c`. With the one offset 0 they are the signs (1 is -1).
    """
    distances = [o + (c << sequence.CHANNEL_LOG2) for o in offsets for c in range(columns)]
    return sum(
        (sequence.jump(state, distance) >> (sequence.BITS - 1)) << i
        for i, distance in enumerate(distances)
    )


class SignGenerator(wiring.Component):
    """64-bit LFSR whose state is read by `columns` columns through fixed linear functions.

    Column c shows the sequence c * 2^20 steps ahead of the state, plus each of `offsets`: bit
    `j * columns + c` of `signs` is the parity of `state & A^(c * 2^20 + offsets[j])[63]`, A being
    the step matrix of `hfn_accel.sequence`, from which all matrices are derived. The one offset 0
    gives the signs; a frozen pattern's numbers (`PATTERN_OFFSETS`) have a bit at each of four.
    `signs` is combinational from `state` and equals `tile_signs(state, columns, offsets)`.

    At a clock edge, first of those that are given:

    - `load`: base = state = `load_state`;
    - `jump`: base = state = A^(2^20 * columns) base, the next tile of output channels;
    - `rewind`: state = base;
    - `step`: state = A state, the next weight.

    Latency: `state` and `signs` show a command one clock after it; a command every clock.
    """

    LATENCY = 1

    def __init__(self, columns: int, offsets: tuple[int, ...] = (0,)):
        self.columns = columns
        self.offsets = offsets
        super().__init__(
            {
                "load": In(1),
                "load_state": In(sequence.BITS),
                "jump": In(1),
                "rewind": In(1),
                "step": In(1),
                "signs": Out(columns * len(offsets)),
                "state": Out(sequence.BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        base = Signal(sequence.BITS)

        def apply(rows, state):
            # A reduction XOR is one operator in Verilog and a balanced tree after synthesis.
            return Cat((state & row).xor() for row in rows)

        distance = 1 << sequence.CHANNEL_LOG2
        jumped = apply(sequence.jump_rows(distance * self.columns), base)
        stepped = Cat((self.state & sequence.jump_rows(1)[0]).xor(), self.state[:-1])
        with m.If(self.load):
            m.d.sync += [base.eq(self.load_state), self.state.eq(self.load_state)]
        with m.Elif(self.jump):
            m.d.sync += [base.eq(jumped), self.state.eq(jumped)]
        with m.Elif(self.rewind):
            m.d.sync += self.state.eq(base)
        with m.Elif(self.step):
            m.d.sync += self.state.eq(stepped)

        last_rows = [sequence.jump_rows(offset + distance * c)[-1]
                     for offset in self.offsets for c in range(self.columns)]  # fmt: skip
        m.d.comb += self.signs.eq(apply(last_rows, self.state))
        return m
