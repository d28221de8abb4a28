"""The core: AXI4 master, AXI4-Lite slave, interrupt, and everything between them."""

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config
from hfn_accel.program import Opcode
from hfn_accel.units import unit_bits

from . import axi
from .banks import Banks
from .control import Control
from .datapath import Datapath
from .loader import ImageLoader
from .mask_decoder import MaskDecoder
from .max_pool import MaxPool
from .memory import SplitMemory
from .registers import Registers
from .results import ResultStore


class Accelerator(wiring.Component):
    """Top module `hfn_accel`.

    Ports: `m_axi_*` (AXI4 master), `s_axil_*` (AXI4-Lite slave), `irq`. With `trace`, five more
    outputs show every write of C lanes by a CONV or POOL into an activation bank, for simulation:
    `trace_valid`, `trace_bank`, `trace_addr` (units of C lanes), `trace_data`, `trace_layer`
    (descriptor index).

    A reset through the control register, and an error, end transfers in flight by the rules of
    AXI, then reset everything but the registers.
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
        width, columns = config.axi_data_width, config.columns

        m.submodules.registers = registers = Registers(config)
        m.submodules.control = control = Control(config)
        axi.forward(m, self, registers, axi.register_ports())
        for ports in control.masters:
            axi.forward(m, self, control, ports)
        m.d.comb += self.irq.eq(registers.irq)
        for name, port in Control.RUN.items():
            ours, theirs = getattr(control, name), getattr(registers, name)
            m.d.comb += ours.eq(theirs) if port.flow == In else theirs.eq(ours)

        def place(name, component):
            m.submodules[name] = ResetInserter(control.clear)(component)
            return component

        # ---- memory to masks, parameters, images
        loader = place("loader", ImageLoader(config))
        decoder = place("mask_decoder", MaskDecoder(config))
        masks = SplitMemory(8 * config.mask_bytes, (unit_bits(config), width), columns)
        parameters = SplitMemory(64 * config.parameter_channels, (width,), 64 * config.units)
        m.submodules.mask_buffer, m.submodules.parameter_buffer = masks, parameters
        m.d.comb += [
            loader.start.eq(control.image_start),
            loader.abort.eq(control.abort),
            loader.image.eq(control.image),
            loader.i_valid.eq(control.image_valid),
            loader.i_data.eq(control.data),
            control.image_ready.eq(loader.i_ready),
            control.image_busy.eq(loader.busy),
            decoder.start.eq(control.mask_start),
            decoder.abort.eq(control.abort),
            decoder.conv.eq(control.fetched),
            decoder.i_valid.eq(control.mask_valid),
            decoder.i_data.eq(control.data),
            decoder.i_last.eq(control.last),
            control.mask_ready.eq(decoder.i_ready),
            control.mask_busy.eq(decoder.busy),
            control.mask_wrong.eq(decoder.wrong),
            *(getattr(masks, n).eq(getattr(decoder, n)) for n in (
                "w_en", "w_wide", "w_addr", "w_data")),
            parameters.w_en.eq(control.parameter_valid),
            parameters.w_addr.eq(control.place),
            parameters.w_data.eq(control.data),
        ]  # fmt: skip

        # ---- what computes
        datapath = place("datapath", Datapath(config))
        pool = place("max_pool", MaxPool(config))
        results = place("results", ResultStore(config))
        m.d.comb += [
            *(getattr(datapath, n).eq(getattr(control, n)) for n in (
                "conv", "period", "setup", "stream")),
            *(getattr(control, n).eq(getattr(datapath, n)) for n in (
                "active", "finished", "drained")),
            control.progress.eq(loader.w_en | decoder.w_en | pool.write_en),
            registers.plane.eq(datapath.plane),
            masks.r_addr.eq(datapath.mask_addr),
            parameters.r_addr.eq(datapath.parameter_addr),
            datapath.parameter_data.eq(parameters.r_data),
            pool.layer.eq(control.pool),
            pool.start.eq(control.pool_start),
            control.pooled.eq(pool.done),
            results.write_en.eq(datapath.result_en),
            results.write_address.eq(datapath.result_address),
            results.write_data.eq(datapath.result_data),
            results.start.eq(control.result_start),
            results.words.eq(control.conv.out_channels),
            *(getattr(control, f"result_{n}").eq(getattr(results, f"o_{n}")) for n in (
                "valid", "data", "strb", "bytes")),
            results.o_ready.eq(control.result_ready),
        ]  # fmt: skip
        m.d.sync += datapath.mask_data.eq(masks.r_data)  # MASK_CYCLES behind the address

        # ---- activation banks; CONV and POOL name theirs in the same bits
        conv = control.conv
        pooling = Signal()
        m.submodules.banks = banks = Banks(config)
        m.d.comb += [
            pooling.eq(conv.opcode == Opcode.POOL),
            banks.pooling.eq(pooling),
            banks.source_bank.eq(conv.src_bank),
            banks.source_addr.eq(datapath.source_addr),
            datapath.source_data.eq(banks.source_data),
            banks.columns_bank.eq(Mux(pooling, conv.src_bank, conv.res_bank)),
            banks.columns_addr.eq(Mux(pooling, pool.source_address, datapath.residual_addr)),
            datapath.residual_data.eq(banks.columns_data),
            pool.source_data.eq(banks.columns_data),
            banks.store_en.eq(control.storing),
            banks.store_advance.eq(control.store_advance),
            banks.store_bank.eq(control.store_bank),
            banks.store_addr.eq(control.store_place),
            control.store_data.eq(banks.store_data),
            banks.write_bank.eq(conv.dst_bank),
            banks.write_en.eq(Mux(pooling, pool.write_en, datapath.write_en)),
            banks.write_addr.eq(Mux(pooling, pool.write_address, datapath.write_addr)),
            banks.write_data.eq(Mux(pooling, pool.write_data, datapath.write_data)),
            banks.image_en.eq(loader.w_en),
            banks.image_bank.eq(control.image.bank),
            banks.image_addr.eq(loader.w_addr),
            banks.image_data.eq(loader.w_data),
            banks.load_en.eq(control.load_valid),
            banks.load_bank.eq(control.load_bank),
            banks.load_addr.eq(control.place),
            banks.load_data.eq(control.data),
        ]
        if self.trace:
            m.d.comb += [
                self.trace_valid.eq(banks.write_en),
                self.trace_bank.eq(banks.write_bank),
                self.trace_addr.eq(banks.write_addr),
                self.trace_data.eq(banks.write_data),
                self.trace_layer.eq(control.index),
            ]
        return m
