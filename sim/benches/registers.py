"""Bench of `Registers`: the bus with any order of arrival, every register, events, counters."""

from random import Random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from hfn_accel.config import Config
from hfn_accel.registers import (
    COUNTERS,
    OFFSETS,
    READ_COUNTERS,
    REGISTERS,
    Cause,
    ErrorCode,
    ReadClass,
    constants,
    decode,
    encode,
)
from sim.runner import parameters

PARAMETERS = parameters()
CONFIG = Config(**PARAMETERS["config"])
OKAY, SLVERR = 0, 2
INPUTS = ("busy", "done", "error", "error_code", "layer", "cause", "read_class", "read_beat",
          "write_beat", "write_bytes", "plane")  # fmt: skip
SETTINGS = {"PROGRAM_ADDR": "program_address", "INPUT_ADDR": "input_address",
            "OUTPUT_ADDR": "output_address", "WORKSPACE_ADDR": "workspace_address",
            "OUTPUT_SIZE": "output_size", "WORKSPACE_SIZE": "workspace_size",
            "WATCHDOG": "watchdog"}  # fmt: skip
RESET = dict.fromkeys(SETTINGS, 0) | {"WATCHDOG": 1 << 20}


class Bus:
    """AXI4-Lite master that waits at random, sends AW and W in any order, and checks the slave."""

    def __init__(self, dut, rng, pause):
        self.dut, self.rng, self.pause = dut, rng, pause
        self.pulses = {"start": 0, "reset": 0}

    async def clock(self):
        """One clock: inputs were set after its rising edge; ends at the next one."""
        await FallingEdge(self.dut.clk)
        for name in self.pulses:
            self.pulses[name] += int(getattr(self.dut, name).value)

    async def _send(self, channel, **payload):
        dut = self.dut
        while self.rng.random() < self.pause:
            await RisingEdge(dut.clk)
        for name, value in payload.items():
            getattr(dut, f"s_axil_{channel}{name}").value = value
        getattr(dut, f"s_axil_{channel}valid").value = 1
        while True:
            await FallingEdge(dut.clk)
            ready = int(getattr(dut, f"s_axil_{channel}ready").value)
            await RisingEdge(dut.clk)
            if ready:
                break
        getattr(dut, f"s_axil_{channel}valid").value = 0
        for name, value in payload.items():
            getattr(dut, f"s_axil_{channel}{name}").value = ~value & 0xF

    async def _receive(self, channel, *names):
        dut, held = self.dut, None
        while True:
            ready = self.rng.random() >= self.pause
            getattr(dut, f"s_axil_{channel}ready").value = ready
            await FallingEdge(dut.clk)
            valid = int(getattr(dut, f"s_axil_{channel}valid").value)
            got = (
                [int(getattr(dut, f"s_axil_{channel}{n}").value) for n in names] if valid else None
            )
            assert held in (None, got), "answer changed before it was taken"
            held = got
            await RisingEdge(dut.clk)
            if ready and valid:
                getattr(dut, f"s_axil_{channel}ready").value = 0
                return got

    async def write(self, address, value, strobe=0xF, expect=OKAY):
        await RisingEdge(self.dut.clk)
        tasks = [cocotb.start_soon(self._send("aw", addr=address)),
                 cocotb.start_soon(self._send("w", data=value, strb=strobe))]  # fmt: skip
        (response,) = await self._receive("b", "resp")
        for task in tasks:
            assert task.done(), "answered before the whole write arrived"
        assert response == expect

    async def read(self, address, expect=OKAY):
        await RisingEdge(self.dut.clk)
        task = cocotb.start_soon(self._send("ar", addr=address))
        data, response = await self._receive("r", "data", "resp")
        assert task.done() and response == expect
        return data

    async def get(self, name):
        return await self.read(OFFSETS[name])

    async def put(self, name, **fields):
        await self.write(OFFSETS[name], encode(name, **fields))

    async def counter(self, name):
        return await self.get(f"{name}_LO") | await self.get(f"{name}_HI") << 32


async def setup(dut, pause=0.4):
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    dut.rst.value = 1
    for name in INPUTS:
        getattr(dut, name).value = 0
    for name in ("awvalid", "wvalid", "bready", "arvalid", "rready"):
        getattr(dut, f"s_axil_{name}").value = 0
    for _ in range(3):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    rng = Random(PARAMETERS["seed"])
    bus = Bus(dut, rng, pause)

    async def watch():
        while True:
            await bus.clock()

    cocotb.start_soon(watch())
    return rng, bus


async def pulse(dut, **inputs):
    """Inputs for one clock."""
    await RisingEdge(dut.clk)
    for name, value in inputs.items():
        getattr(dut, name).value = value
    await RisingEdge(dut.clk)
    for name in inputs:
        getattr(dut, name).value = 0


@cocotb.test()
async def addresses(dut):
    """Every word of the address space: constants, read/write registers with strobes, SLVERR."""
    rng, bus = await setup(dut)
    for name, value in constants(CONFIG).items():
        assert await bus.get(name) == value
        await bus.write(OFFSETS[name], rng.getrandbits(32))
        assert await bus.get(name) == value
    state = dict(RESET)
    for name, value in state.items():
        assert await bus.get(name) == value
    for _ in range(90):
        name, value, strobe = rng.choice(list(SETTINGS)), rng.getrandbits(32), rng.getrandbits(4)
        await bus.write(OFFSETS[name], value, strobe)
        mask = sum(0xFF << 8 * i for i in range(4) if strobe >> i & 1)
        state[name] = state[name] & ~mask | value & mask
        for other, port in SETTINGS.items():
            assert int(getattr(dut, port).value) == state[other]
        assert await bus.get(name) == state[name]
    bus.pause = 0
    known = {r.offset for r in REGISTERS}
    unknown = [a for a in range(0, 4096, 4) if a not in known]
    for address in unknown[:8] + rng.sample(unknown, 40) + unknown[-1:]:
        assert await bus.read(address, SLVERR) == 0
        await bus.write(address, 0xFFFFFFFF, expect=SLVERR)
    for name, value in state.items():
        assert await bus.get(name) == value
    for address in sorted(known):
        await bus.read(address)
    assert bus.pulses == {"start": 0, "reset": 0}


@cocotb.test()
async def pipelined(dut):
    """Writes and reads sent without waiting for answers, whose channels run apart."""
    rng, bus = await setup(dut, pause=0.5)
    count = 40
    values = [rng.getrandbits(32) for _ in range(count)]
    names = [rng.choice(list(SETTINGS)) for _ in range(count)]
    where = [OFFSETS[name] if rng.random() < 0.8 else 0xFFC for name in names]

    async def send(channel, payloads):
        for payload in payloads:
            await bus._send(channel, **payload)

    async def receive(channel, *fields):
        return [await bus._receive(channel, *fields) for _ in range(count)]

    await RisingEdge(dut.clk)
    cocotb.start_soon(send("aw", [{"addr": a} for a in where]))
    cocotb.start_soon(send("w", [{"data": v, "strb": 0xF} for v in values]))
    answers = await receive("b", "resp")
    assert answers == [[SLVERR if a == 0xFFC else OKAY] for a in where]
    state = dict(RESET)
    state |= {n: v for n, v, a in zip(names, values, where, strict=True) if a != 0xFFC}
    for name, port in SETTINGS.items():
        assert int(getattr(dut, port).value) == state[name]

    cocotb.start_soon(send("ar", [{"addr": a} for a in where]))
    answers = await receive("r", "data", "resp")
    assert answers == [[0, SLVERR] if a == 0xFFC else [state[n], OKAY]
                       for n, a in zip(names, where, strict=True)]  # fmt: skip


@cocotb.test()
async def events(dut):
    """Start, done, error, reset and the interrupt."""
    rng, bus = await setup(dut)

    async def status():
        return decode("STATUS", await bus.get("STATUS"))

    await bus.put("CONTROL", irq_enable=1)
    assert await bus.get("CONTROL") == encode("CONTROL", irq_enable=1)
    await bus.put("CONTROL", start=1, irq_enable=1)
    assert bus.pulses == {"start": 1, "reset": 0}
    dut.busy.value = 1
    await pulse(dut, cause=1, layer=0x1234)
    await pulse(dut, layer=0x4321)  # not in execution
    await bus.put("CONTROL", start=1, irq_enable=1)
    await bus.write(OFFSETS["CONTROL"], 0x3, strobe=0xE)
    assert bus.pulses == {"start": 1, "reset": 0}, "start while busy, or without its strobe"
    assert await status() == {"busy": 1, "done": 0, "error": 0, "error_code": 0, "layer": 0x1234}
    dut.busy.value = 0
    assert not int(dut.irq.value)
    await pulse(dut, done=1)
    assert (await status())["done"] == 1 and int(dut.irq.value)
    assert decode("IRQ_STATUS", await bus.get("IRQ_STATUS")) == {"done": 1, "error": 0}
    await bus.put("IRQ_STATUS", error=1)
    assert int(dut.irq.value)
    await bus.put("IRQ_STATUS", done=1)
    assert not int(dut.irq.value) and (await status())["done"] == 1

    await bus.put("CONTROL", start=1)  # without irq_enable
    assert bus.pulses["start"] == 2 and (await status())["done"] == 0
    await pulse(dut, error=1, error_code=ErrorCode.BAD_FIELD)
    now = await status()
    assert (now["error"], now["error_code"], now["done"]) == (1, ErrorCode.BAD_FIELD, 0)
    assert not int(dut.irq.value)
    await bus.put("CONTROL", irq_enable=1)
    assert int(dut.irq.value)
    await bus.put("CONTROL", start=1, irq_enable=1)
    assert bus.pulses == {"start": 2, "reset": 0}, "start after an error"
    await bus.put("CONTROL", reset=1, irq_enable=1)
    assert bus.pulses == {"start": 2, "reset": 1} and not int(dut.irq.value)
    now = await status()
    assert (now["error"], now["error_code"], now["done"]) == (0, 0, 0)
    await bus.put("CONTROL", start=1)
    assert bus.pulses["start"] == 3


@cocotb.test()
async def error_at_once(dut):
    """An error in the clock of the start itself is not lost."""
    rng, bus = await setup(dut)

    async def answer():
        while True:
            await FallingEdge(dut.clk)
            dut.error.value = int(dut.start.value)
            dut.error_code.value = int(ErrorCode.BAD_ADDRESS)

    task = cocotb.start_soon(answer())
    await bus.put("CONTROL", start=1)
    task.cancel()
    dut.error.value = 0
    now = decode("STATUS", await bus.get("STATUS"))
    assert (now["error"], now["error_code"]) == (1, ErrorCode.BAD_ADDRESS)


@cocotb.test()
async def counters(dut):
    """Every counter against a count, over two runs; nothing counts when idle."""
    rng, bus = await setup(dut, pause=0)
    for _ in range(2):
        expected = dict.fromkeys(COUNTERS, 0)
        await bus.put("CONTROL", start=1)
        for _ in range(3000):
            await RisingEdge(dut.clk)
            cause, read_class = rng.randrange(len(Cause)), rng.choice(list(ReadClass))
            read, write, plane = (rng.random() < 0.6 for _ in range(3))
            size = rng.randrange(1, CONFIG.bus_bytes + 1)
            dut.cause.value, dut.read_class.value = cause, int(read_class)
            dut.read_beat.value, dut.write_beat.value, dut.plane.value = read, write, plane
            dut.write_bytes.value = size
            expected[READ_COUNTERS[read_class]] += read * CONFIG.bus_bytes
            expected["BYTES_ACTIVATION_WRITE"] += write * size
            expected["PLANES"] += plane
            if cause:
                expected["CYCLES"] += 1
                expected[f"CYCLES_{Cause(cause).name}"] += 1
        await pulse(dut, cause=0, read_beat=0, write_beat=0, plane=0)
        assert {name: await bus.counter(name) for name in COUNTERS} == expected
    await bus.put("CONTROL", start=1)
    for name in COUNTERS:
        assert await bus.counter(name) == 0
