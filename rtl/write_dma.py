"""AXI4 write master: one transfer of consecutive beats, split into bursts."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config

from . import axi
from .burst import BurstSplitter


class WriteDma(wiring.Component):
    """Writes `beats` bus beats, taken from a stream, to `address` and on.

    `start` (a pulse while not busy) takes `address` (bytes, a multiple of the bus width) and
    `beats` (> 0) and clears `error`. `busy` is high from the clock after `start` to the clock of
    the last write response, inclusive. `i_valid`, `i_data`, `i_strb`, `i_ready` pass
    combinationally to channel W in a burst's data phase; a beat must be held until it is ready.

    Bursts never cross a multiple of `config.burst_bytes`; one is outstanding at a time: address,
    then data from the next clock on, then the response, and the next address on the clock after
    it. Where AWREADY, WREADY and `i_valid` are always high and a response comes L >= 1 clocks
    after the last beat, a transfer of n beats in b bursts takes `n + b * (L + 1) + 1` clocks from
    `start` to the first clock with `busy` low (`timing.write_cycles`).

    Errors: `error` keeps the first bad response until the next `start`: BRESP SLVERR (2) or DECERR
    (3); EXOKAY, which nobody asked for, counts as SLVERR. No further burst is issued, and `busy`
    falls. `abort` (held until `busy` falls) ends the burst in flight with beats that write
    nothing, without an error.
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
            "i_valid": In(1),
            "i_data": In(config.axi_data_width),
            "i_strb": In(config.bus_bytes),
            "i_ready": Out(1),
            **axi.write_ports(config),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        m.submodules.bursts = bursts = BurstSplitter(self.config)
        drain = Signal()

        axi.burst_constants(m, self, "w", self.config)
        m.d.comb += [
            bursts.start.eq(self.start),
            bursts.address.eq(self.address),
            bursts.beats.eq(self.beats),
            bursts.issue.eq(self.m_axi_awvalid & self.m_axi_awready),
            bursts.beat.eq(self.m_axi_wvalid & self.m_axi_wready),
            self.m_axi_awaddr.eq(bursts.burst_address),
            self.m_axi_awlen.eq(bursts.burst_length),
            self.m_axi_wdata.eq(Mux(drain, 0, self.i_data)),
            self.m_axi_wstrb.eq(Mux(drain, 0, self.i_strb)),
            self.m_axi_wlast.eq(bursts.last),
        ]
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [self.error.eq(0), drain.eq(0)]
                    m.next = "ADDRESS"

            with m.State("ADDRESS"):
                m.d.comb += [self.busy.eq(1), self.m_axi_awvalid.eq(1)]
                m.d.sync += drain.eq(drain | self.abort)
                with m.If(self.m_axi_awready):
                    m.next = "DATA"

            with m.State("DATA"):
                m.d.comb += [
                    self.busy.eq(1),
                    self.m_axi_wvalid.eq(self.i_valid | drain),
                    self.i_ready.eq(self.m_axi_wready & ~drain),
                ]
                # A beat on offer must not change: abort takes effect between beats.
                with m.If(self.abort & ~(self.m_axi_wvalid & ~self.m_axi_wready)):
                    m.d.sync += drain.eq(1)
                with m.If(self.m_axi_wvalid & self.m_axi_wready):
                    with m.If(bursts.last):
                        m.next = "RESPONSE"

            with m.State("RESPONSE"):
                m.d.comb += [self.busy.eq(1), self.m_axi_bready.eq(1)]
                bad = self.m_axi_bresp != axi.OKAY
                with m.If(self.m_axi_bvalid):
                    with m.If(bad):
                        m.d.sync += self.error.eq(
                            Mux(self.m_axi_bresp == axi.DECERR, axi.DECERR, axi.SLVERR)
                        )
                    with m.If(bursts.final | bad | drain | self.abort):
                        m.next = "IDLE"
                    with m.Else():
                        m.next = "ADDRESS"
        return m
