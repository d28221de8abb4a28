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
    C lanes), `load_*` (bus beats); what is written may be asked for two clocks later. Nobody is
    held up: two readers or two writers at one bank are the compiler's fault. A bank that is not
    `store_bank` is read at `source_addr` if it is `source_bank` and nothing pools, else at
    `columns_addr`. The numbers of banks, and `store_en`, stay while their data are on the way.
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
        load_addr, load_data = Signal.like(self.load_addr), Signal.like(self.load_data)
        m.d.sync += [load_addr.eq(self.load_addr), load_data.eq(self.load_data)]
        parts = log2(self.word // config.group)  # activation words, of G lanes, in a memory's word
        words, groups = [], []
        for i in range(BANKS):
            m.submodules[f"bank{i}"] = bank = SplitMemory(
                8 * config.activation_bytes, (c, d), self.word, latency=self.LATENCY
            )
            stores, loads, images = (Signal(name=f"{n}_{i}") for n in ("stores", "loads", "images"))
            narrow, address, data = (Signal(1, name=f"narrow_{i}"), Signal.like(self.write_addr),
                                     Signal.like(self.write_data))  # fmt: skip
            asked = Signal(parts + len(bank.r_addr), name=f"asked_{i}")  # in units of G lanes
            m.d.comb += [
                stores.eq(self.store_en & (self.store_bank == i)),
                bank.r_en.eq(self.store_advance | ~stores),
                asked.eq(
                    Mux(stores, self.store_addr << parts,
                        Mux(~self.pooling & (self.source_bank == i),
                            self.source_addr >> log2(config.group // config.rows),
                            self.columns_addr >> log2(config.group // c)))
                ),
                bank.r_addr.eq(asked[parts:]),
                images.eq(self.image_en & (self.image_bank == i)),
                bank.w_en.eq(loads | narrow),
                bank.w_wide.eq(loads),
                bank.w_addr.eq(Mux(loads, load_addr << log2(d // c), address)),
                bank.w_data.eq(Mux(loads, load_data, data)),
            ]  # fmt: skip
            m.d.sync += [
                loads.eq(self.load_en & (self.load_bank == i)),
                narrow.eq(images | (self.write_en & (self.write_bank == i))),
                address.eq(Mux(images, self.image_addr, self.write_addr)),
                data.eq(Mux(images, self.image_data, self.write_data)),
            ]
            words.append(bank.r_data)
            groups.append(self.part(m, bank.r_data, asked[:parts], config.group))

        m.d.comb += self.store_data.eq(Array(words)[self.store_bank])
        for bank, address, data in (
            (self.source_bank, self.source_addr, self.source_data),
            (self.columns_bank, self.columns_addr, self.columns_data),
        ):
            which = address[: log2(config.group // len(data))]
            m.d.comb += data.eq(self.part(m, Array(groups)[bank], which, len(data)))
        return m

    def part(self, m, word, which, width: int):
        """Part of a word that arrives, of that width; `which` is that of now asked for."""
        if len(which) == 0:
            return word
        return word.word_select(delayed(m, which, self.LATENCY, "part")[-1], width)
