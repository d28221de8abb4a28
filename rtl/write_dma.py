"""AXI4 write master: one transfer of consecutive beats, split into bursts."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.timing import OUTSTANDING

from . import axi
from .burst import BurstSplitter

OUTSIDE = 1
"""Error of a transfer that may not be."""


class WriteDma(wiring.Component):
    """Writes `bytes` bytes in whole bus beats, taken from a stream, to `address` + `offset` and on.

    `start` (a pulse while not busy) takes `address` and `offset` (bytes, multiples of the bus
    width), `bytes` (> 0), and `size`, the bytes that may be written from `address` on; it clears
    `error`. `busy` is high from the clock after `start` to the clock of the last write response,
    inclusive. `i_valid`, `i_data`, `i_strb`, `i_ready` pass combinationally to channel W; a beat
    must be held until it is ready.

    Bursts never cross a multiple of `config.burst_bytes`. The first address goes out three clocks
    after `start`, and one more every clock until OUTSTANDING are without a response; then one on
    the clock after each response. A burst's data go out from the clock after its address on. Where
    AWREADY, WREADY and `i_valid` are always high, a response comes L >= 1 clocks after a burst's
    last beat, and L is at most `timing.LONGEST_LATENCY`, data flow without a gap:
    `durations.write_cycles` clocks from `start` to the first with `busy` low.

    Errors: `error` keeps the first bad response until the next `start`: BRESP SLVERR (2) or DECERR
    (3); EXOKAY, which nobody asked for, counts as SLVERR. No further burst is issued, those in
    flight end with beats that write nothing, and `busy` falls. `abort` (held until `busy` falls)
    does the same without an error. A beat on offer is still written. `error` is OUTSIDE (1) for a
    transfer that ends behind `size` or passes the end of the address space: nothing is written.
    """

    def __init__(self, config: Config):
        self.config = config
        super().__init__({
            "start": In(1),
            "address": In(32),
            "offset": In(32),
            "bytes": In(axi.transfer_bits(config)),
            "size": In(32),
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
        in_flight, left = Signal(range(OUTSTANDING + 1)), Signal(range(OUTSTANDING + 1))  # bursts
        waiting = Signal()  # an address on offer must stay until it is taken
        drain, stop, issue, answer, bad = (
            Signal(name=n) for n in ("drain", "stop", "issue", "answer", "bad")
        )

        begun = Signal(2)  # the clocks after `start`
        first, end = Signal(33), Signal(33)  # address; offset of the transfer's end
        beats, size = Signal(24), Signal(32)
        shift = log2(self.config.bus_bytes)
        m.d.sync += begun.eq(Cat(self.start, begun))
        with m.If(self.start):
            m.d.sync += [
                first.eq(self.address + self.offset), end.eq(self.offset + self.bytes),
                beats.eq((self.bytes + self.config.bus_bytes - 1) >> shift), size.eq(self.size),
            ]  # fmt: skip

        axi.burst_constants(m, self, "w", self.config)
        m.d.comb += [
            bursts.start.eq(begun[0]),
            bursts.address.eq(first),
            bursts.beats.eq(beats),
            bursts.issue.eq(issue),
            bursts.beat.eq(self.m_axi_wvalid & self.m_axi_wready),
            stop.eq(drain | (self.error != 0)),
            self.m_axi_awaddr.eq(bursts.burst_address),
            self.m_axi_awlen.eq(bursts.burst_length),
            self.m_axi_awvalid.eq(
                waiting | (self.busy & bursts.more & ~stop & ~begun[0] & (in_flight != OUTSTANDING))
            ),
            issue.eq(self.m_axi_awvalid & self.m_axi_awready),
            self.m_axi_wdata.eq(Mux(drain, 0, self.i_data)),
            self.m_axi_wstrb.eq(Mux(drain, 0, self.i_strb)),
            self.m_axi_wlast.eq(bursts.last),
            self.m_axi_wvalid.eq(self.busy & bursts.open & (self.i_valid | drain)),
            self.i_ready.eq(self.busy & bursts.open & self.m_axi_wready & ~drain),
            self.m_axi_bready.eq(self.busy),
            answer.eq(self.m_axi_bvalid & self.m_axi_bready & (in_flight != 0)),
            bad.eq(answer & (self.m_axi_bresp != axi.OKAY)),
            left.eq(in_flight - answer),
        ]
        m.d.sync += [
            waiting.eq(self.m_axi_awvalid & ~self.m_axi_awready),
            in_flight.eq(left + issue),
        ]
        # A beat on offer must not change: draining begins between beats.
        with m.If((self.abort | stop | bad) & ~(self.m_axi_wvalid & ~self.m_axi_wready)):
            m.d.sync += drain.eq(1)
        with m.If(bad & (self.error == 0)):
            m.d.sync += self.error.eq(Mux(self.m_axi_bresp == axi.DECERR, axi.DECERR, axi.SLVERR))
        outside = Signal()
        with m.If(begun[0]):
            m.d.sync += outside.eq((end > size) | first[-1])
        with m.If(begun[1] & (outside | bursts.wraps)):
            m.d.sync += self.error.eq(OUTSIDE)
        complete = ~bursts.more & (begun == 0)
        with m.If((left == 0) & ~bursts.open & ~self.m_axi_awvalid & (complete | stop | bad)):
            m.d.sync += self.busy.eq(0)
        with m.If(self.start):
            m.d.sync += [self.busy.eq(1), self.error.eq(0), drain.eq(0), in_flight.eq(0)]
        return m
