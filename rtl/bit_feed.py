"""Beats of a mask stream become bits, of which any number up to 15 is taken a clock."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config
from hfn_accel.huffman import MAX_LENGTH

WORD = 16

WINDOW = MAX_LENGTH + 2 * WORD
"""Bits on which a step depends: the head, and two words of which the next head is filled up."""

SKIPPED = WORD
"""Bits to take before the stream's first."""

_WORD = data.StructLayout({"bits": WORD, "opens": 1, "beyond": 1})


class BitFeed(wiring.Component):
    """`head` is what comes next in the stream, first bit lowest, MAX_LENGTH bits of it.

    `start` forgets everything; SKIPPED bits then stand before the first beat's. In a clock with
    `ready`, `take` goes on by `length` bits; bit i of `longer` is whether that is more than i.
    Bits follow each other at MAX_LENGTH a clock if a beat comes whenever `i_ready` is high; the
    first can be taken 2 clocks after their beat. Behind the last beat any bits follow, so that no
    code lacks any.

    `pending`: `i_last` has not been seen since `start`, nor `abort`. With `drop`, beats are taken
    and forgotten.

    `wrong`: the bits that were taken while `count` are not those of the stream but for less than
    a beat: they end behind the last beat (`short`, which is `wrong` too), or no bit of the last
    beat is among them. A stream of one beat may go unused.
    """

    def __init__(self, config: Config):
        self.config = config
        super().__init__({
            "start": In(1),
            "abort": In(1),
            "drop": In(1),
            "pending": Out(1),
            "i_valid": In(1),
            "i_data": In(config.axi_data_width),
            "i_last": In(1),
            "i_ready": Out(1),
            "head": Out(MAX_LENGTH),
            "ready": Out(1),
            "take": In(1),
            "count": In(1),
            "length": In(4),
            "longer": In(MAX_LENGTH),
            "short": Out(1),
            "wrong": Out(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        width = self.config.axi_data_width

        # A beat, word after word
        beat, index = Signal(width), Signal(range(width // WORD))
        some = Signal()  # words of the beat are left
        accept, push, last = Signal(), Signal(), Signal()
        word = Signal(_WORD)
        m.d.comb += [
            last.eq(index == width // WORD - 1),
            self.i_ready.eq(self.pending & (self.drop | ~some | (push & last))),
            accept.eq(self.i_valid & self.i_ready),
            word.bits.eq(beat.word_select(index, WORD)),
            word.opens.eq(some & ~self.pending & (index == 0)),
            word.beyond.eq(~some),
        ]
        with m.If(push & some):
            m.d.sync += [index.eq(index + 1), some.eq(~last)]
        with m.If(accept):
            m.d.sync += [beat.eq(self.i_data), some.eq(1), self.pending.eq(~self.i_last)]

        # Three words in a row, of which one, two or all are there. One more is asked for without
        # a look at what is taken, which is known late.
        first, second, third = (Signal(_WORD, name=n) for n in ("first", "second", "third"))
        two, three, pop = Signal(), Signal(), Signal()
        m.d.comb += [push.eq((some | ~self.pending) & ~three), self.ready.eq(two)]
        m.d.sync += [
            three.eq(two & ~pop & (three | push)),
            two.eq(three | (push & ~two) | (two & (push | ~pop))),
        ]
        with m.If(pop):
            m.d.sync += first.eq(second)
        with m.If(pop | ~two):
            m.d.sync += second.eq(Mux(three, third, word))
        with m.If(~three):
            m.d.sync += third.eq(word)

        # The head, then the first word from bit `at` on
        at, behind = Signal(range(WORD)), Signal(MAX_LENGTH)
        m.d.comb += [
            behind.eq(Cat(first.bits, second.bits) >> at),
            pop.eq(self.take & Cat(self.longer, 0).bit_select(~at, 1)),
        ]
        with m.If(self.take):
            m.d.sync += [
                self.head.eq(_shifted(Cat(self.head, behind), self.length, self.longer)),
                at.eq(_sum(at, self.length)),
            ]

        unused = Signal()  # no bit of the last beat was taken, and it is not the first
        m.d.comb += self.wrong.eq(self.short | unused)
        with m.If(accept & ~self.i_last):
            m.d.sync += unused.eq(1)
        with m.If(pop & self.count):
            with m.If(first.opens):
                m.d.sync += unused.eq(0)
            with m.If(first.beyond):
                m.d.sync += self.short.eq(1)

        with m.If(self.start):
            m.d.sync += [
                self.pending.eq(1), some.eq(0), index.eq(0), two.eq(0), three.eq(0),
                at.eq(WORD - 1), first.opens.eq(0), first.beyond.eq(0), unused.eq(0),
                self.short.eq(0),
            ]  # fmt: skip
        with m.If(self.abort):
            m.d.sync += self.pending.eq(0)
        return m


def _shifted(bits, length, longer):
    """`bits >> length`, MAX_LENGTH of them: by multiples of 4 first, which are known earlier."""
    for step, (one, two, three) in (
        (4, (longer[3], longer[7], longer[11])),
        (1, (length[0], length[1], length[0])),
    ):
        a, b, c, d = (bits[i * step : MAX_LENGTH + (i + 1) * step - 1] for i in range(4))
        bits = Mux(two, Mux(three, d, c), Mux(one, b, a))
    return bits


def _sum(a, b):
    """a + b modulo 2^width, without a carry chain: faster where `b` comes late."""
    bits, carry = [], 0
    for x, y in zip(a, b, strict=True):
        bits.append(x ^ y ^ carry)
        carry = x & y | carry & (x | y)
    return Cat(bits)
