"""Takes the program's descriptors in order and fetches what each needs."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.images import PIXEL_BYTES
from hfn_accel.program import DESCRIPTOR_BYTES, PARAMETER_BYTES, Opcode, Signs
from hfn_accel.registers import Cause, ErrorCode, ReadClass
from hfn_accel.timing import CHECK_CYCLES, DECODE_CYCLES

from .crc import RESIDUE, Crc
from .descriptor import BITS, CONV, IMAGE, JUDGE_CYCLES, TRANSFER, judge

NEVER = Const(0)


class Fetcher(wiring.Component):
    """Fetches descriptors and what they need, and hands over what is to be executed.

    `start` (while not busy) begins the program at `program_address`; the addresses stand still from
    the clock before it on. `busy` is high from the clock after it until `done` (END was executed)
    or until something is wrong (`failed`, one clock, with `error_code`). `index` counts descriptors
    modulo 2^16; `cause` says what the present clock is spent on (0: idle). Its clocks are those of
    `hfn_accel.engine.timeline`.

    A descriptor is judged (`descriptor.judge`), waits until `executed` and `stored` have
    reached its numbers (modulo 2^16: a count counts as reached for 2^15 more; an error if `quiet`
    says that both engines are idle, so that it never comes), and then, by opcode:

    - IMAGE: a read of whole rows; `image_start` in the clock of its start, `image` the fields.
    - LOAD: a read for each group, one after the other.
    - CONV: a read of the parameters, then one of the mask, with `mask_start` in its first clock.
    - CONV, POOL, STORE, END: `offer` with `word` until `taken`.

    A phase ends on the clock after the DMA and what it feeds (`image_busy`, `mask_busy`) are idle.
    Those of parameters and masks go on for CHECK_CYCLES, behind which the CRC of what came
    (with `config.integrity`) and, of a mask, `mask_wrong` must be right.
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
            "mask_start": Out(1), "mask_busy": In(1), "mask_wrong": In(1),
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

        at = Signal(32)  # the next descriptor in memory
        clock = Signal(range(max(DECODE_CYCLES, CHECK_CYCLES)))  # of decoding, of a check
        issued, first, misaligned = Signal(), Signal(), Signal()
        decoding, checked = Signal(), Signal(3)  # class of what is looked at
        damaged = self._damaged(m, conv, checked)
        verdict = judge(m, self.word, first, damaged, config)
        assert DECODE_CYCLES == JUDGE_CYCLES

        def reached(count, token):
            return ~(count - token)[15]

        ready, quiet = Signal(), Signal()  # a clock ago
        low = self.program_address[:12] | self.input_address[:6] | \
            self.output_address[:6] | self.workspace_address[:6]  # fmt: skip
        m.d.sync += [
            misaligned.eq(low != 0),
            quiet.eq(self.quiet),
            ready.eq(first | (reached(self.executed, transfer.wait_executed)
                              & reached(self.stored, transfer.wait_stored))),
        ]  # fmt: skip
        of = {opcode: Signal(name=f"of_{opcode.name.lower()}") for opcode in Opcode}
        m.d.sync += [signal.eq(conv.opcode == opcode) for opcode, signal in of.items()]
        follow = self._addresses(m, conv, image, transfer, of, decoding)

        def fail(code):
            m.d.comb += [self.failed.eq(1), self.error_code.eq(code)]
            m.next = "IDLE"

        def fetch(address):
            """The next descriptor, there."""
            m.d.sync += [
                self.read_address.eq(address),
                self.read_beats.eq(DESCRIPTOR_BYTES // config.bus_bytes),
            ]
            m.next = "FETCH"

        def go_on():
            m.d.sync += [self.index.eq(self.index + 1), first.eq(0)]
            fetch(at)

        def read(cause, read_class, then, also_busy=NEVER):
            """Body of a state that reads, and goes on to `then` once that and `also_busy` are
            over."""
            m.d.comb += [
                self.cause.eq(cause), self.read_class.eq(read_class), self.read_start.eq(~issued)
            ]  # fmt: skip
            m.d.sync += [issued.eq(1), clock.eq(0)]
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

        def check(cause, read_class, code, then):
            """Body of a state that looks at what a phase has read."""
            m.d.comb += [self.cause.eq(cause), checked.eq(read_class)]
            m.d.sync += clock.eq(clock + 1)
            follow()
            with m.If(clock == CHECK_CYCLES - 1):
                with m.If(damaged):
                    fail(code)
                with m.Else():
                    then()

        def go_to(state):
            m.next = state

        group, bank_beat = Signal(12), Signal(24)
        with m.If(self.data_valid):
            m.d.sync += self.place.eq(self.place + 1)

        m.d.comb += self.busy.eq(1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                m.d.sync += [issued.eq(0), first.eq(1), at.eq(self.program_address)]
                with m.If(self.start):
                    m.d.sync += self.index.eq(0)
                    fetch(self.program_address)
                    with m.If(misaligned):
                        fail(ErrorCode.BAD_ADDRESS)

            with m.State("FETCH"):
                read(Cause.DESCRIPTOR, ReadClass.DESCRIPTOR, lambda: go_to("DECODE"))

            with m.State("DECODE"):
                last = clock == DECODE_CYCLES - 1
                m.d.comb += [
                    decoding.eq(1),
                    self.cause.eq(Mux(last & ~ready, Cause.STORE, Cause.DESCRIPTOR)),
                ]
                m.d.sync += [group.eq(transfer.groups), bank_beat.eq(transfer.bank_beat)]
                follow()
                with m.If(clock == 0):
                    m.d.sync += at.eq(at + DESCRIPTOR_BYTES)
                with m.If(~last):
                    m.d.sync += clock.eq(clock + 1)
                with m.Elif(verdict != ErrorCode.NONE):
                    fail(verdict)
                with m.Elif(ready):
                    m.next = "OFFER"
                    with m.If(first):
                        go_on()
                    for opcode in (Opcode.IMAGE, Opcode.LOAD):
                        with m.If(of[opcode]):
                            m.next = opcode.name
                    with m.If(of[Opcode.CONV] & conv.fetch_parameters):
                        m.next = "PARAMETER"
                    with m.Elif(of[Opcode.CONV] & conv.fetch_mask):
                        m.next = "MASK"
                with m.Elif(quiet):
                    fail(ErrorCode.DEADLOCK)

            with m.State("IMAGE"):
                m.d.comb += self.image_start.eq(~issued)
                read(Cause.LOAD, ReadClass.ACTIVATION, go_on, self.image_busy)

            with m.State("LOAD"):

                def next_group():
                    m.d.sync += [
                        group.eq(group - 1), bank_beat.eq(bank_beat + transfer.bank_stride)
                    ]  # fmt: skip
                    follow()
                    with m.If(group == 1):
                        go_on()

                m.d.comb += self.load.eq(1)
                with m.If(~issued):
                    m.d.sync += self.place.eq(bank_beat)
                read(Cause.LOAD, ReadClass.ACTIVATION, next_group)

            with m.State("PARAMETER"):
                with m.If(~issued):
                    m.d.sync += self.place.eq(self._beats(PARAMETER_BYTES * conv.parameter_base))
                read(Cause.PARAMETER, ReadClass.PARAMETER, lambda: go_to("PARAMETER CHECK"))

            with m.State("PARAMETER CHECK"):

                def after():
                    go_to("OFFER")
                    with m.If(conv.fetch_mask):
                        go_to("MASK")

                check(Cause.PARAMETER, ReadClass.PARAMETER, ErrorCode.PARAMETER_CRC, after)

            with m.State("MASK"):
                m.d.comb += self.mask_start.eq(~issued)
                explicit = conv.signs == Signs.EXPLICIT
                read(Cause.MASK, Mux(explicit, ReadClass.WEIGHT, ReadClass.MASK),
                     lambda: go_to("MASK CHECK"), self.mask_busy)  # fmt: skip

            with m.State("MASK CHECK"):

                def offer():
                    go_to("OFFER")
                    with m.If(self.mask_wrong):
                        fail(ErrorCode.MASK_LENGTH)

                check(Cause.MASK, ReadClass.MASK, ErrorCode.MASK_CRC, offer)

            with m.State("OFFER"):
                m.d.comb += [self.cause.eq(Cause.DESCRIPTOR), self.offer.eq(1)]
                with m.If(self.taken):
                    with m.If(of[Opcode.END]):
                        m.next = "END"
                    with m.Else():
                        go_on()

            with m.State("END"):
                with m.If(self.done):
                    m.next = "IDLE"
        return m

    def _addresses(self, m, conv, image, transfer, of, decoding):
        """Where the next read begins, and how long it is, two clocks ahead. What it returns makes
        them those of `read_*`: of a descriptor's first read while `decoding`; else of the mask or,
        of a LOAD, of the next group."""
        base, offset, beats, pixels = Signal(32), Signal(32), Signal(24), Signal(24)
        m.d.sync += [
            pixels.eq(image.width * image.rows),
            base.eq(self.program_address),
            offset.eq(conv.mask_address),
            beats.eq(conv.mask_beats),
        ]
        with m.If(of[Opcode.LOAD]):
            m.d.sync += [base.eq(self.read_address), offset.eq(transfer.memory_stride),
                         beats.eq(transfer.beats)]  # fmt: skip
        with m.If(decoding):
            with m.If(of[Opcode.LOAD]):
                m.d.sync += [base.eq(self.workspace_address), offset.eq(transfer.address)]
            with m.Elif(of[Opcode.IMAGE]):
                m.d.sync += [base.eq(self.input_address), offset.eq(image.address),
                             beats.eq(self._beats(PIXEL_BYTES * pixels))]  # fmt: skip
            with m.Elif(conv.fetch_parameters):
                records = self._beats(PARAMETER_BYTES * conv.out_channels)
                m.d.sync += [offset.eq(conv.parameter_address), beats.eq(records)]

        def follow():
            m.d.sync += [self.read_address.eq(base + offset), self.read_beats.eq(beats)]

        return follow

    def _damaged(self, m, conv, checked):
        """Whether the CRC of what was read last is wrong, Crc.LATENCY + 1 clocks behind it, if
        `checked` was its class a clock before."""
        damaged = Signal()
        if self.config.integrity:
            m.submodules.crc = crc = Crc(self.config)
            expected = Mux(checked == ReadClass.MASK, conv.mask_crc32, conv.parameter_crc32)
            expected = Mux(checked == ReadClass.DESCRIPTOR, RESIDUE, expected)
            m.d.comb += [
                crc.clear.eq(self.read_start),
                crc.valid.eq(self.data_valid),
                crc.data.eq(self.data),
            ]
            m.d.sync += damaged.eq(crc.crc != expected)
        return damaged

    def _beats(self, size):
        """Whole beats of so many bytes."""
        return (size + self.config.bus_bytes - 1) >> log2(self.config.bus_bytes)
