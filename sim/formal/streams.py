"""Streams behind the masters: nothing lost, doubled or out of order, and beats that are counted."""

from amaranth.hdl import Mux, Signal, Value

from hfn_accel.config import Config
from rtl.loader import ImageLoader
from rtl.read_ahead import ReadAhead
from rtl.results import ResultStore

from .bench import Bench

PLACE_BITS = 3


def read_ahead(b: Bench, latency: int):
    """From a memory whose words are their own places."""
    answer = Signal(PLACE_BITS)
    dut = b.block(ReadAhead(PLACE_BITS, PLACE_BITS, latency), i_data=answer)
    word = dut.place
    for i in range(latency):
        held = Signal(PLACE_BITS, name=f"memory_{i}")
        with b.m.If(dut.advance):
            b.m.d.sync += held.eq(word)
        word = held
    b.m.d.comb += answer.eq(word)
    taken = dut.o_valid & dut.o_ready
    expected = Signal(PLACE_BITS)
    with b.m.If(taken):
        b.m.d.sync += expected.eq(expected + 1)
    with b.m.If(dut.start):
        b.m.d.sync += expected.eq(dut.first)
    b.claim("the n-th word is the n-th", ~dut.o_valid | (dut.o_data == expected))
    b.claim(
        "on offer until taken or begun anew",
        b.stable(dut.o_valid, dut.o_ready, unless=b.past(dut.start)),
    )
    b.claim("a word a clock", ~b.past(taken & ~dut.start) | dut.o_valid)
    quiet = b.since(~dut.start, latency)
    begun = Signal()
    b.m.d.sync += begun.eq(begun | dut.start)
    b.claim("the first after `latency` clocks", ~begun | (quiet < latency) | dut.o_valid)
    b.reach(
        "a word behind waits",
        b.past(b.past(dut.o_valid & ~dut.o_ready)) & taken & (dut.o_data == 3),
    )


def read_ahead_1(b: Bench):
    read_ahead(b, 1)


def read_ahead_2(b: Bench):
    read_ahead(b, 2)


MOST_WORDS = 5


def results(b: Bench):
    """Of any one word, by a model of that word alone: filled before, then streamed."""
    dut = b.block(ResultStore(Config(rows=1, columns=1, requantisers=1)))
    place = b.constant(3, "place")
    kept, words, outs = Signal(32), Signal(16), Signal(16)  # beats out since the start
    per_beat = dut.config.axi_data_width // 32
    streaming = Signal()
    b.assume((dut.words > 0) & (dut.words <= MOST_WORDS), place < MOST_WORDS)
    b.assume(~(streaming & (dut.start | dut.write_en)), ~(dut.start & dut.write_en))
    b.assume(~b.past(dut.write_en) | ~dut.start)
    with b.m.If(dut.write_en & (dut.write_address == place)):
        b.m.d.sync += kept.eq(Value.cast(dut.write_data[0]))
    given = dut.o_valid & dut.o_ready
    with b.m.If(given):
        b.m.d.sync += [outs.eq(outs + 1), streaming.eq((outs + 1) * per_beat < words)]
    with b.m.If(dut.start):
        b.m.d.sync += [words.eq(dut.words), outs.eq(0), streaming.eq(1)]
    here = dut.o_valid & (place >> (per_beat.bit_length() - 1) == outs)
    lane = place[: per_beat.bit_length() - 1]
    b.claim(
        "a word is what was written to its place",
        ~here | (place >= words) | (dut.o_data.word_select(lane, 32) == kept),
    )
    b.claim(
        "words beyond the last are 0",
        ~here | (place < words) | (dut.o_data.word_select(lane, 32) == 0),
    )
    b.claim(
        "strobes cover the words",
        ~here | (dut.o_strb.word_select(lane, 4) == Mux(place < words, 15, 0)),
    )
    b.claim("no beat but those of the words", ~dut.o_valid | streaming)
    b.claim("offered until taken", b.stable(dut.o_valid, dut.o_ready, dut.o_data, dut.o_strb))
    waited = b.since(streaming & ~dut.o_valid, dut.START_CYCLES)
    b.claim("offered START_CYCLES after the start", waited < dut.START_CYCLES)
    b.reach("the last of all words", b.past(given & (outs == 2)) & ~streaming)


def loader(b: Bench):
    """Beats of an image are counted: those of whole rows, and no other."""
    dut = b.block(ImageLoader(Config(rows=1, columns=1)))
    image = dut.image
    held = b.past(dut.busy | dut.start, name="image_held")
    b.assume(~(held & dut.busy) | (b.past(image) == image), ~dut.start | ~dut.busy)
    b.assume((image.channels >= 1) & (image.channels <= 4), image.taps == 1, image.pad == 0)
    b.assume((image.stride >= 1) & (image.stride <= 2), image.granules == 1)
    b.assume((image.width >= 1) & (image.width <= 3), (image.rows >= 1) & (image.rows <= 3))
    b.assume((image.out_width >= 1) & ((image.out_width - 1) * image.stride < image.width))
    beats = b.count(dut.i_valid & dut.i_ready, 4, dut.start, "beats")
    pixels = (image.width[:2] * image.rows[:2])[:4]
    asked = (pixels + 1) >> 1
    aborted = Signal()
    b.m.d.sync += aborted.eq(~dut.start & (aborted | dut.abort))
    b.claim("never more beats than the image has", ~dut.i_ready | (beats < asked))
    b.claim(
        "all of them at the end",
        ~b.past(dut.busy) | dut.busy | aborted | (b.past(beats) == b.past(asked)),
    )
    b.claim("none while idle", dut.busy | ~dut.i_ready)
    b.reach("the end of an image", b.past(dut.busy) & ~dut.busy & ~aborted & (beats > 1))
