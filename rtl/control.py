"""The three engines, their two bus masters, and how a run starts, fails and is reset."""

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config
from hfn_accel.registers import ErrorCode, ReadClass

from . import axi
from .descriptor import CONV, IMAGE, POOL
from .executor import Executor
from .fetcher import Fetcher
from .read_dma import ReadDma
from .storer import Storer
from .watchdog import Watchdog
from .write_dma import WriteDma

_TO_REGISTERS = {
    "busy": Out(1), "done": Out(1), "error": Out(1), "error_code": Out(8), "layer": Out(16),
    "cause": Out(4), "read_class": Out(3), "read_beat": Out(1), "write_beat": Out(1),
    "write_bytes": Out(5),
}  # fmt: skip
_FROM_REGISTERS = {
    "start": In(1), "reset": In(1), "program_address": In(32), "input_address": In(32),
    "output_address": In(32), "workspace_address": In(32),
    "output_size": In(32), "workspace_size": In(32), "watchdog": In(32),
}  # fmt: skip


class Control(wiring.Component):
    """`Fetcher`, `Executor`, `Storer`, `ReadDma` and `WriteDma`, connected.

    Ports, beside the AXI4 masters `m_axi_*`:

    - `RUN`: those of `Registers` of the same names. Every clock of a run has one `cause`: the
      executor's, and the fetcher's while it waits for that.
    - `clear`: synchronous reset for the rest of the datapath. A run that fails, or a `reset`, stops
      everything: transfers in flight end by the rules of AXI (`busy` stays high until then), then
      `clear` is high for a clock. `abort` is high up to and in that clock.
    - what is read: `data` (`last`: of its transfer), with one of `image_valid` (until
      `image_ready`), `mask_valid` (until `mask_ready`; beats are dropped while not `mask_busy`),
      `parameter_valid` (to beat `place` of the parameter buffer) and `load_valid` (to beat `place`
      of bank `load_bank`).
    - fetches: `fetched` and `image`, the fields of the fetcher's descriptor as a CONV and as an
      IMAGE; `image_start`, `image_busy`, `mask_start`, `mask_busy`, `mask_wrong` as in `Fetcher`.
    - `progress`: a block outside got on with its work, beside planes that are `active`. A run stops
      with TIMEOUT behind `watchdog` clocks without that and without a handshake on the bus.
    - execution: `conv`, `pool`, `period` and the pulses of `Executor`; `index`, the number of the
      descriptor in it, and `fetch_index`, of that at the fetcher.
    - results: `result_start`, and the stream of a `ResultStore`.
    - stores: `store_bank`, `store_place` (bus beats), and `store_data` BANK_CYCLES clocks with
      `store_advance` later, while `storing`.
    """

    RUN = _FROM_REGISTERS | _TO_REGISTERS

    def __init__(self, config: Config):
        self.config = config
        self.masters = axi.read_ports(config), axi.write_ports(config)
        d = config.axi_data_width
        super().__init__({
            **self.masters[0], **self.masters[1], **self.RUN, "clear": Out(1), "abort": Out(1),
            "data": Out(d), "last": Out(1), "place": Out(24),
            "load_valid": Out(1), "load_bank": Out(2),
            "parameter_valid": Out(1),
            "fetched": Out(CONV), "fetch_index": Out(16),
            "image": Out(IMAGE), "image_start": Out(1), "image_busy": In(1),
            "image_valid": Out(1), "image_ready": In(1),
            "mask_start": Out(1), "mask_busy": In(1), "mask_wrong": In(1),
            "mask_valid": Out(1), "mask_ready": In(1), "progress": In(1),
            "conv": Out(CONV), "pool": Out(POOL), "index": Out(16), "period": Out(8),
            "setup": Out(1), "stream": Out(1), "active": In(1), "finished": In(1),
            "drained": In(1), "pool_start": Out(1), "pooled": In(1),
            "result_start": Out(1), "result_valid": In(1), "result_data": In(d),
            "result_strb": In(config.bus_bytes), "result_bytes": In(5), "result_ready": Out(1),
            "storing": Out(1), "store_bank": Out(2), "store_place": Out(24),
            "store_advance": Out(1), "store_data": In(d),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        config = self.config
        reader, writer = ReadDma(config), WriteDma(config)
        fetcher, executor, storer = Fetcher(config), Executor(config), Storer(config)
        m.submodules.read_dma, m.submodules.write_dma = reader, writer
        for dma, ports in zip((reader, writer), self.masters, strict=True):
            axi.forward(m, self, dma, ports)
            m.d.comb += dma.abort.eq(self.abort)
        for name, engine in ("fetcher", fetcher), ("executor", executor), ("storer", storer):
            m.submodules[name] = ResetInserter(self.clear)(engine)

        # ---- the run
        start, failed, expired = Signal(), Signal(), Signal()
        m.submodules.watchdog = watchdog = Watchdog()
        handshakes = [getattr(self, f"m_axi_{c}valid") & getattr(self, f"m_axi_{c}ready")
                      for c in ("ar", "r", "aw", "w", "b")]  # fmt: skip
        m.d.comb += [
            watchdog.limit.eq(self.watchdog),
            watchdog.running.eq(fetcher.busy),
            watchdog.progress.eq(Cat(*handshakes, self.active, self.progress).any()),
            expired.eq(watchdog.expired & fetcher.busy),
            start.eq(self.start & ~self.abort),
            failed.eq(fetcher.failed | executor.failed | storer.failed | expired),
            self.clear.eq(self.abort & ~reader.busy & ~writer.busy),
            self.busy.eq(fetcher.busy | self.abort),
            self.done.eq(executor.done & ~self.abort),
            self.error.eq(failed & ~self.abort),
            self.error_code.eq(
                Mux(fetcher.failed, fetcher.error_code,
                    Mux(executor.failed, executor.error_code,
                        Mux(storer.failed, storer.error_code, ErrorCode.TIMEOUT)))
            ),
            self.layer.eq(
                Mux(storer.failed & ~fetcher.failed & ~executor.failed, storer.index,
                    Mux(executor.busy & ~fetcher.failed, executor.index, fetcher.index))
            ),
            self.cause.eq(
                Mux(self.abort, 0, Mux(executor.busy, executor.cause, fetcher.cause))
            ),
        ]  # fmt: skip
        with m.If(self.clear):
            m.d.sync += self.abort.eq(0)
        with m.If(self.reset | self.error):
            m.d.sync += self.abort.eq(1)

        # ---- fetches
        m.d.comb += [
            fetcher.start.eq(start),
            *(getattr(fetcher, n).eq(getattr(self, n)) for n in (
                "program_address", "input_address", "output_address", "workspace_address",
                "image_busy", "mask_busy", "mask_wrong")),
            *(getattr(self, n).eq(getattr(fetcher, n)) for n in (
                "read_class", "place", "image_start", "mask_start")),
            fetcher.executed.eq(executor.executed),
            fetcher.stored.eq(storer.stored),
            fetcher.quiet.eq(~executor.busy & ~storer.busy),
            fetcher.done.eq(executor.done),
            self.fetch_index.eq(fetcher.index),
            self.fetched.as_value().eq(fetcher.word),
            self.image.as_value().eq(fetcher.word),
            reader.start.eq(fetcher.read_start & ~self.abort),
            reader.address.eq(fetcher.read_address),
            reader.beats.eq(fetcher.read_beats),
            fetcher.read_busy.eq(reader.busy),
            fetcher.read_error.eq(reader.error),
            fetcher.data_valid.eq(self.read_beat),
            fetcher.data.eq(reader.o_data),
            self.data.eq(reader.o_data),
            self.last.eq(reader.o_last),
            self.read_beat.eq(reader.o_valid & reader.o_ready),
        ]  # fmt: skip
        m.d.comb += reader.o_ready.eq(1)
        with m.Switch(fetcher.read_class):
            with m.Case(ReadClass.ACTIVATION):
                with m.If(fetcher.load):
                    m.d.comb += self.load_valid.eq(reader.o_valid)
                with m.Else():
                    m.d.comb += [self.image_valid.eq(reader.o_valid),
                                 reader.o_ready.eq(self.image_ready)]  # fmt: skip
            with m.Case(ReadClass.MASK, ReadClass.WEIGHT):
                m.d.comb += [self.mask_valid.eq(reader.o_valid & self.mask_busy),
                             reader.o_ready.eq(self.mask_ready | ~self.mask_busy)]  # fmt: skip
            with m.Case(ReadClass.PARAMETER):
                m.d.comb += self.parameter_valid.eq(reader.o_valid)
        m.d.comb += self.load_bank.eq(fetcher.bank)

        # ---- execution
        m.d.comb += [
            *(getattr(executor, n).eq(getattr(self, n)) for n in (
                "active", "finished", "drained", "pooled")),
            *(getattr(self, n).eq(getattr(executor, n)) for n in (
                "conv", "pool", "index", "period", "setup", "stream", "pool_start",
                "result_start")),
            executor.clear.eq(start),
            executor.offer.eq(fetcher.offer),
            executor.word.eq(fetcher.word),
            executor.i_index.eq(fetcher.index),
            fetcher.taken.eq(executor.taken),
            executor.store_busy.eq(storer.busy),
            executor.stored.eq(storer.stored),
        ]  # fmt: skip

        # ---- stores and results
        m.d.comb += [
            storer.clear.eq(start),
            storer.start.eq(executor.store_start),
            storer.transfer.eq(executor.transfer),
            storer.i_index.eq(executor.index),
            self.storing.eq(storer.busy),
            self.store_bank.eq(storer.bank),
            self.store_place.eq(storer.place),
            self.store_advance.eq(storer.advance),
            storer.i_data.eq(self.store_data),
            writer.start.eq((storer.write_start | executor.write_start) & ~self.abort),
            self.result_ready.eq(writer.i_ready & ~storer.busy),
            storer.o_ready.eq(writer.i_ready),
            self.write_beat.eq(writer.i_valid & writer.i_ready),
        ]
        for engine in storer, executor:
            m.d.comb += [engine.write_busy.eq(writer.busy), engine.write_error.eq(writer.error)]
        with m.If(storer.busy):
            m.d.comb += [
                writer.address.eq(self.workspace_address), writer.size.eq(self.workspace_size),
                writer.offset.eq(storer.write_offset), writer.bytes.eq(storer.write_bytes),
                writer.i_valid.eq(storer.o_valid), writer.i_data.eq(storer.o_data),
                writer.i_strb.eq(~0), self.write_bytes.eq(config.bus_bytes),
            ]  # fmt: skip
        with m.Else():
            m.d.comb += [
                writer.address.eq(self.output_address), writer.size.eq(self.output_size),
                writer.offset.eq(executor.write_offset), writer.bytes.eq(executor.write_bytes),
                writer.i_valid.eq(self.result_valid), writer.i_data.eq(self.result_data),
                writer.i_strb.eq(self.result_strb), self.write_bytes.eq(self.result_bytes),
            ]  # fmt: skip
        return m
