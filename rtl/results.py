"""Buffer of a network's logits, and their way to memory."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2

from .memory import SplitMemory
from .read_ahead import ReadAhead


class ResultStore(wiring.Component):
    """Keeps U 32-bit accumulators a clock, then streams the first `words` of them to a WriteDma.

    `write_en`, `write_address` (units of U words) and `write_data` fill the buffer. `start` (with
    `words`, > 0) begins the stream: `o_valid` rises START_CYCLES clocks later, a beat a clock as
    `o_ready` allows; `o_strb` masks the bytes beyond the last word, which are 0. `o_bytes` is the
    number of bytes in the present beat. After the last beat `o_valid` falls.
    """

    START_CYCLES = 2

    def __init__(self, config: Config):
        self.config = config
        super().__init__({
            "write_en": In(1),
            "write_address": In(
                max(1, log2(max(config.units, config.result_words) // config.units))
            ),
            "write_data": In(data.ArrayLayout(signed(32), config.units)),
            "start": In(1), "words": In(16),
            "o_valid": Out(1), "o_data": Out(config.axi_data_width),
            "o_strb": Out(config.bus_bytes), "o_bytes": Out(5), "o_ready": In(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        config = self.config
        per_beat = config.axi_data_width // 32
        m.submodules.buffer = buffer = SplitMemory(
            32 * max(config.result_words, config.units),
            (32 * config.units,), config.axi_data_width, latency=self.START_CYCLES,
        )  # fmt: skip
        m.submodules.ahead = ahead = ReadAhead(
            config.axi_data_width, len(buffer.r_addr), buffer.latency
        )
        whole, rest = Signal(16 - log2(per_beat)), Signal(log2(per_beat))  # beats; words behind
        present = Signal(per_beat)
        m.d.comb += [
            buffer.w_en.eq(self.write_en),
            buffer.w_addr.eq(self.write_address),
            buffer.w_data.eq(self.write_data),
            buffer.r_en.eq(ahead.advance),
            buffer.r_addr.eq(ahead.place),
            ahead.start.eq(self.start),
            ahead.i_data.eq(buffer.r_data),
            ahead.o_ready.eq(self.o_ready),
            present.eq(Cat((whole != 0) | (rest > i) for i in range(per_beat))),
            self.o_valid.eq(ahead.o_valid & present[0]),
            self.o_bytes.eq(Mux(whole != 0, per_beat, rest) << 2),
            self.o_strb.eq(Cat(word.replicate(4) for word in present)),
            self.o_data.eq(ahead.o_data & Cat(word.replicate(32) for word in present)),
        ]
        with m.If(self.o_valid & self.o_ready):
            with m.If(whole != 0):
                m.d.sync += whole.eq(whole - 1)
            with m.Else():
                m.d.sync += rest.eq(0)
        with m.If(self.start):
            m.d.sync += Cat(rest, whole).eq(self.words)
        return m
