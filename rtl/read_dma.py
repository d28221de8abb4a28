"""AXI4 read master: one transfer of consecutive beats, split into bursts."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config
from hfn_accel.timing import OUTSTANDING

from . import axi
from .burst import BurstSplitter


class ReadDma(wiring.Component):
    """Reads `beats` bus beats from `address` on and streams them out.

    `start` (a pulse while not busy) takes `address` (bytes, a multiple of the bus width) and
    `beats` (> 0) and clears `error`. `busy` is high from the clock after `start` to the clock in
    which the last beat is accepted, inclusive. Data pass combinationally from channel R to
    `o_valid`, `o_data`, `o_last` (last beat of the transfer), `o_ready`.

    Bursts never cross a multiple of `config.burst_bytes`. The first address goes out READ_CYCLES
    clocks after `start`, and one more every clock until OUTSTANDING are in flight; then one on the
    clock after each burst's last beat. Where ARREADY and `o_ready` are always high, a burst's first
    beat comes L clocks after its address, and L is at most `timing.LONGEST_LATENCY` + 1, the beats
    of OUTSTANDING - 1 full bursts, data flow without a gap: `durations.read_cycles` clocks from
    `start` to the first with `busy` low. With a slower consumer, the clocks in which a beat waits
    add.

    Errors: `error` keeps the first bad beat's cause until the next `start`: RRESP SLVERR (2) or
    DECERR (3), or 1 for a breach of protocol (RLAST early or missing, EXOKAY). From that beat on
    nothing is presented: from the next clock on no burst is issued, all in flight are taken off the
    bus, and `busy` falls, so a consumer that waits for `o_last` must watch `error`. `abort` (held
    until `busy` falls) does the same without an error. In both cases a burst ends with RLAST, and
    the whole at the latest with the last beat that was asked for. Beats that nobody asked for are
    dropped.
    """

    def __init__(self, config: Config):
        self.config = config
        super().__init__({
            "start": In(1),
            "address": In(32),
            "beats": In(24),
            "abort": In(1),
            "busy": Out(1),
            "error": Out(2),
            "o_valid": Out(1),
            "o_data": Out(config.axi_data_width),
            "o_last": Out(1),
            "o_ready": In(1),
            **axi.read_ports(config),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        m.submodules.bursts = bursts = BurstSplitter(self.config)
        in_flight = Signal(range(OUTSTANDING + 1))  # bursts
        waiting = Signal()  # an address on offer must stay until it is taken
        drain = Signal()
        asked, beat, quiet, issue = (
            Signal(name=n) for n in ("asked", "beat", "quiet", "issue")
        )  # fmt: skip
        bad = Signal(2)
        cause = Mux(self.m_axi_rresp[1], self.m_axi_rresp,
                    self.m_axi_rresp[0] | (self.m_axi_rlast != bursts.last))  # fmt: skip

        axi.burst_constants(m, self, "r", self.config)
        m.d.comb += [
            bursts.start.eq(self.start),
            bursts.address.eq(self.address),
            bursts.beats.eq(self.beats),
            bursts.issue.eq(issue),
            bursts.beat.eq(beat),
            self.m_axi_araddr.eq(bursts.burst_address),
            self.m_axi_arlen.eq(bursts.burst_length),
            self.m_axi_arvalid.eq(
                waiting | (self.busy & bursts.more & ~drain & (in_flight != OUTSTANDING))
            ),
            issue.eq(self.m_axi_arvalid & self.m_axi_arready),
            asked.eq(self.busy & bursts.open & (in_flight != 0)),
            bad.eq(Mux(self.m_axi_rvalid & asked, cause, 0)),
            quiet.eq(drain | self.abort | (bad != 0)),
            self.o_valid.eq(self.m_axi_rvalid & asked & ~quiet),
            self.o_data.eq(self.m_axi_rdata),
            self.o_last.eq(bursts.final),
            self.m_axi_rready.eq(self.o_ready | drain | ~asked),
            beat.eq(self.m_axi_rvalid & self.m_axi_rready & asked),
        ]
        m.d.sync += [
            waiting.eq(self.m_axi_arvalid & ~self.m_axi_arready),
            in_flight.eq(in_flight + issue - (beat & self.m_axi_rlast)),
            drain.eq(quiet),
        ]
        with m.If(~drain & (bad != 0)):
            m.d.sync += self.error.eq(bad)
        with m.If((beat & bursts.final) | (drain & ~asked & ~self.m_axi_arvalid)):
            m.d.sync += self.busy.eq(0)
        with m.If(self.start):
            m.d.sync += [self.busy.eq(1), self.error.eq(0), drain.eq(0), in_flight.eq(0)]
        return m
