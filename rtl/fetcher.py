"""Takes the program's descriptors in order and fetches what each needs."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.program import DESCRIPTOR_BYTES, PARAMETER_BYTES, Opcode, Signs
from hfn_accel.registers import Cause, ErrorCode, ReadClass

from .descriptor import BITS, CONV, IMAGE, TRANSFER, judge

NEVER = Const(0)


class Fetcher(wiring.Component):
    """Fetches descriptors and what they need, and hands over what is to be executed.

    `start` (while not busy) begins the program at `program_address`; `busy` is high from the clock
    after it until `done` (END was executed) or until something is wrong (`failed`, one clock, with
    `error_code`). `index` counts descriptors modulo 2^16; `cause` says what the present clock is
    spent on (0: idle). Its clocks are those of `hfn_accel.engine.timeline`.

    A descriptor is checked (`descriptor.faults`), waits until `executed` and `stored` have
    reached its numbers (modulo 2^16: a count counts as reached for 2^15 more; an error if `quiet`
    says that both engines are idle, so that it never comes), and then, by opcode:

    - IMAGE: a read of whole rows; `image_start` in the clock of its start, `image` the fields.
    - LOAD: a read for each group, one after the other.
    - CONV: a read of the parameters, then one of the mask, with `mask_start` in its first clock.
    - CONV, POOL, STORE, END: `offer` with `word` until `taken`.

    A phase ends on the clock after the DMA and what it feeds (`image_busy`, `mask_busy`) are idle.
    `read_*` command the DMA; `read_class` says where the data of the present read belong, and
    `place` where the next beat goes: a beat of `bank` while `load` says
    that it is a LOAD's, or of the parameter buffer.
    """

    def __init__(self, config: Config):
        self.config = config
        super().__init__({
            "start": In(1), "program_address": In(32), "input_address": In(32),
            "output_address": In(32), "workspace_address": In(32),
            "executed": In(16), "stored": In(16), "quiet": In(1), "done": In(1),
            "busy": Out(1), "failed": Out(1), "error_code": Out(8),
            "index": Out(16), "cause": Out(4),
            "read_start": Out(1), "read_address": Out(32), "read_beats": Out(24),
            "read_busy": In(1), "read_error": In(2), "read_class": Out(3),
            "data_valid": In(1), "data": In(config.axi_data_width),
            "load": Out(1), "bank": Out(2), "place": Out(24),
            "image_start": Out(1), "image_busy": In(1),
            "mask_start": Out(1), "mask_busy": In(1),
            "offer": Out(1), "word": Out(BITS), "taken": In(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        config = self.config
        conv, image, transfer = Signal(CONV), Signal(IMAGE), Signal(TRANSFER)
        m.d.comb += [
            *(view.as_value().eq(self.word) for view in (conv, image, transfer)),
            self.bank.eq(transfer.bank),
        ]
        with m.If(self.data_valid & (self.read_class == ReadClass.DESCRIPTOR)):
            m.d.sync += self.word.eq(Cat(self.word[config.axi_data_width :], self.data))

        at = Signal(32)  # the descriptor in memory
        issued, first, ready = Signal(), Signal(), Signal()
        verdict, image_beats = Signal(8), Signal(24)
        m.d.sync += [
            verdict.eq(judge(m, self.word, first, config)),
            image_beats.eq(self._beats(4 * (image.width * image.rows))),
        ]

        def reached(count, token):
            return ~(count - token)[15]

        m.d.comb += ready.eq(
            first | (reached(self.executed, transfer.wait_executed)
                     & reached(self.stored, transfer.wait_stored))
        )  # fmt: skip

        def fail(code):
            m.d.comb += [self.failed.eq(1), self.error_code.eq(code)]
            m.next = "IDLE"

        def go_on():
            m.d.sync += [self.index.eq(self.index + 1), at.eq(at + DESCRIPTOR_BYTES), first.eq(0)]
            m.next = "FETCH"

        def read(cause, read_class, address, beats, then, also_busy=NEVER):
            """Body of a state that reads `beats`, and does `then` once that and `also_busy` are
            over."""
            m.d.comb += [
                self.cause.eq(cause), self.read_class.eq(read_class),
                self.read_address.eq(address), self.read_beats.eq(beats),
                self.read_start.eq(~issued),
            ]  # fmt: skip
            m.d.sync += issued.eq(1)
            with m.If(issued & ~self.read_busy):
                with m.If(self.read_error != 0):
                    with m.Switch(self.read_error):
                        with m.Case(2):
                            fail(ErrorCode.READ_SLVERR)
                        with m.Case(3):
                            fail(ErrorCode.READ_DECERR)
                        with m.Default():
                            fail(ErrorCode.READ_PROTOCOL)
                with m.Elif(~also_busy):
                    m.d.sync += issued.eq(0)
                    then()

        def go_to(state):
            m.next = state

        group, memory, bank_beat = Signal(12), Signal(32), Signal(24)
        with m.If(self.data_valid):
            m.d.sync += self.place.eq(self.place + 1)

        m.d.comb += self.busy.eq(1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                m.d.sync += [issued.eq(0), first.eq(1), at.eq(self.program_address)]
                with m.If(self.start):
                    m.d.sync += self.index.eq(0)
                    low = self.program_address[:12] | self.input_address[:6] | \
                        self.output_address[:6] | self.workspace_address[:6]  # fmt: skip
                    with m.If(low != 0):
                        fail(ErrorCode.BAD_ADDRESS)
                    with m.Else():
                        m.next = "FETCH"

            with m.State("FETCH"):
                read(Cause.DESCRIPTOR, ReadClass.DESCRIPTOR, at,
                     DESCRIPTOR_BYTES // config.bus_bytes, lambda: go_to("DECODE"))  # fmt: skip

            with m.State("DECODE"):
                m.d.comb += self.cause.eq(Mux(ready, Cause.DESCRIPTOR, Cause.STORE))
                m.d.sync += [
                    group.eq(0), memory.eq(self.workspace_address + transfer.address),
                    bank_beat.eq(transfer.bank_beat),
                ]  # fmt: skip
                with m.If(verdict != ErrorCode.NONE):
                    fail(verdict)
                with m.Elif(ready):
                    with m.Switch(conv.opcode):
                        with m.Case(Opcode.BEGIN):
                            go_on()
                        with m.Case(Opcode.IMAGE):
                            m.next = "IMAGE"
                        with m.Case(Opcode.LOAD):
                            m.next = "LOAD"
                        with m.Case(Opcode.CONV):
                            m.next = "OFFER"
                            with m.If(conv.fetch_parameters):
                                m.next = "PARAMETER"
                            with m.Elif(conv.fetch_mask):
                                m.next = "MASK"
                        with m.Default():
                            m.next = "OFFER"
                with m.Elif(self.quiet):
                    fail(ErrorCode.DEADLOCK)

            with m.State("IMAGE"):
                m.d.comb += self.image_start.eq(~issued)
                read(Cause.LOAD, ReadClass.ACTIVATION, self.input_address + image.address,
                     image_beats, go_on, self.image_busy)  # fmt: skip

            with m.State("LOAD"):

                def next_group():
                    m.d.sync += [
                        group.eq(group + 1), memory.eq(memory + transfer.memory_stride),
                        bank_beat.eq(bank_beat + transfer.bank_stride),
                    ]  # fmt: skip
                    with m.If(group == transfer.groups - 1):
                        go_on()

                m.d.comb += self.load.eq(1)
                with m.If(~issued):
                    m.d.sync += self.place.eq(bank_beat)
                read(Cause.LOAD, ReadClass.ACTIVATION, memory, transfer.beats,
                     next_group)  # fmt: skip

            with m.State("PARAMETER"):

                def after():
                    go_to("OFFER")
                    with m.If(conv.fetch_mask):
                        go_to("MASK")

                with m.If(~issued):
                    m.d.sync += self.place.eq(self._beats(PARAMETER_BYTES * conv.parameter_base))
                read(Cause.PARAMETER, ReadClass.PARAMETER,
                     self.program_address + conv.parameter_address,
                     self._beats(PARAMETER_BYTES * conv.out_channels), after)  # fmt: skip

            with m.State("MASK"):
                m.d.comb += self.mask_start.eq(~issued)
                explicit = conv.signs == Signs.EXPLICIT
                read(Cause.MASK, Mux(explicit, ReadClass.WEIGHT, ReadClass.MASK),
                     self.program_address + conv.mask_address, conv.mask_beats,
                     lambda: go_to("OFFER"), self.mask_busy)  # fmt: skip

            with m.State("OFFER"):
                m.d.comb += [self.cause.eq(Cause.DESCRIPTOR), self.offer.eq(1)]
                with m.If(self.taken):
                    with m.If(conv.opcode == Opcode.END):
                        m.next = "END"
                    with m.Else():
                        go_on()

            with m.State("END"):
                with m.If(self.done):
                    m.next = "IDLE"
        return m

    def _beats(self, size):
        """Whole beats of so many bytes."""
        return (size + self.config.bus_bytes - 1) >> log2(self.config.bus_bytes)
