"""The three activation banks and who has their ports."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.program import BANKS

from .memory import SplitMemory


class Banks(wiring.Component):
    """Three memories with a read and a write port each (docs/architecture.md, "Memory layouts").

    Readers, data LATENCY = 1 clock behind the address: `source_*` (units of R lanes), `columns_*`
    (units of C lanes: the residual, or the source of a POOL), `store_*` (bus beats, while
    `store_en`). Writers: `write_*`, `image_*` (units of C lanes), `load_*` (bus beats). Nobody is
    held up: two readers or two writers at one bank are the compiler's fault. A bank that is not
    `store_bank` is read at `source_addr` if it is `source_bank` and nothing pools, else at
    `columns_addr`.
    """

    LATENCY = 1

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
            "store_en": In(1), "store_bank": In(2), "store_addr": In(beat),
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
        readers = [
            (self.source_bank, self.source_addr, self.source_data),
            (self.columns_bank, self.columns_addr, self.columns_data),
            (self.store_bank, self.store_addr, self.store_data),
        ]
        splits = [log2(self.word // len(data)) for _, _, data in readers]
        source, columns, store = (
            address[split:] for (_, address, _), split in zip(readers, splits, strict=True)
        )
        words = []
        for i in range(BANKS):
            bank = SplitMemory(8 * config.activation_bytes, (c, d), self.word)
            m.submodules[f"bank{i}"] = bank
            loaded = Signal(name=f"loaded_{i}")
            imaged = Signal(name=f"imaged_{i}")
            m.d.comb += [
                bank.r_addr.eq(
                    Mux(self.store_en & (self.store_bank == i), store,
                        Mux(~self.pooling & (self.source_bank == i), source, columns))
                ),
                loaded.eq(self.load_en & (self.load_bank == i)),
                imaged.eq(self.image_en & (self.image_bank == i)),
                bank.w_en.eq(loaded | imaged | (self.write_en & (self.write_bank == i))),
                bank.w_wide.eq(loaded),
                bank.w_addr.eq(
                    Mux(loaded, self.load_addr << log2(d // c),
                        Mux(imaged, self.image_addr, self.write_addr))
                ),
                bank.w_data.eq(
                    Mux(loaded, self.load_data, Mux(imaged, self.image_data, self.write_data))
                ),
            ]  # fmt: skip
            words.append(bank.r_data)
        for (bank, address, data), split in zip(readers, splits, strict=True):
            if data is self.source_data:
                data = Signal.like(data)  # one clock more, BANK_CYCLES in all
                m.d.sync += self.source_data.eq(data)
            part, which = Signal(max(1, split), name="part"), Signal(2, name="which")
            m.d.sync += [part.eq(address[:split]), which.eq(bank)]
            m.d.comb += data.eq(Array(words)[which].word_select(part[:split], len(data)))
        return m
