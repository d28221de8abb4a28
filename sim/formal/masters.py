"""AXI4 masters: the handshakes' rules, bursts, and that every beat goes its way once."""

from functools import reduce
from operator import or_

from amaranth.hdl import Array, Mux, Signal, Value

from hfn_accel.config import Config, log2
from hfn_accel.timing import OUTSTANDING
from rtl import axi
from rtl.read_dma import ReadDma
from rtl.write_dma import OUTSIDE, WriteDma

from .bench import Bench

MOST_BEATS = 15  # of a transfer, where beats are counted: four bursts of ShortBursts
FAR = 64  # addresses below it, where they are added up
PATIENCE = 2  # clocks that a fair partner lets others wait


class ShortBursts(Config):
    """Bursts of at most 4 beats, so that a transfer of a few beats has all that a long one has; and
    a bus of one byte, since what a beat carries makes no difference to its way."""

    def __init__(self):
        super().__init__()
        object.__setattr__(self, "axi_data_width", 8)

    @property
    def burst_bytes(self) -> int:
        return 4 * self.bus_bytes


class Queue:
    """Lengths - 1 of bursts that were asked for and have not ended, first in, first out."""

    def __init__(self, b: Bench, push, length, pop, name: str, clear=0):
        size = OUTSTANDING + 1
        self.count = Signal(range(size + 1), name=f"{name}_count")
        entries = Array(Signal(8, name=f"{name}_{i}") for i in range(size))
        self.head = entries[0]
        b.m.d.sync += self.count.eq(Mux(clear, 0, self.count + push - pop))
        for i in range(size):
            following = entries[i + 1] if i + 1 < size else 0
            arriving = push & (self.count - pop == i)
            b.m.d.sync += entries[i].eq(Mux(arriving, length, Mux(pop, following, entries[i])))


def after_reset(b: Bench) -> Signal:
    """The clock behind one with reset, and the first."""
    was = Signal(init=1, reset_less=True)
    b.m.d.sync += was.eq(b.reset)
    return was


def command(b: Bench, dma, *positions):
    """Legal use: a start while idle, of aligned `positions`; an abort lasts until idle."""
    whole = (reduce(or_, positions) & (dma.config.bus_bytes - 1)) == 0
    held = b.past(dma.abort & dma.busy, name="abort_held")
    b.assume(~dma.start | (~dma.busy & ~dma.abort & whole))
    b.assume(~(held & dma.busy) | dma.abort)


def read_command(b: Bench, dma):
    command(b, dma, dma.address)
    b.assume(~dma.start | (dma.beats != 0))


def write_command(b: Bench, dma):
    command(b, dma, dma.address, dma.offset)
    most = ((1 << 24) - 1) * dma.config.bus_bytes
    b.assume(~dma.start | ((dma.bytes != 0) & (dma.bytes <= most)))


def address_rules(b: Bench, dma, c: str):
    """Claims on an address channel, `c` being "r" or "w"."""
    valid, ready, *payload = (
        getattr(dma, f"m_axi_a{c}{n}") for n in ("valid", "ready", "addr", "len", "burst", "size")
    )
    b.claim("address stable until taken", b.stable(valid, ready, *payload))
    b.claim("no address behind a reset", ~(after_reset(b) & valid))
    b.claim("no address while idle", dma.busy | ~valid)
    b.reach("address taken behind a wait", b.past(valid & ~ready) & valid & ready)


def burst_rules(b: Bench, dma, c: str):
    """More of them; the first holds whether or not there is an address: so it is inductive."""
    config = dma.config
    valid, address, length, burst, size = (
        getattr(dma, f"m_axi_a{c}{n}") for n in ("valid", "addr", "len", "burst", "size")
    )
    inside = (address & (config.burst_bytes - 1)) + ((length + 1) << log2(config.bus_bytes))
    b.claim("burst inside its boundary", inside <= min(4096, config.burst_bytes))
    b.claim(
        "whole beats, incrementing",
        (burst == axi.INCR)
        & (size == log2(config.bus_bytes))
        & (address & (config.bus_bytes - 1) == 0),
    )
    b.reach("a full burst", valid & (length == config.burst_bytes // config.bus_bytes - 1))


def read_bursts(b: Bench):
    dma = b.block(ReadDma(Config()))
    read_command(b, dma)
    burst_rules(b, dma, "r")


def write_bursts(b: Bench):
    dma = b.block(WriteDma(Config()))
    write_command(b, dma)
    burst_rules(b, dma, "w")


def read_handshake(b: Bench):
    dma = b.block(ReadDma(Config()))
    read_command(b, dma)
    address_rules(b, dma, "r")
    b.claim("nothing presented behind a reset", ~(after_reset(b) & dma.o_valid))


def write_handshake(b: Bench):
    dma = b.block(WriteDma(Config()))
    write_command(b, dma)
    address_rules(b, dma, "w")
    b.assume(b.stable(dma.i_valid, dma.i_ready, dma.i_data, dma.i_strb))
    owed = Signal(range(OUTSTANDING + 2))  # responses, one for each last beat
    last = dma.m_axi_wvalid & dma.m_axi_wready & dma.m_axi_wlast
    b.m.d.sync += owed.eq(owed + last - (dma.m_axi_bvalid & dma.m_axi_bready))
    b.assume(~dma.m_axi_bvalid | (owed != 0))
    data = dma.m_axi_wvalid, dma.m_axi_wready
    b.claim(
        "data stable until taken",
        b.stable(*data, dma.m_axi_wdata, dma.m_axi_wstrb, dma.m_axi_wlast),
    )
    b.claim("no data behind a reset", ~(after_reset(b) & dma.m_axi_wvalid))
    b.reach("data taken behind a wait", b.past(data[0] & ~data[1]) & data[0] & data[1])


read_handshake.reset = write_handshake.reset = True


class Transfer:
    """What a transfer must be, beside a DMA: counters that begin at `start`."""

    def __init__(self, b: Bench, dma, c: str, address, beats, bad):
        """`address` and `beats` of a start; `bad`: the clock of a response that is an error."""
        self.b, self.dma = b, dma
        config, m = dma.config, b.m
        b.assume(beats <= MOST_BEATS)
        self.valid, self.ready, place, length = (
            getattr(dma, f"m_axi_a{c}{n}") for n in ("valid", "ready", "addr", "len")
        )
        self.taken, self.length = self.valid & self.ready, length
        self.beats, self.asked = Signal(6), Signal(6)
        following = Signal(32)
        self.aborted = Signal()  # since the start, before this clock
        self.failed = Signal()
        with m.If(self.taken):
            m.d.sync += [
                self.asked.eq(self.asked + length + 1),
                following.eq(following + ((length + 1) << log2(config.bus_bytes))),
            ]
        m.d.sync += [
            self.aborted.eq(self.aborted | dma.abort),
            self.failed.eq(self.failed | bad),
        ]
        with m.If(dma.start):
            m.d.sync += [
                self.beats.eq(beats),
                self.asked.eq(0),
                following.eq(address),
                self.aborted.eq(0),
                self.failed.eq(0),
            ]
        self.ended = b.past(dma.busy) & ~dma.busy
        self.well = self.ended & ~self.aborted & ~self.failed & (dma.error == 0)
        b.claim("bursts follow each other", ~self.valid | (place == following))
        b.claim(
            "no burst beyond the transfer", ~self.valid | (self.asked + length + 1 <= self.beats)
        )

    def order(self, taken, given, data, out):
        """Claims that the n-th of what is taken in is the n-th given out, for any n; the counts
        given back are of the clocks before."""
        b = self.b
        n = b.constant(4, "n")
        ins = b.count(taken, 6, self.dma.start, "ins")
        outs = b.count(given, 6, self.dma.start, "outs")
        kept = Signal.like(Value.cast(data), name="kept")
        here = taken & (ins == n)
        with b.m.If(here):
            b.m.d.sync += kept.eq(data)
        known = here | (ins > n)
        b.claim(
            "the n-th beat out is the n-th in",
            ~(given & (outs == n)) | (known & (out == Mux(here, data, kept))),
        )
        return ins, outs


def read_slave(b: Bench, dma, legal: bool):
    """The bus: responses in order, one for each beat, errors among them. Not `legal`: RLAST,
    RRESP and RVALID as it likes. (taken, bursts asked for, bad beat, its cause)."""
    taken = dma.m_axi_rvalid & dma.m_axi_rready
    ended, position = Signal(), Signal(8)
    forget = dma.start & (
        not legal
    )  # after a breach of protocol nobody knows what is still to come
    asking = dma.m_axi_arvalid & dma.m_axi_arready
    queue = Queue(b, asking, dma.m_axi_arlen, ended, "bursts", forget)
    last = position == queue.head
    asked = queue.count != 0
    b.m.d.comb += ended.eq(taken & asked & last)
    with b.m.If(taken & asked):
        b.m.d.sync += position.eq(Mux(last, 0, position + 1))
    b.assume(
        b.stable(
            dma.m_axi_rvalid, dma.m_axi_rready, dma.m_axi_rdata, dma.m_axi_rresp, dma.m_axi_rlast
        )
    )
    if legal:
        b.assume(~dma.m_axi_rvalid | asked, dma.m_axi_rlast == last, dma.m_axi_rresp != axi.EXOKAY)
    cause = Mux(
        dma.m_axi_rresp[1],
        dma.m_axi_rresp,
        (dma.m_axi_rresp != axi.OKAY) | (dma.m_axi_rlast != last),
    )
    return taken, queue, dma.m_axi_rvalid & asked & (cause != 0), cause


def _read(b: Bench, legal: bool):
    dma = b.block(ReadDma(ShortBursts()))
    taken, queue, bad, cause = read_slave(b, dma, legal)
    read_command(b, dma)
    b.assume(dma.address < FAR)
    t = Transfer(b, dma, "r", dma.address, dma.beats, bad)
    given = dma.o_valid & dma.o_ready
    b.claim(
        "stream stable until taken",
        b.stable(dma.o_valid, dma.o_ready, dma.o_data, dma.o_last, unless=dma.abort),
    )
    b.reach("beat taken behind a wait", b.past(given) & given)
    ins, outs = t.order(taken & (queue.count != 0), given, dma.m_axi_rdata, dma.o_data)
    b.claim("nothing given behind an error", ~(t.failed | bad) | ~dma.o_valid)
    b.claim("all beats given at a good end", ~t.well | (outs == t.beats))
    b.claim("last beat marked", ~dma.o_valid | (dma.o_last == (outs + 1 == t.beats)))
    b.claim("an error is kept", t.aborted | ~t.ended | ((dma.error != 0) == t.failed))
    first = b.past(bad & ~t.failed & dma.busy & ~dma.abort & ~t.aborted) & ~t.aborted
    b.claim("the first error's cause", ~first | (dma.error == b.past(cause)))
    b.reach("good end of many bursts", t.well & (t.beats == MOST_BEATS))
    b.reach("end by an error", t.ended & t.failed & (t.beats > 8))
    b.reach("end by an abort", t.ended & t.aborted & ~t.failed & (t.beats > 8))
    return dma, t, taken, queue, given


def read_transfer(b: Bench):
    dma, t, taken, queue, given = _read(b, legal=True)
    b.claim("outstanding bursts bounded", ~t.taken | (queue.count < OUTSTANDING))
    b.claim("no burst left at the end", dma.busy | (queue.count == 0))
    b.claim("what comes is taken or given", ~taken | ~dma.o_valid | given)
    b.reach("all outstanding", queue.count == OUTSTANDING)
    fair = (
        b.since(t.valid & ~t.ready, PATIENCE),
        b.since(dma.o_valid & ~dma.o_ready, PATIENCE),
        b.since((queue.count != 0) & ~dma.m_axi_rvalid, PATIENCE),
    )
    b.assume(*(f < PATIENCE for f in fair))
    waited = b.since(dma.busy & ~t.taken & ~taken, 2 * PATIENCE + 4, "waited")
    b.claim("busy clocks without progress bounded", waited < 2 * PATIENCE + 4)


def read_hostile(b: Bench):
    _read(b, legal=False)


def write_transfer(b: Bench):
    dma = b.block(WriteDma(ShortBursts()))
    m = b.m
    taken = dma.m_axi_wvalid & dma.m_axi_wready
    answered = dma.m_axi_bvalid & dma.m_axi_bready
    bad = answered & (dma.m_axi_bresp != axi.OKAY)
    write_command(b, dma)
    b.assume(dma.address < FAR, dma.offset < FAR, dma.size < FAR)
    t = Transfer(b, dma, "w", dma.address + dma.offset, dma.bytes, bad)
    ended, position = Signal(), Signal(8)
    queue = Queue(b, t.taken, t.length, ended, "bursts")
    last = position == queue.head
    m.d.comb += ended.eq(taken & last)
    with m.If(taken):
        m.d.sync += position.eq(Mux(last, 0, position + 1))
    owed = Signal(range(OUTSTANDING + 2))  # responses to bursts whose data are complete
    m.d.sync += owed.eq(owed + ended - answered)
    b.assume(b.stable(dma.m_axi_bvalid, dma.m_axi_bready, dma.m_axi_bresp))
    b.assume(~dma.m_axi_bvalid | (owed != 0))
    b.assume(b.stable(dma.i_valid, dma.i_ready, dma.i_data, dma.i_strb))

    given = taken & (dma.m_axi_wstrb != 0)
    accepted = dma.i_valid & dma.i_ready
    b.assume(dma.i_strb != 0)
    ins, outs = t.order(accepted, given, dma.i_data, dma.m_axi_wdata)
    b.claim("WLAST at a burst's last beat", ~dma.m_axi_wvalid | (dma.m_axi_wlast == last))
    b.claim("no data before their address", ~dma.m_axi_wvalid | (queue.count != 0))
    b.claim("outstanding bursts bounded", ~t.taken | (queue.count + owed < OUTSTANDING))
    b.claim("no response left at the end", dma.busy | ((queue.count == 0) & (owed == 0)))
    b.claim("as many beats written as taken", ~t.ended | (ins == outs))
    b.claim("strobes are the stream's", ~given | (dma.m_axi_wstrb == dma.i_strb))
    b.claim("all beats written at a good end", ~t.well | ((outs == t.beats) & (ins == t.beats)))
    outside, region = Signal(), Signal(33)
    with m.If(dma.start):
        m.d.sync += [
            region.eq(dma.address + dma.size),
            outside.eq(dma.offset + dma.bytes > dma.size),
        ]
    end = dma.m_axi_awaddr + ((t.length + 1) << log2(dma.config.bus_bytes))
    b.claim("no write outside the region", ~t.valid | (end <= region))
    b.claim("an error is kept", ~t.ended | ((dma.error != 0) == (t.failed | outside)))
    b.claim("what is outside is not begun", ~t.valid | ~outside)
    b.reach("end by a region", t.ended & (dma.error == OUTSIDE))
    first = b.past(bad & ~t.failed)
    b.claim(
        "the first error's cause",
        ~first | (dma.error == Mux(b.past(dma.m_axi_bresp) == axi.DECERR, axi.DECERR, axi.SLVERR)),
    )
    b.reach("good end of many bursts", t.well & (t.beats == MOST_BEATS))
    b.reach("end by an error", t.ended & t.failed & (t.beats > 8))
    b.reach("end by an abort", t.ended & t.aborted & ~t.failed & (t.beats > 8))
    b.reach("all outstanding", queue.count + owed == OUTSTANDING)
    fair = (
        b.since(t.valid & ~t.ready, PATIENCE),
        b.since(dma.m_axi_wvalid & ~dma.m_axi_wready, PATIENCE),
        b.since(dma.busy & ~dma.i_valid, PATIENCE),
        b.since((owed != 0) & ~dma.m_axi_bvalid, PATIENCE),
    )
    b.assume(*(f < PATIENCE for f in fair))
    waited = b.since(dma.busy & ~t.taken & ~taken & ~answered, 2 * PATIENCE + 4, "waited")
    b.claim("busy clocks without progress bounded", waited < 2 * PATIENCE + 4)
