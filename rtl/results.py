"""Buffer of a network's logits, and their way to memory."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2

from .memory import SplitMemory


class ResultStore(wiring.Component):
    """Keeps U 32-bit accumulators a clock, then streams the first `words` of them to a WriteDma.

    `write_en`, `write_address` (units of U words) and `write_data` fill the buffer. `start` (with
    `words` held) begins the stream: `o_valid` rises on the following clock, a beat a clock as
    `o_ready` allows; `o_strb` masks the bytes beyond the last word, which are 0. `o_bytes` is the
    number of bytes in the present beat. After the last beat `o_valid` falls.
    """

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
            (32 * config.units,), config.axi_data_width,
        )  # fmt: skip
        beat, left = Signal(16), Signal(16)  # beat being shown; words not yet accepted
        following = Signal(16)
        m.d.comb += [
            buffer.w_en.eq(self.write_en),
            buffer.w_addr.eq(self.write_address),
            buffer.w_data.eq(self.write_data),
            following.eq(beat + (self.o_valid & self.o_ready)),
            buffer.r_addr.eq(following),
            self.o_valid.eq(left != 0),
        ]
        present = Signal(range(per_beat + 1))
        with m.If(left >= per_beat):
            m.d.comb += present.eq(per_beat)
        with m.Else():
            m.d.comb += present.eq(left)
        m.d.comb += [
            self.o_bytes.eq(present << 2),
            self.o_strb.eq(Cat((present > i).replicate(4) for i in range(per_beat))),
            self.o_data.eq(Cat(
                Mux(present > i, buffer.r_data.word_select(i, 32), 0) for i in range(per_beat)
            )),
        ]  # fmt: skip
        m.d.sync += beat.eq(following)
        with m.If(self.o_valid & self.o_ready):
            m.d.sync += left.eq(left - present)
        with m.If(self.start):
            m.d.sync += [beat.eq(0), left.eq(self.words)]
            m.d.comb += buffer.r_addr.eq(0)
        return m
