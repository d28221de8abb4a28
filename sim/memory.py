"""An AXI4 memory for cocotb, behind the flat `m_axi_*` ports of a design."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import cocotb
from cocotb.triggers import RisingEdge

OKAY, SLVERR, DECERR = 0, 2, 3
INCR = 1
PAGE = 4096
_ADDRESS = ("addr", "len", "size", "burst")
_PAYLOAD = {"ar": _ADDRESS, "aw": _ADDRESS, "w": ("data", "strb", "last")}


class ProtocolError(AssertionError):
    """The master broke a rule of AXI4."""


@dataclass
class Burst:
    """`address`: of its first beat; `due`: first clock of the answer; `done`: beats so far."""

    address: int
    beats: int
    due: int = 0
    done: int = 0
    response: int = OKAY


class Memory:
    """AXI4 slave with in-order answers, backed by `data` (address 0 is its first byte). It takes
    any number of bursts before it has answered the first.

    Time is counted in clocks: a channel's handshake at clock n is the rising edge that ends
    clock n with valid and ready both 1.

    Deterministic (`seed=None`): ready is always 1. A burst whose address handshake is at clock n
    has its first beat valid from clock n + latency, or, if beats before it are not yet taken then,
    from the clock after the last of them; one beat a clock follows. A write is answered at clock
    n + latency, n being the clock of its last data or of its address, whichever is later.

    Random (`seed` an integer): each ready is 0, and each beat held back, with probability `stall` a
    clock, and each burst has a latency of its own from 1 to `latency`.

    `error(address, write)` may return SLVERR or DECERR for the beat at an address; what lies
    outside `data` answers DECERR. Protocol rules are asserted: whole-beat INCR bursts within 4 KiB,
    `last` on the last beat alone, valid and payload kept until taken. A design may have only the
    read or only the write channels.

    `reads` and `writes` list the bursts seen, as (address, bytes). `task` is the running model.
    """

    def __init__(self, dut, data: bytearray, *, latency: int = 1, seed: int | None = None,
                 stall: float = 0.3, error: Callable[[int, bool], int] | None = None,
                 clock=None, prefix: str = "m_axi_"):  # fmt: skip
        if latency < 1:
            raise ValueError(f"latency must be at least 1 clock, not {latency!r}")
        self.data = data
        self.latency = latency
        self.stall = 0.0 if seed is None else stall
        self.reads: list[tuple[int, int]] = []
        self.writes: list[tuple[int, int]] = []
        self._random = random.Random(seed)
        self._vary = seed is not None
        self._error = error or (lambda address, write: OKAY)
        self._clock = dut.clk if clock is None else clock
        self._dut, self._prefix = dut, prefix
        self._reader = hasattr(dut, f"{prefix}arvalid")
        self._writer = hasattr(dut, f"{prefix}awvalid")
        bus = self._port("rdata" if self._reader else "wdata")
        self._bytes = len(bus) // 8
        self._inputs: dict[str, object] = {}
        self._values: dict[str, int] = {}
        self._held: dict[str, tuple] = {}
        self._valid = {c: self._port(f"{c}valid") for c in self._taken}
        self._payload = {c: [self._port(f"{c}{n}") for n in _PAYLOAD[c]] for c in self._taken}
        self._now = 0
        self.reset()
        self.task = cocotb.start_soon(self._run())

    @property
    def _taken(self) -> tuple[str, ...]:
        """Channels on which the master is the source."""
        return ("ar",) * self._reader + ("aw", "w") * self._writer

    @property
    def idle(self) -> bool:
        """Nothing is outstanding."""
        return not (self._reads or self._writes or self._beats or self._answers)

    def reset(self):
        """Forget what is outstanding, as after a reset of the bus; the data stays."""
        self._reads: deque[Burst] = deque()  # addresses taken, data not all given
        self._writes: deque[Burst] = deque()  # addresses taken, data not all taken
        self._beats: deque[tuple[int, int, int]] = deque()  # data taken, address not yet
        self._answers: deque[Burst] = deque()
        self._held.clear()
        for channel in self._taken:
            self._drive(f"{channel}ready", int(not self._vary))
        if self._reader:
            self._drive("rvalid", 0)
        if self._writer:
            self._drive("bvalid", 0)

    def _port(self, name: str):
        return getattr(self._dut, self._prefix + name)

    def _drive(self, name: str, value: int):
        """Set an input of the design if it changes; visible from the next clock."""
        if self._values.get(name) != value:
            if name not in self._inputs:
                self._inputs[name] = self._port(name)
            self._inputs[name].value = value
            self._values[name] = value

    async def _run(self):
        edge = RisingEdge(self._clock)
        while True:
            await edge
            self._now += 1
            for channel in self._taken:
                self._take(channel)
            if self._reader:
                self._give_data()
            if self._writer:
                self._match()
                self._give_answer()

    def _take(self, channel: str):
        """Sample one channel from the master; choose its ready for the next clock."""
        ready = self._values[f"{channel}ready"]
        if self._valid[channel].value == 1:
            payload = tuple(int(p.value) for p in self._payload[channel])
            if self._held.setdefault(channel, payload) != payload:
                raise ProtocolError(f"{channel} payload changed before it was taken")
            if ready:
                del self._held[channel]
                if channel == "w":
                    self._beats.append(payload)
                else:
                    self._address(channel, *payload)
        elif channel in self._held:
            raise ProtocolError(f"{channel}valid fell before it was taken")
        if self._vary:
            self._drive(f"{channel}ready", int(self._random.random() >= self.stall))

    def _address(self, channel: str, address: int, length: int, size: int, burst: int):
        beats = length + 1
        address -= address % self._bytes
        if 1 << size != self._bytes or burst != INCR:
            raise ProtocolError(f"a{channel[1]} burst must be INCR, {self._bytes} bytes a beat")
        if address // PAGE != (address + beats * self._bytes - 1) // PAGE:
            raise ProtocolError(f"burst of {beats} beats at {address:#x} crosses 4 KiB")
        if channel == "ar":
            self._reads.append(Burst(address, beats, self._now + self._wait()))
            self.reads.append((address, beats * self._bytes))
        else:
            self._writes.append(Burst(address, beats))
            self.writes.append((address, beats * self._bytes))

    def _wait(self) -> int:
        return self._random.randint(1, self.latency) if self._vary else self.latency

    def _held_back(self) -> bool:
        return self._vary and self._random.random() < self.stall

    def _give_data(self):
        if self._values["rvalid"]:
            if self._port_is_ready("r"):
                burst = self._reads[0]
                burst.done += 1
                if burst.done == burst.beats:
                    self._reads.popleft()
            else:
                return
        if not self._reads or self._reads[0].due > self._now + 1 or self._held_back():
            self._drive("rvalid", 0)
            return
        burst = self._reads[0]
        address = burst.address + burst.done * self._bytes
        response = self._response(address, False)
        data = 0 if response else self.data[address : address + self._bytes]
        self._drive("rdata", data and int.from_bytes(data, "little"))
        self._drive("rresp", response)
        self._drive("rlast", int(burst.done == burst.beats - 1))
        self._drive("rvalid", 1)

    def _match(self):
        """Write data whose address is known."""
        while self._beats and self._writes:
            burst = self._writes[0]
            data, strobe, last = self._beats.popleft()
            address = burst.address + burst.done * self._bytes
            response = self._response(address, True)
            burst.response = max(burst.response, response)
            if not response:
                self._store(address, data.to_bytes(self._bytes, "little"), strobe)
            burst.done += 1
            if last != (burst.done == burst.beats):
                raise ProtocolError(f"wlast is {last} on beat {burst.done} of {burst.beats}")
            if last:
                burst.due = self._now + self._wait()
                self._answers.append(self._writes.popleft())

    def _store(self, address: int, data: bytes, strobe: int):
        if strobe == (1 << self._bytes) - 1:
            self.data[address : address + self._bytes] = data
        else:
            for i in range(self._bytes):
                if strobe >> i & 1:
                    self.data[address + i] = data[i]

    def _give_answer(self):
        if self._values["bvalid"]:
            if not self._port_is_ready("b"):
                return
            self._answers.popleft()
        if not self._answers or self._answers[0].due > self._now + 1 or self._held_back():
            self._drive("bvalid", 0)
            return
        self._drive("bresp", self._answers[0].response)
        self._drive("bvalid", 1)

    def _port_is_ready(self, channel: str) -> bool:
        name = f"{channel}ready"
        if name not in self._inputs:
            self._inputs[name] = self._port(name)
        return self._inputs[name].value == 1

    def _response(self, address: int, write: bool) -> int:
        if address + self._bytes > len(self.data):
            return DECERR
        return self._error(address, write)
