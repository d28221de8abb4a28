"""AXI4-Lite control, status, interrupt and performance counters."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.registers import (
    COUNTER_BITS,
    COUNTERS,
    OFFSETS,
    READ_COUNTERS,
    REGISTERS,
    Cause,
    constants,
    field,
)

from . import axi

_ADDRESSES = {"PROGRAM_ADDR": "program_address", "INPUT_ADDR": "input_address",
              "OUTPUT_ADDR": "output_address", "WORKSPACE_ADDR": "workspace_address"}  # fmt: skip


class Registers(wiring.Component):
    """The registers of docs/registers.md, behind an AXI4-Lite slave.

    Bus: address and data of a write may come in either order; one write and one read are
    outstanding at most. A write takes effect on the clock after the second of the two was
    accepted, the clock before its response; a read answers on the clock after its address.
    Addresses outside the table answer SLVERR.

    `start` and `reset` are pulses; `start` does not come while `busy` or after an error. `done`
    and `error` (with `error_code`) are pulses that set status and interrupt, also in the clock of
    a start. `irq` is a level. STATUS.layer keeps the `layer` of the last clock with `cause` != 0.

    Counters are cleared by `start` and count from the next clock on: each clock with `cause` != 0
    one cycle in total and one of its cause; `read_beat` one bus beat of `read_class`; `write_beat`
    `write_bytes`; `plane` one plane.
    """

    def __init__(self, config: Config):
        self.config = config
        super().__init__({
            **axi.register_ports(),
            "irq": Out(1),
            "start": Out(1),
            "reset": Out(1),
            "program_address": Out(32),
            "input_address": Out(32),
            "output_address": Out(32),
            "workspace_address": Out(32),
            "busy": In(1),
            "done": In(1),
            "error": In(1),
            "error_code": In(8),
            "layer": In(16),
            "cause": In(4),
            "read_class": In(3),
            "read_beat": In(1),
            "write_beat": In(1),
            "write_bytes": In(5),
            "plane": In(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        write, address, data, mask = self._writes(m)

        def writes(name):
            return write & (address == OFFSETS[name] >> 2)

        def set_bit(register, name):
            """Bit of a field that is being written as 1."""
            return writes(register) & (data & mask)[field(register, name).bit]

        irq_enable, done, error = Signal(), Signal(), Signal()
        error_code = Signal(8)
        irq_done, irq_error = Signal(), Signal()
        layer = Signal(16)
        with m.If(self.start):
            m.d.sync += layer.eq(0)
        with m.If(self.cause != 0):
            m.d.sync += layer.eq(self.layer)
        m.d.comb += [
            self.start.eq(set_bit("CONTROL", "start") & ~self.busy & ~error),
            self.reset.eq(set_bit("CONTROL", "reset")),
            self.irq.eq(irq_enable & (irq_done | irq_error)),
        ]
        enable_bit = field("CONTROL", "irq_enable").bit
        with m.If(writes("CONTROL") & mask[enable_bit]):
            m.d.sync += irq_enable.eq(data[enable_bit])
        with m.If(self.start | self.reset):
            m.d.sync += [done.eq(0), error.eq(0), error_code.eq(0)]
        for flag, irq, name, pulse in (
            (done, irq_done, "done", self.done),
            (error, irq_error, "error", self.error),
        ):
            with m.If(set_bit("IRQ_STATUS", name) | self.reset):
                m.d.sync += irq.eq(0)
            with m.If(pulse):
                m.d.sync += [flag.eq(1), irq.eq(1)]
        with m.If(self.error):
            m.d.sync += error_code.eq(self.error_code)

        values = {name: Const(value, 32) for name, value in constants(self.config).items()}
        for name, port in _ADDRESSES.items():
            values[name] = port = getattr(self, port)
            with m.If(writes(name)):
                m.d.sync += port.eq((data & mask) | (port & ~mask))
        values["CONTROL"] = self._pack("CONTROL", irq_enable=irq_enable)
        values["STATUS"] = self._pack("STATUS", busy=self.busy, done=done, error=error,
                                      error_code=error_code, layer=layer)  # fmt: skip
        values["IRQ_STATUS"] = self._pack("IRQ_STATUS", done=irq_done, error=irq_error)
        for name, counter in self._counters(m).items():
            values[f"{name}_LO"], values[f"{name}_HI"] = counter[:32], counter[32:]
        self._reads(m, values)
        return m

    @staticmethod
    def _pack(register, **values):
        """A register's value from its fields."""
        packed = Const(0, 32)
        for name, value in values.items():
            packed = packed | value << field(register, name).bit
        return packed[:32]

    def _writes(self, m):
        """Address, data and response of writes: (strobe, word address, data, mask of bits)."""
        address, data, mask = Signal(10), Signal(32), Signal(32)
        have_address, have_data, write = Signal(), Signal(), Signal()
        known = Signal()
        m.d.comb += [
            self.s_axil_awready.eq(~have_address),
            self.s_axil_wready.eq(~have_data),
            write.eq(have_address & have_data & ~self.s_axil_bvalid),
            known.eq(Cat(address == r.offset >> 2 for r in REGISTERS).any()),
        ]
        with m.If(self.s_axil_awvalid & self.s_axil_awready):
            m.d.sync += [address.eq(self.s_axil_awaddr >> 2), have_address.eq(1)]
        with m.If(self.s_axil_wvalid & self.s_axil_wready):
            strobes = Cat(bit.replicate(8) for bit in self.s_axil_wstrb)
            m.d.sync += [data.eq(self.s_axil_wdata), mask.eq(strobes), have_data.eq(1)]
        with m.If(self.s_axil_bready):
            m.d.sync += self.s_axil_bvalid.eq(0)
        with m.If(write):
            m.d.sync += [
                have_address.eq(0),
                have_data.eq(0),
                self.s_axil_bvalid.eq(1),
                self.s_axil_bresp.eq(Mux(known, axi.OKAY, axi.SLVERR)),
            ]
        return write, address, data, mask

    def _reads(self, m, values):
        """Answer reads with `values` (register name -> value)."""
        m.d.comb += self.s_axil_arready.eq(~self.s_axil_rvalid)
        with m.If(self.s_axil_rready):
            m.d.sync += self.s_axil_rvalid.eq(0)
        with m.If(self.s_axil_arvalid & self.s_axil_arready):
            m.d.sync += self.s_axil_rvalid.eq(1)
            with m.Switch(self.s_axil_araddr[2:]):
                for register in REGISTERS:
                    with m.Case(register.offset >> 2):
                        m.d.sync += [
                            self.s_axil_rdata.eq(values[register.name]),
                            self.s_axil_rresp.eq(axi.OKAY),
                        ]
                with m.Default():
                    m.d.sync += [self.s_axil_rdata.eq(0), self.s_axil_rresp.eq(axi.SLVERR)]

    def _counters(self, m) -> dict:
        """Name -> value of every counter. Those of whole beats leave out the bits that stay 0."""
        beat_bits = log2(self.config.bus_bytes)
        counts = {"CYCLES": (self.cause != 0, 1, 0), "PLANES": (self.plane, 1, 0),
                  "BYTES_ACTIVATION_WRITE": (self.write_beat, self.write_bytes, 0)}  # fmt: skip
        for cause in Cause:
            if cause != Cause.IDLE:
                counts[f"CYCLES_{cause.name}"] = (self.cause == cause, 1, 0)
        for read_class, name in READ_COUNTERS.items():
            counts[name] = (self.read_beat & (self.read_class == read_class), 1, beat_bits)
        values = {}
        for name in COUNTERS:
            enable, amount, zeros = counts[name]
            counter = Signal(COUNTER_BITS - zeros, name=name.lower())
            with m.If(self.start):
                m.d.sync += counter.eq(0)
            with m.Elif(enable):
                m.d.sync += counter.eq(counter + amount)
            values[name] = Cat(Const(0, zeros), counter)
        return values
