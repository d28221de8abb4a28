"""AXI4-Lite control, status and interrupt, and the way to the performance counters."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.registers import (
    COUNTER_BASE,
    COUNTERS,
    OFFSETS,
    REGISTERS,
    constants,
    field,
)

from . import axi
from .counters import SLOTS, Counters

_SETTINGS = {r.name: r for r in REGISTERS if r.access == "RW"}
_PORTS = {name: name.lower().replace("_addr", "_address") for name in _SETTINGS}


class Registers(wiring.Component):
    """The registers of docs/registers.md, behind an AXI4-Lite slave.

    Bus: address and data of a write may come in either order; one write and one read are
    outstanding at most. A write takes effect on the clock after the second of the two was
    accepted, the clock before its response; a read answers on the second clock after its address,
    of a counter when its slot of `Counters` comes. Addresses outside the table answer SLVERR.

    `start` and `reset` are pulses; `start` does not come while `busy` or after an error. `done`
    and `error` (with `error_code`) are pulses that set status and interrupt, also in the clock of
    a start. `irq` is a level. STATUS.layer keeps the `layer` of the last clock with `cause` != 0.
    Each register that can be written has an output of its name. The other inputs are those of
    `Counters`.
    """

    def __init__(self, config: Config):
        self.config = config
        super().__init__({
            **axi.register_ports(),
            "irq": Out(1),
            "reset": Out(1),
            **{_PORTS[r.name]: Out(32, init=r.reset) for r in _SETTINGS.values()},
            "busy": In(1),
            "done": In(1),
            "error": In(1),
            "error_code": In(8),
            "layer": In(16),
            **Counters.INPUTS, "start": Out(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        write, address, data, strobes = self._writes(m)
        mask = Cat(bit.replicate(8) for bit in strobes)

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
        for name, port in _PORTS.items():
            values[name] = port = getattr(self, port)
            for i, strobe in enumerate(strobes):
                with m.If(writes(name) & strobe):
                    m.d.sync += port.word_select(i, 8).eq(data.word_select(i, 8))
        values["CONTROL"] = self._pack("CONTROL", irq_enable=irq_enable)
        values["STATUS"] = self._pack("STATUS", busy=self.busy, done=done, error=error,
                                      error_code=error_code, layer=layer)  # fmt: skip
        values["IRQ_STATUS"] = self._pack("IRQ_STATUS", done=irq_done, error=irq_error)
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
        """Address, data and response of writes: (now, word address, data, byte strobes)."""
        address, data, strobes = Signal(10), Signal(32), Signal(4)
        have_address, have_data, write = Signal(), Signal(), Signal()
        known = Signal()
        m.d.comb += [
            self.s_axil_awready.eq(~have_address),
            self.s_axil_wready.eq(~have_data),
            write.eq(have_address & have_data & ~self.s_axil_bvalid),
            known.eq(Cat(address == r.offset >> 2 for r in _PLAIN).any() | _counter(address)),
        ]
        with m.If(self.s_axil_awvalid & self.s_axil_awready):
            m.d.sync += [address.eq(self.s_axil_awaddr >> 2), have_address.eq(1)]
        with m.If(self.s_axil_wvalid & self.s_axil_wready):
            m.d.sync += [
                data.eq(self.s_axil_wdata), strobes.eq(self.s_axil_wstrb), have_data.eq(1),
            ]  # fmt: skip
        with m.If(self.s_axil_bready):
            m.d.sync += self.s_axil_bvalid.eq(0)
        with m.If(write):
            m.d.sync += [
                have_address.eq(0),
                have_data.eq(0),
                self.s_axil_bvalid.eq(1),
                self.s_axil_bresp.eq(Mux(known, axi.OKAY, axi.SLVERR)),
            ]
        return write, address, data, strobes

    def _reads(self, m, values):
        """Answer reads with `values` (name -> value of a register that is no counter)."""
        m.submodules.counters = counters = Counters(self.config)
        for name in Counters.INPUTS:
            m.d.comb += getattr(counters, name).eq(getattr(self, name))
        address = Signal(10)
        asked, waits = Signal(), Signal()  # in the clock after the address; for a counter
        high = Signal()
        slot = Signal.like(counters.slot)
        m.d.comb += self.s_axil_arready.eq(~asked & ~waits & ~self.s_axil_rvalid)
        m.d.sync += asked.eq(self.s_axil_arvalid & self.s_axil_arready)
        with m.If(self.s_axil_arready):
            m.d.sync += address.eq(self.s_axil_araddr >> 2)
        with m.If(self.s_axil_rready):
            m.d.sync += self.s_axil_rvalid.eq(0)
        with m.If(asked):
            m.d.sync += [
                waits.eq(_counter(address)), high.eq(address[0]), slot.eq(address >> 1),
                self.s_axil_rvalid.eq(~_counter(address)),
                self.s_axil_rdata.eq(0), self.s_axil_rresp.eq(axi.SLVERR),
            ]  # fmt: skip
            with m.Switch(address):
                for register in _PLAIN:
                    with m.Case(register.offset >> 2):
                        m.d.sync += [
                            self.s_axil_rdata.eq(values[register.name]),
                            self.s_axil_rresp.eq(axi.OKAY),
                        ]
        with m.Elif(waits & (counters.slot == slot)):
            m.d.sync += [
                waits.eq(0), self.s_axil_rvalid.eq(1), self.s_axil_rresp.eq(axi.OKAY),
                self.s_axil_rdata.eq(Mux(high, counters.value[32:], counters.value[:32])),
            ]  # fmt: skip


_PLAIN = [r for r in REGISTERS if r.offset < COUNTER_BASE]
assert COUNTER_BASE % (8 * SLOTS) == 0, "a counter's slot is its address"


def _counter(address):
    """Whether a word address is half of a counter."""
    base = COUNTER_BASE >> 2
    return (address[log2(base) :] == 1) & (address[: log2(base)] < 2 * len(COUNTERS))
