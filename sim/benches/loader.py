"""Bench of `ImageLoader`, alone with random stalls, and behind `ReadDma` with exact timing."""

from random import Random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from hfn_accel.config import Config
from hfn_accel.engine.durations import image_cycles
from hfn_accel.engine.records import jobs
from hfn_accel.images import MAX_TAPS, PIXEL_BYTES
from hfn_accel.program import Opcode, encode
from hfn_accel.timing import READ_CYCLES
from rtl.loader import PLANES, load_image
from sim.memory import Memory
from sim.runner import parameters

PARAMETERS = parameters()
CONFIG = Config(**PARAMETERS["config"])
PARTS = CONFIG.group // CONFIG.columns
INPUT = 0x1000
# a stem of 3x3, one of 7x7 with stride 2, no packing, a padded row that ends within the window
DIRECTED = [
    {"taps": 3, "stride": 1, "pad": 1, "width": 6, "out_width": 6, "channels": 3},
    {"taps": 7, "stride": 2, "pad": 3, "width": 10, "out_width": 5, "channels": 3},
    {"taps": 1, "stride": 1, "pad": 0, "width": 5, "out_width": 5},
    {"taps": 1, "stride": 2, "pad": 0, "width": 7, "out_width": 2},
    {"taps": 7, "stride": 1, "pad": 3, "width": 1, "out_width": 1, "channels": 4},
]


def draw(rng, most, **fixed):
    """Fields of an IMAGE that fits the bank, of up to `most` pixels."""
    while True:
        f = {"channels": rng.randint(1, 4), "taps": rng.randint(1, MAX_TAPS),
             "stride": rng.randint(1, 2), "pad": rng.randrange(8), "width": rng.randint(1, 12),
             "rows": rng.randint(1, 6), "out_width": rng.randint(1, 9),
             "base": rng.randrange(CONFIG.bank_words)} | fixed  # fmt: skip
        f["granules"] = -(-f["taps"] * f["channels"] // CONFIG.columns)
        words, groups = f["rows"] * f["out_width"] * PLANES, -(-f["granules"] // PARTS)
        f["group_stride"] = words + rng.randrange(2) * PLANES
        used = (groups - 1) * f["group_stride"] + words
        if f["rows"] * f["width"] <= most and used <= CONFIG.bank_words:
            return f


def image(rng, fields) -> bytes:
    """Whole beats; what lies behind the last pixel is not 0."""
    size, bus = fields["rows"] * fields["width"] * PIXEL_BYTES, CONFIG.bus_bytes
    return rng.randbytes(-(-size // bus) * bus)


def expected(fields, data) -> dict[int, int]:
    pixels = [data[i : i + PIXEL_BYTES] for i in range(0, len(data), PIXEL_BYTES)]
    return load_image(CONFIG, pixels, fields)


def drive_start(dut, fields):
    dut.start.value = 1
    dut.image.value = int.from_bytes(encode(Opcode.IMAGE, **fields), "little")


def cycles(fields, latency) -> int:
    return image_cycles(jobs([(Opcode.IMAGE, fields)])[0], latency)


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


async def stream(dut, rng, data, fields, pause, latency=0, abort_at=None):
    """Load `data`: the first beat `latency + 1` clocks after start, then with random pauses.

    Returns (words written, beats left, clocks from start to busy low).
    """
    await RisingEdge(dut.clk)
    drive_start(dut, fields)
    beats = [int.from_bytes(data[i : i + CONFIG.bus_bytes], "little")
             for i in range(0, len(data), CONFIG.bus_bytes)]  # fmt: skip
    beats.append(rng.getrandbits(CONFIG.axi_data_width))  # one that must not be taken
    bank, clocks, offered = Bank(dut), 0, False
    while True:
        await RisingEdge(dut.clk)
        dut.start.value = 0
        clocks += 1
        offered = offered or (clocks > latency and rng.random() >= pause)
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
        assert clocks < 1000 + 200 * len(data), "hangs"


def loads(rng, count, most):
    """The directed shapes, as far as they fit, and random ones."""
    for fixed in DIRECTED:
        if CONFIG.bank_words >= 40 * PLANES:
            yield draw(rng, most, **fixed)
    for _ in range(count):
        yield draw(rng, most)


@cocotb.test(skip=PARAMETERS["dma"])
async def random_stalls(dut):
    """Every plane in its place, whatever waits; exactly the image's beats are taken."""
    rng = await reset(dut, ("start", "i_valid", "abort"))
    for fields in loads(rng, 12, 40):
        data = image(rng, fields)
        words, left, _ = await stream(dut, rng, data, fields, rng.choice((0, 0.5, 0.97)))
        assert left == 0
        assert words == expected(fields, data), fields


@cocotb.test(skip=PARAMETERS["dma"])
async def full_throughput(dut):
    """A beat a clock from one clock after the latency on: the closed form, exactly."""
    rng = await reset(dut, ("start", "i_valid", "abort"))
    for fields in loads(rng, 15, 60):
        data, latency = image(rng, fields), rng.choice((1, 2, 7, 512))
        words, left, clocks = await stream(dut, rng, data, fields, 0, latency)
        assert left == 0 and words == expected(fields, data), fields
        assert clocks == cycles(fields, latency), fields


@cocotb.test(skip=PARAMETERS["dma"])
async def abort(dut):
    """`abort` leaves the loader ready for the next image."""
    rng = await reset(dut, ("start", "i_valid", "abort"))
    for _ in range(6):
        fields = draw(rng, 40)
        data = image(rng, fields)
        at = rng.randrange(1, 100)
        _, _, clocks = await stream(dut, rng, data, fields, 0.3, abort_at=at)
        assert clocks <= at + 1
        words, left, _ = await stream(dut, rng, data, fields, 0)
        assert left == 0
        assert words == expected(fields, data), fields


@cocotb.test(skip=not PARAMETERS["dma"])
async def behind_dma(dut):
    """Loader and DMA, started together: the closed form, exactly."""
    rng = await reset(dut, ("start",))
    model = Memory(dut, bytearray(1 << 16))
    for latency in (1, 2, 15, 40, 512):
        model.latency = latency
        for most, fixed in ((400, {}), (4095, {"width": 2000, "out_width": 1, "rows": 1})):
            fields = draw(rng, most, **fixed)
            address = INPUT + rng.randrange(64) * 64
            data = image(rng, fields)
            model.data[address : address + len(data)] = data
            await RisingEdge(dut.clk)
            drive_start(dut, fields)
            dut.address.value, dut.beats.value = address, len(data) // CONFIG.bus_bytes
            bank, clocks = Bank(dut), 0
            while True:
                await RisingEdge(dut.clk)
                dut.start.value = 0
                clocks += 1
                await FallingEdge(dut.clk)
                bank.sample()
                if not int(dut.busy.value):
                    break
            assert bank.words == expected(fields, data) and model.idle
            assert clocks == cycles(fields, latency + READ_CYCLES - 1), (fields, latency)
