"""Bench of `WriteDma`: random transfers with stalls, faults, and exact timing without stalls."""

from random import Random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from hfn_accel.config import Config
from hfn_accel.engine.durations import write_cycles
from hfn_accel.timing import LONGEST_LATENCY, OUTSTANDING
from rtl.write_dma import OUTSIDE
from sim.benches.read_dma import Slave, asked, draw, long_transfers
from sim.memory import DECERR, OKAY, SLVERR
from sim.runner import parameters

PARAMETERS = parameters()
CONFIG = Config(**PARAMETERS["config"])
WIDTH = CONFIG.bus_bytes
SIZE = 1 << 16


async def setup(dut, **memory):
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    dut.rst.value = 1
    for name in ("start", "abort", "i_valid", "i_strb"):
        getattr(dut, name).value = 0
    rng, faults = Random(PARAMETERS["seed"]), {}
    model = Slave(dut, bytearray(rng.randbytes(SIZE)),
                  error=lambda address, write: faults.get(address, OKAY), **memory)  # fmt: skip
    model.faults = faults
    for _ in range(3):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    return rng, model


def give(dut, **inputs):
    for name, value in inputs.items():
        getattr(dut, name).value = value


async def transfer(dut, address, beats, rng, pause=0.0, abort_at=None):
    """Run one transfer of random beats. Returns (those taken, clocks until busy is low)."""
    await RisingEdge(dut.clk)
    offset = rng.randrange(0, address + 1, WIDTH)
    size = beats * WIDTH - rng.randrange(WIDTH)  # the last beat need not be whole
    room = offset + size + rng.choice((0, 1, rng.randrange(1 << 30)))
    give(dut, start=1, address=address - offset, offset=offset, bytes=size, size=room)
    await FallingEdge(dut.clk)
    assert not int(dut.busy.value)
    taken, offer, clocks = [], None, 0
    while True:
        await RisingEdge(dut.clk)
        clocks += 1
        give(dut, start=0, address=rng.getrandbits(32), offset=rng.getrandbits(32),
             bytes=rng.getrandbits(24), size=rng.getrandbits(32))  # fmt: skip
        if offer is None and rng.random() >= pause:
            strobe = rng.choice(((1 << WIDTH) - 1, rng.getrandbits(WIDTH)))
            offer = rng.getrandbits(8 * WIDTH), strobe
            dut.i_data.value, dut.i_strb.value = offer
        dut.i_valid.value = offer is not None
        dut.abort.value = abort_at is not None and clocks >= abort_at
        await FallingEdge(dut.clk)
        if not int(dut.busy.value):
            dut.i_valid.value = 0
            assert not int(dut.i_ready.value)
            return taken, clocks
        if offer and int(dut.i_ready.value):
            taken.append(offer)
            offer = None
        assert clocks < 50 * (beats + 300), "hangs"


def store(data, address, taken):
    """What memory must hold after `taken` beats."""
    for i, (beat, strobe) in enumerate(taken):
        for lane, value in enumerate(beat.to_bytes(WIDTH, "little")):
            if strobe >> lane & 1:
                data[address + i * WIDTH + lane] = value


@cocotb.test()
async def random_stalls(dut):
    """Every strobed byte, and no other, is written, whatever waits."""
    rng, model = await setup(dut, latency=9, seed=PARAMETERS["seed"])
    expected = bytearray(model.data)
    for _ in range(12):
        address, beats = draw(rng)
        model.writes.clear()
        taken, _ = await transfer(dut, address, beats, rng, pause=rng.choice((0, 0.5)))
        store(expected, address, taken)
        assert len(taken) == beats and model.data == expected
        assert model.writes == asked(address, beats)
        assert int(dut.error.value) == 0 and model.idle


@cocotb.test()
async def full_throughput(dut):
    """The closed form, exactly, up to the longest latency; one more clock breaks it."""
    rng, model = await setup(dut)
    model.data += bytes(SIZE)
    for latency in (1, 2, 7, 30, LONGEST_LATENCY):
        model.latency = latency
        for address, beats in [draw(rng) for _ in range(6)] + list(long_transfers(rng)):
            taken, clocks = await transfer(dut, address, beats, rng)
            assert len(taken) == beats
            assert clocks == write_cycles(beats, latency), (latency, address, beats)
    assert model.most == OUTSTANDING
    model.latency += 1
    address, beats = next(long_transfers(rng))
    _, clocks = await transfer(dut, address, beats, rng)
    assert clocks > write_cycles(beats, model.latency)


@cocotb.test()
async def bus_errors(dut):
    """The first bad response is kept and ends the transfer; the next one is whole."""
    rng, model = await setup(dut, latency=3, seed=PARAMETERS["seed"])
    for response, code in ((SLVERR, SLVERR), (DECERR, DECERR), (1, SLVERR)) * 3:
        address, beats = rng.choice((draw(rng), *long_transfers(rng)))
        issued = asked(address, beats)
        bad = rng.choice((0, rng.randrange(len(issued))))
        for where, size in issued[bad:]:
            model.faults[where + rng.randrange(size // WIDTH) * WIDTH] = response
            response = rng.choice((SLVERR, DECERR))
        model.writes.clear()
        taken, _ = await transfer(dut, address, beats, rng, pause=rng.choice((0, 0.5)))
        assert int(dut.error.value) == code
        assert model.writes == issued[: len(model.writes)] and model.idle
        assert bad < len(model.writes) <= bad + OUTSTANDING
        assert len(taken) * WIDTH <= sum(size for _, size in model.writes)
        assert len(taken) * WIDTH >= sum(size for _, size in issued[: bad + 1])
        model.faults.clear()
        taken, _ = await transfer(dut, address, beats, rng)
        assert len(taken) == beats and int(dut.error.value) == 0


@cocotb.test()
async def abort(dut):
    """`abort` ends the burst in flight by the rules, writing nothing that was not taken."""
    rng, model = await setup(dut, latency=5, seed=PARAMETERS["seed"])
    expected = bytearray(model.data)
    short = 0
    for _ in range(10):
        address, beats = draw(rng)
        at = rng.randrange(1, 300)
        taken, _ = await transfer(dut, address, beats, rng, pause=0.3, abort_at=at)
        store(expected, address, taken)
        short += len(taken) < beats
        assert model.data == expected and int(dut.error.value) == 0 and model.idle
        taken, _ = await transfer(dut, address, beats, rng)
        store(expected, address, taken)
        assert len(taken) == beats and model.data == expected
    assert short


@cocotb.test()
async def regions(dut):
    """Of a transfer that ends a byte too late, or passes the end of memory, nothing is written."""
    rng, model = await setup(dut, latency=3)
    before = bytes(model.data)
    for _ in range(60):
        address, offset = rng.randrange(0, 1 << 32, WIDTH), rng.choice((0, 8 * WIDTH, 1 << 31))
        size = rng.choice((1, WIDTH, rng.randrange(1, 1 << 24) * WIDTH))
        room = offset + size
        if rng.random() < 0.5 and offset:  # inside its region, but that passes the end
            address, room = (1 << 32) - offset - rng.randrange(0, size, WIDTH), (1 << 32) - 1
        else:
            room = rng.choice((0, room // 2, room - 1))
        await RisingEdge(dut.clk)
        give(dut, start=1, address=address, offset=offset, bytes=size, size=room, i_valid=1)
        for _ in range(4):
            await RisingEdge(dut.clk)
            dut.start.value = 0
            await FallingEdge(dut.clk)
            assert not int(dut.m_axi_awvalid.value) and not int(dut.m_axi_wvalid.value)
        assert not int(dut.busy.value) and int(dut.error.value) == OUTSIDE
        dut.i_valid.value = 0
    assert model.data == before and not model.writes
    address, beats = draw(rng)
    taken, _ = await transfer(dut, address, beats, rng)
    assert len(taken) == beats and int(dut.error.value) == 0
