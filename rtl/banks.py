"""The three activation banks and who has their ports."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.program import BANKS
from hfn_accel.timing import BANK_CYCLES

from .delay import delayed
from .memory import SplitMemory


class Banks(wiring.Component):
    """Three memories with a read and a write port each (docs/architecture.md, "Memory layouts").

    Readers, data LATENCY clocks behind the address: `source_*` (units of R lanes), `columns_*`
    (units of C lanes: the residual, or the source of a POOL), `store_*` (bus beats, while
    `store_en`; its clocks are those with `store_advance`). Writers: `write_*`, `image_*` (units of
    C lanes), `load_*` (bus beats). Nobody is held up: two readers or two writers at one bank are
    the compiler's fault. A bank that is not `store_bank` is read at `source_addr` if it is
    `source_bank` and nothing pools, else at `columns_addr`. The numbers of banks, and `store_en`,
    stay while data of theirs are on their way.
    """

    LATENCY = BANK_CYCLES

    def __init__(self, config: Config):
        self.config = config
        self.word = max(config.group, config.axi_data_width)
        bits = 8 * config.activation_bytes
        rows, columns, beat = (log2(bits // w) for w in (
            config.rows, config.columns, config.axi_data_width))  # fmt: skip
        super().__init__({
            "pooling": In(1),
            "source_bank": In(2), "source_addr": In(rows), "source_data": Out(config.rows),
            "columns_bank": In(2), "columns_addr": In(columns),
            "columns_data": Out(config.columns),
            "store_en": In(1), "store_advance": In(1), "store_bank": In(2), "store_addr": In(beat),
            "store_data": Out(config.axi_data_width),
            "write_en": In(1), "write_bank": In(2), "write_addr": In(columns),
            "write_data": In(config.columns),
            "image_en": In(1), "image_bank": In(2), "image_addr": In(columns),
            "image_data": In(config.columns),
            "load_en": In(1), "load_bank": In(2), "load_addr": In(beat),
            "load_data": In(config.axi_data_width),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        config = self.config
        c, d = config.columns, config.axi_data_width
        beats = log2(self.word // d)
        words = []
        for i in range(BANKS):
            m.submodules[f"bank{i}"] = bank = SplitMemory(
                8 * config.activation_bytes, (c, d), self.word, latency=self.LATENCY
            )
            stores, loads, images = (Signal(name=f"{n}_{i}") for n in ("stores", "loads", "images"))
            m.d.comb += [
                stores.eq(self.store_en & (self.store_bank == i)),
                bank.r_en.eq(self.store_advance | ~stores),
                bank.r_addr.eq(
                    Mux(stores, self.store_addr >> beats,
                        Mux(~self.pooling & (self.source_bank == i),
                            self.source_addr >> log2(self.word // config.rows),
                            self.columns_addr >> log2(self.word // c)))
                ),
                loads.eq(self.load_en & (self.load_bank == i)),
                images.eq(self.image_en & (self.image_bank == i)),
                bank.w_en.eq(loads | images | (self.write_en & (self.write_bank == i))),
                bank.w_wide.eq(loads),
                bank.w_addr.eq(
                    Mux(loads, self.load_addr << log2(d // c),
                        Mux(images, self.image_addr, self.write_addr))
                ),
                bank.w_data.eq(
                    Mux(loads, self.load_data, Mux(images, self.image_data, self.write_data))
                ),
            ]  # fmt: skip
            words.append(bank.r_data)

        def part(bank, address, data):
            """The part of the bank's word that was asked for."""
            which = address[: log2(self.word // len(data))]
            if len(which):
                which = delayed(m, which, self.LATENCY, "part")[-1]
            m.d.comb += data.eq(Array(words)[bank].word_select(which, len(data)))

        part(self.source_bank, self.source_addr, self.source_data)
        part(self.columns_bank, self.columns_addr, self.columns_data)
        part(self.store_bank, self.store_addr, self.store_data)
        return m
