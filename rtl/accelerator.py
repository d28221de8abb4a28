"""The core: AXI4 master, AXI4-Lite slave, interrupt, and everything between them."""

from amaranth.hdl import Array as HdlArray
from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from hfn_accel.config import Config, log2
from hfn_accel.registers import ReadClass

from . import axi
from .accumulate import PlaneAccumulator
from .array import Array
from .loader import ImageLoader
from .memory import SplitMemory
from .postprocess import PostProcessor
from .psum import PartialSums
from .read_dma import ReadDma
from .registers import Registers
from .results import ResultStore
from .sequencer import Sequencer
from .streamer import Streamer, plane_tag
from .tile_filler import TileFiller
from .write_dma import WriteDma

BANKS = 3


class Accelerator(wiring.Component):
    """Top module `hfn_accel`.

    Ports: `m_axi_*` (AXI4 master), `s_axil_*` (AXI4-Lite slave), `irq`. With `trace`, five more
    outputs show every write of C lanes into an activation bank, for simulation: `trace_valid`,
    `trace_bank`, `trace_addr` (units of C lanes), `trace_data`, `trace_layer` (descriptor index).

    A reset through the control register ends transfers in flight by the rules of AXI, then resets
    everything but the registers.
    """

    def __init__(self, config: Config, trace: bool = False):
        self.config, self.trace = config, trace
        self.masters = axi.read_ports(config), axi.write_ports(config)
        ports = {**axi.register_ports(), **self.masters[0], **self.masters[1], "irq": Out(1)}
        if trace:
            ports |= {"trace_valid": Out(1), "trace_bank": Out(2), "trace_addr": Out(32),
                      "trace_data": Out(config.columns), "trace_layer": Out(16)}  # fmt: skip
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        config = self.config
        r, c, d = config.rows, config.columns, config.axi_data_width

        m.submodules.registers = registers = Registers(config)
        axi.forward(m, self, registers, axi.register_ports())
        m.d.comb += self.irq.eq(registers.irq)
        m.submodules.read_dma = reader = ReadDma(config)
        m.submodules.write_dma = writer = WriteDma(config)
        axi.forward(m, self, reader, self.masters[0])
        axi.forward(m, self, writer, self.masters[1])

        # ---- soft reset: bus transfers end first
        aborting, clear = Signal(), Signal()
        with m.If(registers.reset):
            m.d.sync += aborting.eq(1)
        with m.If(aborting):
            m.d.comb += [reader.abort.eq(1), writer.abort.eq(1),
                         clear.eq(~reader.busy & ~writer.busy)]  # fmt: skip
        with m.If(clear):
            m.d.sync += aborting.eq(0)

        def place(name, component):
            m.submodules[name] = ResetInserter(clear)(component)
            return component

        sequencer = place("sequencer", Sequencer(config))
        conv, load = sequencer.conv, sequencer.load
        m.d.comb += [
            sequencer.start.eq(registers.start & ~aborting),
            *(getattr(sequencer, n).eq(getattr(registers, n))
              for n in ("program_address", "input_address", "output_address")),
            registers.busy.eq(sequencer.busy | aborting),
            registers.done.eq(sequencer.done & ~aborting),
            registers.error.eq(sequencer.failed & ~aborting),
            registers.error_code.eq(sequencer.error_code),
            registers.layer.eq(sequencer.layer),
            registers.cause.eq(sequencer.cause),
            registers.read_class.eq(sequencer.read_class),
            registers.read_beat.eq(reader.o_valid & reader.o_ready),
            reader.start.eq(sequencer.read_start & ~aborting),
            reader.address.eq(sequencer.read_address),
            reader.beats.eq(sequencer.read_beats),
            sequencer.read_busy.eq(reader.busy),
            sequencer.read_error.eq(reader.error),
            sequencer.data_valid.eq(reader.o_valid & reader.o_ready),
            sequencer.data.eq(reader.o_data),
            writer.start.eq(sequencer.write_start & ~aborting),
            writer.address.eq(sequencer.write_address),
            writer.beats.eq(sequencer.write_beats),
            sequencer.write_busy.eq(writer.busy),
            sequencer.write_error.eq(writer.error),
        ]  # fmt: skip

        # ---- masks and parameters: from memory into their buffers
        def arriving(read_class):
            return reader.o_valid & (sequencer.read_class == read_class)

        def fill(name, buffer, valid, base):
            m.submodules[name] = buffer
            beat = Signal.like(buffer.w_addr)
            m.d.comb += [buffer.w_en.eq(valid), buffer.w_data.eq(reader.o_data),
                         buffer.w_addr.eq(base + beat)]  # fmt: skip
            with m.If(valid):
                m.d.sync += beat.eq(beat + 1)
            with m.If(sequencer.setup | clear):
                m.d.sync += beat.eq(0)
            return buffer

        masks = fill("mask_buffer", SplitMemory(8 * config.mask_bytes, write_width=d, read_width=c),
                     arriving(ReadClass.MASK), conv.mask_base)  # fmt: skip
        parameters = fill(
            "parameter_buffer",
            SplitMemory(64 * config.parameter_channels, write_width=d,
                        read_width=64 * config.units),
            arriving(ReadClass.PARAMETER), 0,
        )  # fmt: skip

        # ---- image in, logits out
        loader = place("loader", ImageLoader(config))
        results = place("results", ResultStore(config))
        m.d.comb += [
            loader.start.eq(sequencer.load_start),
            loader.abort.eq(aborting),
            loader.channels.eq(load.channels),
            loader.granules.eq(load.granules),
            loader.pixels.eq(load.pixels),
            loader.group_stride.eq(load.group_stride),
            loader.i_valid.eq(arriving(ReadClass.ACTIVATION)),
            loader.i_data.eq(reader.o_data),
            reader.o_ready.eq(
                Mux(sequencer.read_class == ReadClass.ACTIVATION, loader.i_ready, 1) | aborting
            ),
            sequencer.load_busy.eq(loader.busy),
            results.start.eq(sequencer.store_start),
            results.words.eq(conv.out_channels),
            writer.i_valid.eq(results.o_valid),
            writer.i_data.eq(results.o_data),
            writer.i_strb.eq(results.o_strb),
            results.o_ready.eq(writer.i_ready),
            registers.write_beat.eq(results.o_valid & writer.i_ready),
            registers.write_bytes.eq(results.o_bytes),
        ]

        # ---- the datapath, in the order in which a plane passes it
        streamer = place("streamer", Streamer(config))
        filler = place("filler", TileFiller(config))
        m.submodules.array = array = Array(r, c)
        planes = place("planes", PlaneAccumulator(r, c, config.accumulator_bits))
        value_width = planes.o_values.shape().elem_shape.width
        psum = place("psum", PartialSums(config, value_width))
        post = place("post", PostProcessor(config))
        m.d.comb += [
            sequencer.active.eq(streamer.active),
            sequencer.finished.eq(streamer.finished),
            sequencer.drained.eq(post.done),
            streamer.layer.eq(conv),
            streamer.period.eq(sequencer.period),
            streamer.start.eq(sequencer.stream),
            streamer.filled.eq(filler.ready),
            filler.go.eq(streamer.go),
            filler.setup.eq(sequencer.setup),
            filler.taps.eq(conv.kernel * conv.kernel),
            *(getattr(filler, n).eq(conv[n]) for n in (
                "sign_state", "in_tiles", "last_rows", "strips", "out_tiles", "mask_base")),
            masks.r_addr.eq(filler.mask_addr),
            filler.mask_data.eq(masks.r_data),
            *(getattr(array, n).eq(getattr(filler, n)) for n in (
                "clear", "row_en", "row_index", "row_mask", "row_sign")),
        ]  # fmt: skip

        # clock 1: the bank answers; clocks 2...: array; then planes, partial sums
        tags = [streamer.tag]
        for i in range(1 + array.LATENCY + planes.LATENCY):
            tags.append(Signal(plane_tag(config), name=f"tag_{i + 1}"))
            m.d.sync += tags[-1].eq(tags[-2])
        at_array, at_planes, at_psum = tags[1], tags[1 + array.LATENCY], tags[-1]
        with m.If(clear):
            m.d.sync += [t.valid.eq(0) for t in tags[1:]]
        source = Signal(r)
        m.d.comb += [
            array.swap.eq(at_array.swap & at_array.valid),
            array.x.eq(Mux(at_array.valid & ~at_array.pad, source, 0)),
            planes.i_sums.eq(array.sums),
            planes.i_valid.eq(at_planes.valid),
            planes.i_first.eq(at_planes.first),
            planes.i_last.eq(at_planes.last),
            psum.i_valid.eq(planes.o_valid),
            psum.i_address.eq(at_psum.psum_address),
            psum.i_first.eq(at_psum.psum_first),
            psum.i_emit.eq(at_psum.emit),
            psum.i_end.eq(at_psum.end),
            psum.i_final.eq(at_psum.final),
            psum.i_values.eq(planes.o_values),
            registers.plane.eq(streamer.tag.valid),
            post.layer.eq(conv),
            post.start.eq(sequencer.setup),
            post.i_early.eq(psum.o_early),
            post.i_early_end.eq(psum.o_early_end),
            post.i_valid.eq(psum.o_valid),
            post.i_end.eq(psum.o_end),
            post.i_final.eq(psum.o_final),
            post.i_values.eq(psum.o_values),
            parameters.r_addr.eq(post.parameter_address),
            post.parameter_data.as_value().eq(parameters.r_data),
            results.write_en.eq(post.result_en),
            results.write_address.eq(post.result_address),
            results.write_data.eq(post.result_data),
        ]  # fmt: skip

        # ---- activation banks: whole words are read; source and residual take their part of them
        source_word, source_part = split(streamer.address, config.group // r)
        residual_word, residual_part = split(post.residual_address, config.group // c)
        words = []
        for i in range(BANKS):
            bank = SplitMemory(8 * config.activation_bytes, write_width=c, read_width=config.group)
            m.submodules[f"bank{i}"] = bank
            m.d.comb += [
                bank.r_addr.eq(Mux(conv.src_bank == i, source_word, residual_word)),
                bank.w_en.eq((post.write_en & (conv.dst_bank == i))
                             | (loader.w_en & (load.dst_bank == i))),
                bank.w_addr.eq(Mux(loader.w_en, loader.w_addr, post.write_address)),
                bank.w_data.eq(Mux(loader.w_en, loader.w_data, post.write_data)),
            ]  # fmt: skip
            words.append(bank.r_data)
        part_of_source, part_of_residual = Signal.like(source_part), Signal.like(residual_part)
        m.d.sync += [part_of_source.eq(source_part), part_of_residual.eq(residual_part)]
        m.d.comb += [
            source.eq(HdlArray(words)[conv.src_bank].word_select(part_of_source, r)),
            post.residual_data.eq(HdlArray(words)[conv.res_bank].word_select(part_of_residual, c)),
        ]
        if self.trace:
            m.d.comb += [
                self.trace_valid.eq(post.write_en | loader.w_en),
                self.trace_bank.eq(Mux(loader.w_en, load.dst_bank, conv.dst_bank)),
                self.trace_addr.eq(Mux(loader.w_en, loader.w_addr, post.write_address)),
                self.trace_data.eq(Mux(loader.w_en, loader.w_data, post.write_data)),
                self.trace_layer.eq(sequencer.layer),
            ]
        return m


def split(address, parts: int):
    """Word and part of a linear address."""
    bits = log2(parts)
    return address[bits:], address[:bits]
