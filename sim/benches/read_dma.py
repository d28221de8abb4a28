"""Bench of `ReadDma`: random transfers with stalls, faults, and exact timing without stalls."""

from random import Random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from hfn_accel.config import Config
from hfn_accel.engine.durations import read_cycles
from hfn_accel.timing import LONGEST_LATENCY, OUTSTANDING
from rtl.burst import split_bursts
from sim.memory import DECERR, OKAY, SLVERR, Memory
from sim.runner import parameters

PARAMETERS = parameters()
CONFIG = Config(**PARAMETERS["config"])
SIZE = 1 << 16


class Slave(Memory):
    """Allows OUTSTANDING bursts; gives `extra(address)` beats more than asked for (or fewer)."""

    extra = None
    most = 0

    def _address(self, channel, address, length, size, burst):
        super()._address(channel, address, length, size, burst)
        self.most = max(self.most, len(self._reads), len(self._writes) + len(self._answers))
        assert self.most <= OUTSTANDING or self.extra, "too many bursts outstanding"
        if self.extra:
            self._reads[-1].beats += self.extra(address)


async def setup(dut, **memory):
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    dut.rst.value = 1
    for name in ("start", "abort", "o_ready"):
        getattr(dut, name).value = 0
    rng = Random(PARAMETERS["seed"])
    faults = {}
    model = Slave(dut, bytearray(rng.randbytes(SIZE)),
                  error=lambda address, write: faults.get(address, OKAY), **memory)  # fmt: skip
    model.faults = faults
    for _ in range(3):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    return rng, model


def draw(rng, most=1700):
    """A transfer that begins near a boundary; one in three ends at one exactly."""
    beats = rng.choice((1, rng.randrange(1, 20), rng.randrange(1, 700), rng.randrange(1, most)))
    edge = CONFIG.burst_bytes * rng.randrange(1, SIZE // CONFIG.burst_bytes // 2)
    address = edge + rng.randrange(-40, 40) * CONFIG.bus_bytes
    if rng.random() < 1 / 3:
        beats += -(address // CONFIG.bus_bytes + beats) % (CONFIG.burst_bytes // CONFIG.bus_bytes)
    return address, beats


async def transfer(dut, address, beats, rng, pause=0.0, abort_at=None):
    """Run one transfer. Returns (beats seen, clocks from start to the first with busy low).

    The consumer takes nothing after an error or an abort.
    """
    await RisingEdge(dut.clk)
    dut.start.value, dut.address.value, dut.beats.value = 1, address, beats
    await FallingEdge(dut.clk)
    assert not int(dut.busy.value)
    seen, clocks = [], 0
    while True:
        await RisingEdge(dut.clk)
        clocks += 1
        dut.start.value = 0
        dut.address.value, dut.beats.value = rng.getrandbits(32), rng.getrandbits(24)
        aborted = abort_at is not None and clocks >= abort_at
        ready = rng.random() >= pause and not aborted and not int(dut.error.value)
        dut.o_ready.value = ready
        dut.abort.value = aborted
        await FallingEdge(dut.clk)
        if not int(dut.busy.value):
            assert not int(dut.o_valid.value)
            return seen, clocks
        if ready and int(dut.o_valid.value):
            seen.append((int(dut.o_data.value), int(dut.o_last.value)))
        assert clocks < 50 * (beats + 300), "hangs"


def asked(address, beats):
    """Bursts of a transfer as the memory logs them."""
    return [(a, n * CONFIG.bus_bytes) for a, n in split_bursts(CONFIG, address, beats)]


def expect(model, address, beats):
    width = CONFIG.bus_bytes
    words = (model.data[address + i * width :][:width] for i in range(beats))
    return [(int.from_bytes(w, "little"), int(i == beats - 1)) for i, w in enumerate(words)]


@cocotb.test()
async def random_stalls(dut):
    """Every beat once and in order, whatever waits; bursts split at boundaries and nowhere else."""
    rng, model = await setup(dut, latency=12, seed=PARAMETERS["seed"])
    for _ in range(12):
        address, beats = draw(rng)
        model.reads.clear()
        seen, _ = await transfer(dut, address, beats, rng, pause=rng.choice((0, 0.5)))
        assert seen == expect(model, address, beats)
        assert model.reads == asked(address, beats)
        assert int(dut.error.value) == 0


def long_transfers(rng):
    """Six bursts and more, with first and last ones of one beat and of all."""
    full = CONFIG.burst_bytes // CONFIG.bus_bytes
    for first, last in ((1, 1), (1, full), (full, 1), (rng.randrange(2, full),) * 2):
        yield CONFIG.burst_bytes - first * CONFIG.bus_bytes, first + 5 * full + last


@cocotb.test()
async def full_throughput(dut):
    """The closed form, exactly, up to the longest latency; one more clock breaks it."""
    rng, model = await setup(dut)
    model.data += bytes(SIZE)
    for latency in (1, 2, 7, 30, LONGEST_LATENCY + 1):
        model.latency = latency
        for address, beats in [draw(rng) for _ in range(6)] + list(long_transfers(rng)):
            seen, clocks = await transfer(dut, address, beats, rng)
            assert seen == expect(model, address, beats)
            assert clocks == read_cycles(beats, latency), (latency, address, beats)
    assert model.most == OUTSTANDING
    model.latency += 1
    address, beats = next(long_transfers(rng))
    _, clocks = await transfer(dut, address, beats, rng)
    assert clocks > read_cycles(beats, model.latency)


@cocotb.test()
async def bus_errors(dut):
    """The first bad beat's response is kept; the burst is drained; the next transfer is whole."""
    rng, model = await setup(dut, latency=3, seed=PARAMETERS["seed"])
    for code in (SLVERR, DECERR, 1) * 3:
        address, beats = rng.choice((draw(rng), *long_transfers(rng)))
        first = rng.choice((0, rng.randrange(beats)))
        for i in range(first, beats):
            where = address + i * CONFIG.bus_bytes
            model.faults[where] = code if i == first else rng.randrange(4)
        model.reads.clear()
        seen, _ = await transfer(dut, address, beats, rng, pause=rng.choice((0, 0.5)))
        assert seen == expect(model, address, beats)[:first]
        assert int(dut.error.value) == code
        issued = asked(address, beats)
        bad = sum(a - address <= CONFIG.bus_bytes * first for a, _ in issued)  # bursts up to it
        assert model.reads == issued[: len(model.reads)]
        assert bad <= len(model.reads) < bad + OUTSTANDING and model.idle
        model.faults.clear()
        seen, _ = await transfer(dut, address, beats, rng)
        assert seen == expect(model, address, beats) and int(dut.error.value) == 0


@cocotb.test()
async def wrong_last(dut):
    """RLAST too early or missing: error 1, no hang, and a later transfer is whole."""
    rng, model = await setup(dut, latency=3, seed=PARAMETERS["seed"])
    for _ in range(6):
        address, beats = draw(rng, 300)
        beats += 2
        bursts = split_bursts(CONFIG, address, beats)
        wrong, count = rng.choice(bursts)
        before = (wrong - address) // CONFIG.bus_bytes
        for extra in (-rng.randrange(1, count), 3) if count > 1 else (3,):
            model.extra = lambda at, wrong=wrong, extra=extra: extra * (at == wrong)
            seen, _ = await transfer(dut, address, beats, rng, pause=0.3)
            good = before + count - 1 + min(extra, 0)
            assert seen == expect(model, address, beats)[:good]
            assert int(dut.error.value) == 1
            for _ in range(40):  # what nobody asked for still comes, and goes
                await RisingEdge(dut.clk)
            model.extra = None
            assert model.idle
            seen, _ = await transfer(dut, address, beats, rng)
            assert seen == expect(model, address, beats) and int(dut.error.value) == 0


@cocotb.test()
async def abort(dut):
    """`abort` takes the burst in flight off the bus and issues no other."""
    rng, model = await setup(dut, latency=5, seed=PARAMETERS["seed"])
    for _ in range(8):
        address, beats = draw(rng)
        at = rng.randrange(1, 400)
        seen, _ = await transfer(dut, address, beats, rng, pause=0.2, abort_at=at)
        full = expect(model, address, beats)
        assert seen == full[: len(seen)] and int(dut.error.value) == 0
        assert model.idle
        seen, _ = await transfer(dut, address, beats, rng)
        assert seen == full
