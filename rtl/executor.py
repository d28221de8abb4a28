"""Executes CONV, POOL, STORE and END, one at a time."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config
from hfn_accel.images import LOGIT_BYTES
from hfn_accel.program import FIELDS, Opcode
from hfn_accel.registers import Cause, ErrorCode

from . import axi
from .descriptor import BITS, CONV, POOL, TRANSFER
from .write_dma import OUTSIDE

EXECUTED = (Opcode.CONV, Opcode.POOL, Opcode.STORE, Opcode.END)


class Executor(wiring.Component):
    """When idle, takes a descriptor (`offer`, `word`, its number `i_index`; `taken` in the same
    clock), holds it until `stored` has reached `hold_stored`, and executes it:

    - CONV: `setup` resets the datapath's blocks and `stream`, one clock later, starts them; then
      planes stream (`active`) to the clock `finished`, and the last results leave to the clock
      `drained`. If raw and `close`, it waits for the storer and writes the logits: `result_start`
      in the clock of `write_start`.
    - POOL: `pool_start`, then up to the clock `pooled`, later than that of the start.
    - STORE: waits for the storer, and starts it (`store_start`) with the fields `transfer`.
    - END: waits for the storer; `done`, one clock.

    `conv`, `pool`, `transfer` show the descriptor from the clock after `taken` on and until the
    next is taken, `period` a pixel's clocks in the last pass from `stream` on. `executed` counts
    CONVs and POOLs that are complete, from `clear` on. `busy` is high, and `cause` not 0, from the
    clock after `taken` to the descriptor's last, inclusive. `failed`, one clock, with `error_code`:
    the logits could not be written, or the storer is idle and what is held for never comes. Its
    clocks are those of `hfn_accel.engine.timeline`.
    """

    def __init__(self, config: Config):
        self.config = config
        super().__init__({
            "clear": In(1),
            "offer": In(1), "word": In(BITS), "i_index": In(16), "taken": Out(1),
            "busy": Out(1), "done": Out(1), "failed": Out(1), "error_code": Out(8),
            "cause": Out(4), "index": Out(16), "executed": Out(16),
            "conv": Out(CONV), "period": Out(8), "setup": Out(1), "stream": Out(1),
            "active": In(1), "finished": In(1), "drained": In(1), "result_start": Out(1),
            "pool": Out(POOL), "pool_start": Out(1), "pooled": In(1),
            "transfer": Out(TRANSFER), "store_start": Out(1), "store_busy": In(1),
            "stored": In(16),
            "write_start": Out(1), "write_offset": Out(32),
            "write_bytes": Out(axi.transfer_bits(config)),
            "write_busy": In(1), "write_error": In(2),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        conv = self.conv
        used = max(sum(f.bits for f in FIELDS[opcode]) for opcode in EXECUTED)
        word = Signal(used)
        m.d.comb += [view.as_value().eq(word) for view in (conv, self.pool, self.transfer)]

        issued, streamed = Signal(), Signal()
        reached, storing = Signal(), Signal()  # a clock ago
        m.d.sync += [
            reached.eq(~(self.stored - self.transfer.hold_stored)[15]),
            storing.eq(self.store_busy),
        ]

        def fail(code):
            m.d.comb += [self.failed.eq(1), self.error_code.eq(code)]
            m.next = "IDLE"

        def complete():
            m.d.sync += self.executed.eq(self.executed + 1)
            m.next = "IDLE"

        m.d.comb += [
            self.busy.eq(1),
            self.write_offset.eq(conv.parameter_address),
            self.write_bytes.eq(LOGIT_BYTES * conv.out_channels),
            self.result_start.eq(self.write_start),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.busy.eq(0), self.taken.eq(self.offer)]
                m.d.sync += [issued.eq(0), streamed.eq(0)]
                with m.If(self.offer):
                    m.d.sync += [word.eq(self.word), self.index.eq(self.i_index)]
                    m.next = "LOOK"

            with m.State("LOOK"):
                m.d.comb += self.cause.eq(Cause.DESCRIPTOR)
                m.next = "HOLD"

            with m.State("HOLD"):
                m.d.comb += self.cause.eq(Cause.STORE)
                with m.If(~reached):
                    with m.If(~storing):
                        fail(ErrorCode.DEADLOCK)
                with m.Elif(conv.opcode == Opcode.CONV):
                    m.d.comb += [self.cause.eq(Cause.FILL), self.setup.eq(1)]
                    m.d.sync += self.period.eq(period(conv, self.config))
                    m.next = "STREAM"
                with m.Elif(conv.opcode == Opcode.POOL):
                    m.d.comb += [self.cause.eq(Cause.POOL), self.pool_start.eq(1)]
                    m.next = "POOL"
                with m.Elif(~self.store_busy):
                    m.d.comb += [
                        self.store_start.eq(conv.opcode == Opcode.STORE),
                        self.done.eq(conv.opcode == Opcode.END),
                    ]
                    m.next = "IDLE"

            with m.State("STREAM"):
                m.d.comb += [self.cause.eq(Cause.FILL), self.stream.eq(1)]
                m.next = "COMPUTE"

            with m.State("COMPUTE"):
                with m.If(self.active):
                    m.d.comb += self.cause.eq(Cause.COMPUTE)
                    m.d.sync += streamed.eq(1)
                with m.Else():
                    m.d.comb += self.cause.eq(Mux(streamed, Cause.STALL, Cause.FILL))
                with m.If(self.finished):
                    m.next = "DRAIN"

            with m.State("DRAIN"):
                m.d.comb += self.cause.eq(Cause.DRAIN)
                with m.If(self.drained):
                    with m.If(conv.raw & conv.close):
                        m.next = "RESULT"
                    with m.Else():
                        complete()

            with m.State("RESULT"):
                m.d.comb += [
                    self.cause.eq(Cause.STORE), self.write_start.eq(~issued & ~self.store_busy),
                ]  # fmt: skip
                with m.If(self.write_start):
                    m.d.sync += issued.eq(1)
                with m.If(issued & ~self.write_busy):
                    with m.If(self.write_error != 0):
                        fail(write_error(self.write_error))
                    with m.Else():
                        complete()

            with m.State("POOL"):
                m.d.comb += self.cause.eq(Cause.POOL)
                with m.If(self.pooled):
                    complete()
        with m.If(self.clear):
            m.d.sync += self.executed.eq(0)
        return m


def write_error(error):
    """ErrorCode of a `WriteDma`'s error."""
    refused = Mux(error == axi.DECERR, ErrorCode.WRITE_DECERR, ErrorCode.WRITE_SLVERR)
    return Mux(error == OUTSIDE, ErrorCode.WRITE_REGION, refused)


def period(conv, config: Config):
    """Clocks of a pixel in a strip's last pass (docs/architecture.md, "Time of a tile")."""

    def larger(a, b):
        return Mux(a > b, a, b)

    out = Mux(conv.raw, 0, conv.out_bits)
    residual = Mux(conv.residual, conv.res_bits, 0)
    return larger(larger(conv.in_bits, out), larger(residual, config.columns // config.units))
