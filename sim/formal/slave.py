"""The AXI4-Lite slave: its handshakes, and what reads and writes of each register do."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Mux, Signal
from amaranth.lib.wiring import In

from hfn_accel.config import Config
from hfn_accel.registers import OFFSETS, REGISTERS, constants, field
from rtl import axi
from rtl.counters import SLOTS
from rtl.registers import Registers

from .bench import Bench
from .masters import after_reset

ANSWER_CLOCKS = SLOTS + 4  # at most, from a request to its response: a counter has its slot
READ_ONLY = tuple(r.offset >> 2 for r in REGISTERS if r.access == "RO")


def known(address):
    return reduce(or_, (address == r.offset >> 2 for r in REGISTERS))


def master(b: Bench, dut):
    """A legal master: what it offers stays until it is taken."""
    for channel, payload in ("aw", ("addr",)), ("w", ("data", "strb")), ("ar", ("addr",)):
        port = f"s_axil_{channel}"
        b.assume(
            b.stable(
                getattr(dut, f"{port}valid"),
                getattr(dut, f"{port}ready"),
                *(getattr(dut, port + name) for name in payload),
            )
        )


class Request:
    """Requests on a channel that have no response yet, and the last one's payload."""

    def __init__(self, b: Bench, valid, ready, payload, answered, name: str):
        self.taken = valid & ready
        self.open = Signal(2, name=f"{name}_open")
        self.payload = Signal(len(payload), name=f"{name}_payload")
        b.m.d.sync += self.open.eq(self.open + self.taken - answered)
        with b.m.If(self.taken):
            b.m.d.sync += self.payload.eq(payload)


class Bus:
    """The three requests of a slave, and the claims that hold for any slave."""

    def __init__(self, b: Bench, dut):
        self.b, self.dut = b, dut
        master(b, dut)
        answered = dut.s_axil_bvalid & dut.s_axil_bready
        self.address = Request(
            b, dut.s_axil_awvalid, dut.s_axil_awready, dut.s_axil_awaddr[2:], answered, "aw"
        )
        self.data = Request(
            b,
            dut.s_axil_wvalid,
            dut.s_axil_wready,
            Cat(dut.s_axil_wdata, dut.s_axil_wstrb),
            answered,
            "w",
        )
        self.read = Request(
            b,
            dut.s_axil_arvalid,
            dut.s_axil_arready,
            dut.s_axil_araddr[2:],
            dut.s_axil_rvalid & dut.s_axil_rready,
            "ar",
        )
        self.both = (self.address.open != 0) & (self.data.open != 0)
        self.word = self.data.payload[:32]
        self.mask = Cat(bit.replicate(8) for bit in self.data.payload[32:])
        was = b.past(dut.s_axil_bvalid & ~dut.s_axil_bready, name="answer_waits")
        self.answer = dut.s_axil_bvalid & ~was  # the response's first clock


def handshake(b: Bench):
    dut = b.block(Registers(Config()))
    bus = Bus(b, dut)
    b.claim(
        "write response stable until taken",
        b.stable(dut.s_axil_bvalid, dut.s_axil_bready, dut.s_axil_bresp),
    )
    b.claim(
        "read response stable until taken",
        b.stable(dut.s_axil_rvalid, dut.s_axil_rready, dut.s_axil_rdata, dut.s_axil_rresp),
    )
    b.claim(
        "no response behind a reset", ~(after_reset(b) & (dut.s_axil_bvalid | dut.s_axil_rvalid))
    )
    b.claim("no write response without both halves", ~dut.s_axil_bvalid | bus.both)
    b.claim("no read response without a request", ~dut.s_axil_rvalid | (bus.read.open != 0))
    b.claim(
        "one request waits at most beside the one being answered",
        (bus.address.open <= 2) & (bus.data.open <= 2) & (bus.read.open <= 2),
    )
    b.claim(
        "every write is answered",
        b.since(bus.both & ~dut.s_axil_bvalid, ANSWER_CLOCKS) < ANSWER_CLOCKS,
    )
    b.claim(
        "every read is answered",
        b.since((bus.read.open != 0) & ~dut.s_axil_rvalid, ANSWER_CLOCKS) < ANSWER_CLOCKS,
    )
    b.claim(
        "SLVERR for an unknown address only",
        ~bus.answer | (dut.s_axil_bresp == Mux(known(bus.address.payload), axi.OKAY, axi.SLVERR)),
    )
    b.claim(
        "the same of reads",
        ~dut.s_axil_rvalid
        | (dut.s_axil_rresp == Mux(known(bus.read.payload), axi.OKAY, axi.SLVERR)),
    )
    for name, value in constants(dut.config).items():
        here = dut.s_axil_rvalid & (bus.read.payload == OFFSETS[name] >> 2)
        b.claim(f"{name} reads its constant", ~here | (dut.s_axil_rdata == value))
    b.reach("address before data", b.past(bus.data.taken & (bus.address.open != 0)))
    b.reach("data before address", b.past(bus.address.taken & (bus.data.open != 0)))
    b.reach("both at once", b.past(bus.address.taken & bus.data.taken))


def semantics(b: Bench):
    dut = b.block(Registers(Config()))
    bus = Bus(b, dut)

    def written(register, name):
        """A 1 written to a field, seen in the first clock of the response."""
        bit = field(register, name).bit
        return (
            bus.answer
            & (bus.address.payload == OFFSETS[register] >> 2)
            & (bus.word & bus.mask)[bit]
        )

    start, reset = b.past(dut.start), b.past(dut.reset)
    error = Signal()  # STATUS.error
    error_now = Mux(b.past(dut.error), 1, Mux(start | reset, 0, error))
    b.m.d.sync += error.eq(error_now)
    b.claim(
        "start by a written 1, not while busy or failed",
        start == (written("CONTROL", "start") & ~b.past(dut.busy) & ~error),
    )
    b.claim("reset by a written 1", reset == written("CONTROL", "reset"))
    enable = Signal()
    bit = field("CONTROL", "irq_enable").bit
    hit = bus.answer & (bus.address.payload == OFFSETS["CONTROL"] >> 2) & bus.mask[bit]
    enable_now = Mux(hit, bus.word[bit], enable)
    b.m.d.sync += enable.eq(enable_now)
    raised = 0
    for name, pulse in ("done", dut.done), ("error", dut.error):
        kept = Signal(name=f"irq_{name}")
        now = Mux(b.past(pulse), 1, Mux(written("IRQ_STATUS", name) | reset, 0, kept))
        b.m.d.sync += kept.eq(now)
        raised = raised | now
    b.claim(
        "interrupts: set by pulses, cleared by a written 1 or reset alone",
        dut.irq == (enable_now & raised),
    )
    for register in (r for r in REGISTERS if r.access == "RW"):
        port = getattr(dut, register.name.lower().replace("_addr", "_address"))
        value = Signal(32, name=register.name.lower(), init=register.reset)
        hit = bus.answer & (bus.address.payload == register.offset >> 2)
        now = Mux(hit, (bus.word & bus.mask) | (value & ~bus.mask), value)
        b.m.d.sync += value.eq(now)
        b.claim(f"{register.name} is what was written last", port == now)
    b.reach("start", start)
    b.reach(
        "interrupt falls by a write", b.past(dut.irq) & ~dut.irq & written("IRQ_STATUS", "done")
    )


def read_only(b: Bench):
    """Two slaves with the same inputs, but for the address of a write: of a read-only register in
    one, and of no register in the other."""
    one = b.block(Registers(Config()), "one")
    dut, ports = Registers(Config()), {}
    nowhere = max(READ_ONLY) + 1
    address = one.s_axil_awaddr
    hits = reduce(or_, (address[2:] == place for place in READ_ONLY))
    for path, member, _port in dut.signature.flatten(dut):
        if member.flow is In:
            ports[path[0]] = getattr(one, path[0])
    ports["s_axil_awaddr"] = Mux(hits, nowhere << 2, address)
    b.block(dut, "other", **ports)
    master(b, one)
    for path, _member, _port in dut.signature.flatten(dut):
        name = path[0]
        if name not in ports and name != "s_axil_bresp":
            b.claim(f"{name} the same", getattr(one, name) == getattr(dut, name))
    b.reach(
        "a write to a read-only register", b.past(one.s_axil_awvalid & hits) & one.s_axil_bvalid
    )


handshake.reset = True
