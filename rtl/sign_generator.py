"""The weight sequence in hardware: one LFSR serves every column."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel import sequence


def tile_signs(state: int, columns: int) -> int:
    """The signs (1 is -1) of all columns at LFSR state `state`, of column c in bit c."""
    ahead = (sequence.jump(state, c << sequence.CHANNEL_LOG2) for c in range(columns))
    return sum((there >> (sequence.BITS - 1)) << c for c, there in enumerate(ahead))


class SignGenerator(wiring.Component):
    """64-bit LFSR whose state is read by `columns` columns through fixed linear functions.

    Column c shows the sequence c * 2^20 steps ahead of the state: bit c of `signs` is the parity of
    `state & A^(c * 2^20)[63]`, A being the step matrix of `hfn_accel.sequence`, from which all
    matrices are derived. `signs` is combinational from `state` and equals `tile_signs(state,
    columns)`.

    At a clock edge, first of those that are given:

    - `load`: base = state = `load_state`;
    - `jump`: base = state = A^(2^20 * columns) base, the next tile of output channels;
    - `rewind`: state = base;
    - `step`: state = A state, the next weight.

    Latency: `state` and `signs` show a command one clock after it; a command every clock.
    """

    LATENCY = 1

    def __init__(self, columns: int):
        self.columns = columns
        super().__init__(
            {
                "load": In(1),
                "load_state": In(sequence.BITS),
                "jump": In(1),
                "rewind": In(1),
                "step": In(1),
                "signs": Out(columns),
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

        last_rows = [sequence.jump_rows(distance * c)[-1] for c in range(self.columns)]
        m.d.comb += self.signs.eq(apply(last_rows, self.state))
        return m
