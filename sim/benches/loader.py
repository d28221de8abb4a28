"""Bench of `ImageLoader`, alone with random stalls, and behind `ReadDma` with exact timing."""

from random import Random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from hfn_accel import timing
from hfn_accel.config import Config
from rtl.loader import PIXEL_BYTES, PLANES, load_image
from sim.memory import Memory
from sim.runner import parameters

PARAMETERS = parameters()
CONFIG = Config(**PARAMETERS["config"])
INPUT = 0x1000


def draw(rng, most):
    """(channels, pixels, group_stride) that fit the bank."""
    channels = rng.randrange(1, 5)
    groups = -(-channels // CONFIG.group)
    pixels = rng.randrange(1, min(most, CONFIG.bank_words // (PLANES * groups)) + 1)
    return channels, pixels, rng.choice((pixels * PLANES, CONFIG.bank_words // groups))


def image(rng, pixels) -> bytes:
    """Whole beats; what lies behind the last pixel is not 0."""
    return rng.randbytes(-(-pixels * PIXEL_BYTES // CONFIG.bus_bytes) * CONFIG.bus_bytes)


def drive_start(dut, channels, pixels, group_stride):
    dut.start.value = 1
    dut.channels.value, dut.pixels.value = channels, pixels
    dut.granules.value = -(-channels // CONFIG.columns)
    dut.group_stride.value = group_stride


def end_start(dut, rng):
    """The settings are taken at start: others may show afterwards."""
    dut.start.value = 0
    for name in ("channels", "granules", "pixels", "group_stride"):
        getattr(dut, name).value = rng.getrandbits(3)


class Bank:
    """Collects the writes of one image; no address is written twice."""

    def __init__(self, dut):
        self.dut, self.words = dut, {}

    def sample(self):
        if int(self.dut.w_en.value):
            address = int(self.dut.w_addr.value)
            assert address not in self.words
            self.words[address] = int(self.dut.w_data.value)


async def reset(dut, names):
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    dut.rst.value = 1
    for name in names:
        getattr(dut, name).value = 0
    for _ in range(3):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    return Random(PARAMETERS["seed"])


async def stream(dut, rng, data, load, pause, abort_at=None):
    """Load `data` with random pauses. Returns (words written, clocks in which a beat was held)."""
    channels, pixels, stride = load
    await RisingEdge(dut.clk)
    drive_start(dut, channels, pixels, stride)
    beats = [int.from_bytes(data[i : i + CONFIG.bus_bytes], "little")
             for i in range(0, len(data), CONFIG.bus_bytes)]  # fmt: skip
    beats.append(rng.getrandbits(CONFIG.axi_data_width))  # one that must not be taken
    bank, clocks, offered = Bank(dut), 0, False
    while True:
        await RisingEdge(dut.clk)
        end_start(dut, rng)
        clocks += 1
        offered = offered or rng.random() >= pause
        dut.i_valid.value, dut.i_data.value = offered, beats[0]
        dut.abort.value = clocks == abort_at
        await FallingEdge(dut.clk)
        bank.sample()
        if not int(dut.busy.value):
            assert not int(dut.i_ready.value) and not int(dut.w_en.value)
            dut.i_valid.value = 0
            return bank.words, len(beats) - 1, clocks
        if offered and int(dut.i_ready.value):
            del beats[0]
            offered = False
        assert clocks < 1000 + 200 * pixels, "hangs"


@cocotb.test(skip=PARAMETERS["dma"])
async def random_stalls(dut):
    """Every plane in its place, whatever waits; exactly the image's beats are taken."""
    rng = await reset(dut, ("start", "i_valid", "abort"))
    for _ in range(12):
        load = channels, pixels, stride = draw(rng, 40)
        data = image(rng, pixels)
        words, left, _ = await stream(dut, rng, data, load, rng.choice((0, 0.5, 0.97)))
        assert left == 0
        assert words == load_image(CONFIG, data[: pixels * PIXEL_BYTES], channels, stride)


@cocotb.test(skip=PARAMETERS["dma"])
async def abort(dut):
    """`abort` leaves the loader ready for the next image."""
    rng = await reset(dut, ("start", "i_valid", "abort"))
    for _ in range(6):
        load = channels, pixels, stride = draw(rng, 40)
        data = image(rng, pixels)
        at = rng.randrange(1, 100)
        _, _, clocks = await stream(dut, rng, data, load, 0.3, abort_at=at)
        assert clocks <= at + 1
        words, left, _ = await stream(dut, rng, data, load, 0)
        assert left == 0
        assert words == load_image(CONFIG, data[: pixels * PIXEL_BYTES], channels, stride)


@cocotb.test(skip=not PARAMETERS["dma"])
async def full_throughput(dut):
    """Loader and DMA, started together: the closed form, exactly."""
    rng = await reset(dut, ("start",))
    model = Memory(dut, bytearray(1 << 16))
    for latency in (1, 2, 15, 16, 17, 40, 200):
        model.latency = latency
        for _ in range(2):
            channels, pixels, stride = draw(rng, 400)
            address = INPUT + rng.randrange(64) * 64
            data = image(rng, pixels)
            model.data[address : address + len(data)] = data
            await RisingEdge(dut.clk)
            drive_start(dut, channels, pixels, stride)
            dut.address.value, dut.beats.value = address, len(data) // CONFIG.bus_bytes
            bank, clocks = Bank(dut), 0
            while True:
                await RisingEdge(dut.clk)
                clocks += 1
                end_start(dut, rng)
                await FallingEdge(dut.clk)
                bank.sample()
                if not int(dut.busy.value):
                    break
            words = load_image(CONFIG, data[: pixels * PIXEL_BYTES], channels, stride)
            assert bank.words == words and model.idle
            granules = -(-channels // CONFIG.columns)
            assert clocks == timing.load_cycles(CONFIG, address, pixels, granules, latency)
