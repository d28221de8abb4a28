"""Executes the program, descriptor by descriptor, and says what every clock was spent on."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.program import (
    DESCRIPTOR_BYTES,
    MAGIC,
    PARAMETER_BYTES,
    VERSION,
    Opcode,
    available,
    shape_fields,
)
from hfn_accel.registers import Cause, ErrorCode, ReadClass

from . import descriptor
from .descriptor import CONV

NEVER = Const(0)


class Sequencer(wiring.Component):
    """The controller.

    `start` begins the program at `program_address`; `busy` is high until its END (`done`, one
    clock) or until something is wrong (`failed`, one clock, with `error_code`), after which only a
    reset of the sequencer makes it listen again. `layer` counts descriptors. `cause` says what the
    present clock is spent on (0: idle).

    `read_*` and `write_*` command the two DMAs; `read_class` says where the data of the present
    read belong; descriptors come back through `data_valid`, `data`. `conv` and `period` describe
    the present layer to the datapath: `setup` resets its blocks, `stream` starts it one clock
    later; `load_start` starts the image loader together with its read; `store_start` the result
    stream together with its write.
    """

    def __init__(self, config: Config):
        self.config = config
        super().__init__({
            "start": In(1), "program_address": In(32), "input_address": In(32),
            "output_address": In(32),
            "busy": Out(1), "done": Out(1), "failed": Out(1), "error_code": Out(8),
            "layer": Out(16), "cause": Out(4),
            "read_start": Out(1), "read_address": Out(32), "read_beats": Out(24),
            "read_busy": In(1), "read_error": In(2), "read_class": Out(3),
            "data_valid": In(1), "data": In(config.axi_data_width),
            "write_start": Out(1), "write_address": Out(32), "write_beats": Out(24),
            "write_busy": In(1), "write_error": In(2),
            "load": Out(descriptor.layout(Opcode.LOAD)), "load_start": Out(1), "load_busy": In(1),
            "conv": Out(CONV), "period": Out(8), "setup": Out(1), "stream": Out(1),
            "active": In(1), "finished": In(1), "drained": In(1), "store_start": Out(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        config = self.config
        word = Signal(descriptor.BITS)
        begin = Signal(descriptor.layout(Opcode.BEGIN))
        conv, load = self.conv, self.load
        m.d.comb += [begin.as_value().eq(word), conv.as_value().eq(word), load.as_value().eq(word)]
        with m.If(self.data_valid & (self.read_class == ReadClass.DESCRIPTOR)):
            m.d.sync += word.eq(Cat(word[config.axi_data_width :], self.data))

        issued, streamed = Signal(), Signal()
        shift = log2(config.bus_bytes)

        def beats(size):
            return (size + config.bus_bytes - 1) >> shift

        def fail(code):
            m.d.comb += [self.failed.eq(1), self.error_code.eq(code)]
            m.next = "HALT"

        def read(cause, read_class, address, count, following, also_busy=NEVER):
            """Body of a state that reads `count` beats, and goes on to `following` once that and
            `also_busy` are over."""
            m.d.comb += [
                self.cause.eq(cause), self.read_class.eq(read_class),
                self.read_address.eq(address), self.read_beats.eq(count),
                self.read_start.eq(~issued),
            ]  # fmt: skip
            m.d.sync += issued.eq(1)
            with m.If(issued & ~self.read_busy):
                with m.If(self.read_error != 0):
                    m.d.sync += issued.eq(0)
                    with m.Switch(self.read_error):
                        with m.Case(2):
                            fail(ErrorCode.READ_SLVERR)
                        with m.Case(3):
                            fail(ErrorCode.READ_DECERR)
                        with m.Default():
                            fail(ErrorCode.READ_PROTOCOL)
                with m.Elif(~also_busy):
                    m.d.sync += issued.eq(0)
                    m.next = following

        m.d.comb += self.busy.eq(1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                with m.If(self.start):
                    m.d.sync += self.layer.eq(0)
                    low = self.program_address[:12] | self.input_address[:6] | \
                        self.output_address[:6]  # fmt: skip
                    with m.If(low != 0):
                        fail(ErrorCode.BAD_ADDRESS)
                    with m.Else():
                        m.next = "FETCH"

            with m.State("FETCH"):
                read(Cause.DESCRIPTOR, ReadClass.DESCRIPTOR,
                     self.program_address + DESCRIPTOR_BYTES * self.layer,
                     DESCRIPTOR_BYTES // config.bus_bytes, "DECODE")  # fmt: skip

            with m.State("DECODE"):
                m.d.comb += self.cause.eq(Cause.DESCRIPTOR)
                unfit = [begin[n] > v for n, v in available(config).items()]
                foreign = [begin[n] != v for n, v in shape_fields(config).items()]
                with m.If(begin.magic != MAGIC):
                    fail(ErrorCode.BAD_MAGIC)
                with m.Elif(begin.version != VERSION):
                    fail(ErrorCode.BAD_VERSION)
                with m.Elif((self.layer == 0) != (begin.opcode == Opcode.BEGIN)):
                    fail(ErrorCode.BAD_OPCODE)
                with m.Elif(begin.opcode == Opcode.BEGIN):
                    with m.If(Cat(foreign).any()):
                        fail(ErrorCode.BAD_SHAPE)
                    with m.Elif(Cat(unfit).any()):
                        fail(ErrorCode.TOO_LARGE)
                    with m.Else():
                        m.next = "NEXT"
                with m.Elif(begin.opcode == Opcode.LOAD):
                    with m.If(bad_load(load)):
                        fail(ErrorCode.BAD_FIELD)
                    with m.Else():
                        m.next = "LOAD"
                with m.Elif(begin.opcode == Opcode.CONV):
                    with m.If(bad_conv(conv, config)):
                        fail(ErrorCode.BAD_FIELD)
                    with m.Else():
                        m.next = "PARAMETER"
                        with m.If(conv.raw):
                            m.next = "MASK"
                            with m.If(~conv.fetch_mask):
                                m.next = "SETUP"
                with m.Elif(begin.opcode == Opcode.END):
                    m.d.comb += self.done.eq(1)
                    m.next = "IDLE"
                with m.Else():
                    fail(ErrorCode.BAD_OPCODE)

            with m.State("LOAD"):
                m.d.comb += self.load_start.eq(~issued)
                read(Cause.LOAD, ReadClass.ACTIVATION, self.input_address,
                     beats(4 * load.pixels), "NEXT", self.load_busy)  # fmt: skip

            with m.State("PARAMETER"):
                read(Cause.PARAMETER, ReadClass.PARAMETER,
                     self.program_address + conv.parameter_address,
                     beats(PARAMETER_BYTES * conv.out_channels), "SETUP")  # fmt: skip
                with m.If(issued & ~self.read_busy & (self.read_error == 0) & conv.fetch_mask):
                    m.next = "MASK"

            with m.State("MASK"):
                read(Cause.MASK, ReadClass.MASK, self.program_address + conv.mask_address,
                     conv.mask_beats, "SETUP")  # fmt: skip

            with m.State("SETUP"):
                m.d.comb += [self.cause.eq(Cause.FILL), self.setup.eq(1)]
                m.d.sync += [self.period.eq(period(conv, config)), streamed.eq(0)]
                m.next = "STREAM"

            with m.State("STREAM"):
                m.d.comb += [self.cause.eq(Cause.FILL), self.stream.eq(1)]
                m.next = "COMPUTE"

            with m.State("COMPUTE"):
                with m.If(self.active):
                    m.d.comb += self.cause.eq(Cause.COMPUTE)
                    m.d.sync += streamed.eq(1)
                with m.Else():
                    m.d.comb += self.cause.eq(Mux(streamed, Cause.STALL, Cause.FILL))
                with m.If(self.finished):
                    m.next = "DRAIN"

            with m.State("DRAIN"):
                m.d.comb += self.cause.eq(Cause.DRAIN)
                with m.If(self.drained):
                    m.next = "NEXT"
                    with m.If(conv.raw):
                        m.next = "STORE"

            with m.State("STORE"):
                m.d.comb += [
                    self.cause.eq(Cause.STORE),
                    self.write_address.eq(self.output_address),
                    self.write_beats.eq(beats(4 * conv.out_channels)),
                    self.write_start.eq(~issued), self.store_start.eq(~issued),
                ]  # fmt: skip
                m.d.sync += issued.eq(1)
                with m.If(issued & ~self.write_busy):
                    m.d.sync += issued.eq(0)
                    m.next = "NEXT"
                    with m.If(self.write_error != 0):
                        fail(Mux(self.write_error == 3, ErrorCode.WRITE_DECERR,
                                 ErrorCode.WRITE_SLVERR))  # fmt: skip

            with m.State("NEXT"):
                m.d.comb += self.cause.eq(Cause.DESCRIPTOR)
                m.d.sync += self.layer.eq(self.layer + 1)
                m.next = "FETCH"

            with m.State("HALT"):
                m.d.comb += self.busy.eq(0)
        return m


def period(conv, config: Config):
    """Clocks of a pixel in a strip's last pass (docs/architecture.md, "Time of a tile")."""

    def larger(a, b):
        return Mux(a > b, a, b)

    out = Mux(conv.raw, 0, conv.out_bits)
    residual = Mux(conv.residual, conv.res_bits, 0)
    return larger(larger(conv.in_bits, out), larger(residual, config.columns // config.units))


def bad_load(load):
    """A LOAD that the datapath could not execute."""
    return ((load.dst_bank > 2) | (load.channels == 0) | (load.channels > 4)
            | (load.granules == 0) | (load.granules > 4) | (load.pixels == 0)
            | (load.pixels >= 1 << 20))  # fmt: skip


def bad_conv(conv, config: Config):
    """A CONV with a field that the datapath could not execute: zero counts, banks that collide."""

    def bits(value):
        return (value == 0) | (value > 8)

    zero = [conv[n] == 0 for n in (
        "kernel", "in_tiles", "out_tiles", "strips", "strip_rows", "last_strip_rows", "out_width",
        "out_channels", "in_height", "in_width",
    )]  # fmt: skip
    wrong = [
        bits(conv.in_bits), ~conv.raw & (bits(conv.out_bits) | (conv.shift == 0)),
        conv.shift > 47, (conv.stride == 0) | (conv.stride > 2),
        (conv.src_bank == 3) | (~conv.raw & (conv.dst_bank == 3)),
        ~conv.raw & (conv.dst_bank == conv.src_bank),
        conv.residual & (bits(conv.res_bits) | conv.raw | (conv.res_bank == conv.src_bank)
                         | (conv.res_bank == conv.dst_bank) | (conv.res_bank == 3)),
        (conv.last_rows == 0) | (conv.last_rows > config.rows),
        conv.fetch_mask & (conv.mask_beats == 0),
        conv.mask_base + conv.mask_beats > config.mask_words,
        conv.raw & (~conv.pool | (conv.out_channels > config.result_words)),
        ~conv.raw & (conv.out_channels > config.parameter_channels),
        (conv.parameter_address | conv.mask_address)[: log2(DESCRIPTOR_BYTES)] != 0,
    ]  # fmt: skip
    return Cat(*zero, *wrong).any()
