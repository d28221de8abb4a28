"""A bank's beats to memory."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.timing import BANK_CYCLES

from . import axi
from .descriptor import TRANSFER
from .executor import write_error
from .read_ahead import ReadAhead


class Storer(wiring.Component):
    """Writes what a STORE names, a transfer of the `WriteDma` for each group, one after the other.

    `start` (a pulse while not busy) takes `transfer` and its number, which `index` shows. `busy` is
    high from the clock after it to the clock in which the last transfer is seen to have ended,
    inclusive: `durations.store_cycles`. `stored` counts STOREs that are complete, from `clear` on.
    `failed`, one clock, with `error_code`: a group could not be written; the rest is left out.

    `bank`, `place` (in bus beats), `advance` and `i_data` read a bank, as of a `ReadAhead` of
    BANK_CYCLES. Its beats are the stream `o_valid`, `o_data`, `o_ready`: a beat a clock within a
    group, the first in the clock in which the `WriteDma` can take one at the earliest.
    """

    def __init__(self, config: Config):
        self.config = config
        width = config.axi_data_width
        super().__init__({
            "clear": In(1),
            "start": In(1), "transfer": In(TRANSFER), "i_index": In(16), "index": Out(16),
            "busy": Out(1), "stored": Out(16), "failed": Out(1), "error_code": Out(8),
            "write_start": Out(1), "write_offset": Out(32),
            "write_bytes": Out(axi.transfer_bits(config)),
            "write_busy": In(1), "write_error": In(2),
            "bank": Out(2), "place": Out(24), "advance": Out(1), "i_data": In(width),
            "o_valid": Out(1), "o_data": Out(width), "o_ready": In(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        given = self.transfer
        bank_stride, memory_stride = Signal(24), Signal(32)
        groups, group = Signal(12), Signal(24)  # left; its first beat in the bank
        issued = Signal()
        m.submodules.ahead = ahead = ReadAhead(self.config.axi_data_width, 24, BANK_CYCLES)
        m.d.comb += [
            self.write_start.eq(self.busy & ~issued),
            ahead.start.eq(self.write_start),
            ahead.first.eq(group),
            self.place.eq(ahead.place),
            self.advance.eq(ahead.advance),
            ahead.i_data.eq(self.i_data),
            self.o_valid.eq(ahead.o_valid),
            self.o_data.eq(ahead.o_data),
            ahead.o_ready.eq(self.o_ready),
        ]
        with m.If(self.write_start):
            m.d.sync += issued.eq(1)
        with m.If(issued & ~self.write_busy):
            m.d.sync += [
                issued.eq(0), groups.eq(groups - 1), group.eq(group + bank_stride),
                self.write_offset.eq(self.write_offset + memory_stride),
            ]  # fmt: skip
            with m.If(self.write_error != 0):
                m.d.comb += [self.failed.eq(1), self.error_code.eq(write_error(self.write_error))]
                m.d.sync += self.busy.eq(0)
            with m.Elif(groups == 1):
                m.d.sync += [self.busy.eq(0), self.stored.eq(self.stored + 1)]
        with m.If(self.start):
            m.d.sync += [
                self.busy.eq(1), self.bank.eq(given.bank), groups.eq(given.groups),
                group.eq(given.bank_beat), bank_stride.eq(given.bank_stride),
                memory_stride.eq(given.memory_stride),
                self.write_bytes.eq(given.beats << log2(self.config.bus_bytes)),
                self.write_offset.eq(given.address),
                self.index.eq(self.i_index),
            ]  # fmt: skip
        with m.If(self.clear):
            m.d.sync += self.stored.eq(0)
        return m
