"""The memory model on stand-ins that copy (tests/sim/copier.v, mover.v): data, time, rules."""

import random

import cocotb

from sim import testbench
from sim.memory import SLVERR, Memory, ProtocolError
from sim.runner import parameters

CONTROL, STATUS, SOURCE, TARGET, BEATS, CLOCKS, PACE = range(0, 28, 4)
DONE, FAILED = 1, 3


async def start(dut, **options) -> Memory:
    data = bytearray(random.Random(7).randbytes(16384))
    testbench.start_clock(dut)
    memory = Memory(dut, data, **options)
    await testbench.reset(dut)
    return memory


async def command(dut, source: int, target: int, beats: int, pace: int = 0):
    for register, value in ((SOURCE, source), (TARGET, target), (BEATS, beats), (PACE, pace),
                            (CONTROL, 1)):  # fmt: skip
        assert await testbench.write(dut, register, value) == 0


async def copy(dut, source: int, target: int, beats: int, pace: int = 0) -> tuple[int, int]:
    """Status and clocks of one copy."""
    await command(dut, source, target, beats, pace)
    await testbench.wait_irq(dut, 20000)
    result = await testbench.read(dut, STATUS), await testbench.read(dut, CLOCKS)
    await testbench.write(dut, STATUS, 0)
    return result


def inverted(data: bytes) -> bytes:
    return bytes(b ^ 0xFF for b in data)


@cocotb.test()
async def deterministic(dut):
    given = parameters()
    memory = await start(dut)
    for latency, beats, pace, clocks in given["clocks"]:
        memory.latency = latency
        memory.reads.clear()
        memory.writes.clear()
        size = beats * given["bus_bytes"]
        expected = inverted(memory.data[:size])
        assert await copy(dut, 0, 8192, beats, pace) == (DONE, clocks), (latency, beats, pace)
        assert memory.data[8192 : 8192 + size] == expected
        assert sum(n for _, n in memory.reads) == sum(n for _, n in memory.writes) == size
        assert memory.idle


@cocotb.test()
@cocotb.parametrize(seed=range(4))
async def stalled(dut, seed):
    size = 50 * parameters()["bus_bytes"]
    memory = await start(dut, latency=20, seed=seed, stall=0.5)
    expected = inverted(memory.data[:size])
    status, clocks = await copy(dut, 0, 8192, 50)
    assert status == DONE and memory.data[8192 : 8192 + size] == expected
    _, again = await copy(dut, 0, 8192, 50)
    assert clocks != again
    assert memory.idle


@cocotb.test()
async def errors(dut):
    bus = parameters()["bus_bytes"]
    memory = await start(dut, error=lambda address, write: SLVERR * (write and address == 8192))
    before = bytes(memory.data[8192 : 8192 + bus])
    assert (await copy(dut, 0, 8192, 3))[0] == FAILED
    assert memory.data[8192 : 8192 + bus] == before
    assert (await copy(dut, 0, 4096, 3))[0] == DONE
    assert (await copy(dut, 16384, 0, 3))[0] == FAILED  # behind the end: DECERR


@cocotb.test()
async def rules(dut):
    memory = await start(dut)
    await command(dut, 4096 - parameters()["bus_bytes"], 0, 8)
    try:
        await memory.task
    except ProtocolError as error:
        assert "crosses 4 KiB" in str(error)
    else:
        raise AssertionError("a burst across 4 KiB was not noticed")
