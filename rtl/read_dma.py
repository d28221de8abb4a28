"""AXI4 read master: one transfer of consecutive beats, split into bursts."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config

from . import axi
from .burst import BurstSplitter


class ReadDma(wiring.Component):
    """Reads `beats` bus beats from `address` on and streams them out.

    `start` (a pulse while not busy) takes `address` (bytes, a multiple of the bus width) and
    `beats` (> 0) and clears `error`. `busy` is high from the clock after `start` to the clock in
    which the last beat is accepted, inclusive. Data pass combinationally from channel R to
    `o_valid`, `o_data`, `o_last` (last beat of the transfer), `o_ready`.

    Bursts never cross a multiple of `config.burst_bytes`; one is outstanding at a time, and the
    next address goes out on the clock after a burst's last beat. Where ARREADY is always high, the
    first beat comes L clocks after the address and then one a clock, a transfer of n beats in b
    bursts takes `n + b * L + 1` clocks from `start` to the first clock with `busy` low
    (`timing.read_cycles`); with a slower consumer, the clocks in which it is not ready add.

    Errors: `error` keeps the first bad beat's cause until the next `start`: RRESP SLVERR (2) or
    DECERR (3), or 1 for a breach of protocol (RLAST early or missing, EXOKAY). From that beat on
    nothing is presented: the burst in flight is taken off the bus, no other is issued, and `busy`
    falls, so a consumer that waits for `o_last` must watch `error`. `abort` (held until `busy`
    falls) does the same without an error. Beats that nobody asked for are dropped.
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
        drain = Signal()

        axi.burst_constants(m, self, "r", self.config)
        m.d.comb += [
            bursts.start.eq(self.start),
            bursts.address.eq(self.address),
            bursts.beats.eq(self.beats),
            bursts.issue.eq(self.m_axi_arvalid & self.m_axi_arready),
            bursts.beat.eq(self.m_axi_rvalid & self.m_axi_rready),
            self.m_axi_araddr.eq(bursts.burst_address),
            self.m_axi_arlen.eq(bursts.burst_length),
            self.o_data.eq(self.m_axi_rdata),
            self.o_last.eq(bursts.final & bursts.last),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.m_axi_rready.eq(1)
                with m.If(self.start):
                    m.d.sync += [self.error.eq(0), drain.eq(0)]
                    m.next = "ADDRESS"

            with m.State("ADDRESS"):
                m.d.comb += [self.busy.eq(1), self.m_axi_rready.eq(1), self.m_axi_arvalid.eq(1)]
                m.d.sync += drain.eq(drain | self.abort)
                with m.If(self.m_axi_arready):
                    m.next = "DATA"

            with m.State("DATA"):
                cause = Mux(
                    self.m_axi_rresp[1], self.m_axi_rresp, self.m_axi_rresp[0] |
                    (self.m_axi_rlast != bursts.last)
                )  # fmt: skip
                bad = Signal(2)
                quiet = drain | self.abort | (bad != 0)
                m.d.comb += [
                    self.busy.eq(1),
                    bad.eq(Mux(self.m_axi_rvalid, cause, 0)),
                    self.o_valid.eq(self.m_axi_rvalid & ~quiet),
                    self.m_axi_rready.eq(self.o_ready | quiet),
                ]
                m.d.sync += drain.eq(quiet)
                with m.If(~drain & (bad != 0)):
                    m.d.sync += self.error.eq(bad)
                with m.If(self.m_axi_rvalid & self.m_axi_rready):
                    with m.If(bursts.last | self.m_axi_rlast):
                        with m.If(bursts.final | quiet):
                            m.next = "IDLE"
                        with m.Else():
                            m.next = "ADDRESS"
        return m
