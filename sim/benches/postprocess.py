"""Bench of `PostProcessor`: every write of a layer, at its clock, and nothing else."""

from collections import deque

import cocotb
import numpy as np

from hfn_accel.arithmetic import requantise
from hfn_accel.config import Config
from hfn_accel.program import Opcode, encode
from hfn_accel.timing import BANK_CYCLES
from rtl.postprocess import PostProcessor
from rtl.requantise import PARAMETER
from sim.benches.clocked import Clocked, pack
from sim.runner import parameters

PARAMETERS = parameters()
CONFIG = Config(**PARAMETERS["config"])
COLUMNS, UNITS, ACC_BITS = CONFIG.columns, CONFIG.units, CONFIG.accumulator_bits
PARTS, GROUPS = CONFIG.group // COLUMNS, COLUMNS // UNITS
BANK = CONFIG.bank_words * PARTS  # in units of C lanes


class Layer:
    """A random layer: `fields` of its descriptor, `sums` (tiles, pixels, C), and what comes out."""

    def __init__(self, rng, **fixed):
        self.fields = f = {
            "residual": rng.getrandbits(1), "raw": int(rng.random() < 0.2),
            "in_bits": rng.randint(1, 8), "out_bits": rng.randint(1, 8),
            "res_bits": rng.randint(1, 8), "shift": rng.randint(12, 18),
            "pool": 0, "close": rng.getrandbits(1), "first_part": rng.randrange(PARTS),
            "dst_base": rng.randrange(CONFIG.bank_words),
            "res_base": rng.randrange(CONFIG.bank_words),
        } | fixed  # fmt: skip
        f["residual"] &= ~f["raw"]
        most = CONFIG.parameter_channels // COLUMNS
        tiles = rng.randint(1, min(5, most))
        f["parameter_base"] = rng.randint(0, most - tiles) * COLUMNS
        pixels = 1 if f["raw"] else rng.choice((1, 2, rng.randint(3, 9)))
        f["out_group_stride"] = pixels * f["out_bits"] + rng.choice((0, rng.randrange(9)))
        f["res_group_stride"] = pixels * f["res_bits"] + rng.choice((0, rng.randrange(9)))
        slowest = 0 if f["raw"] else f["out_bits"], f["residual"] * f["res_bits"], GROUPS
        self.least = max(1, *slowest)
        self.period = max(self.least, f["in_bits"])

        # Numbers that make outputs use their whole range, and a few that do not.
        reach = f["shift"] + f["out_bits"]
        factor = min(15, reach - f["res_bits"])
        draw = np.random.default_rng(rng.getrandbits(32))

        def array(bits, *shape):
            return draw.integers(-1 << bits, 1 << bits, shape)

        self.sums = array(ACC_BITS - 1, tiles, pixels, COLUMNS)
        small = draw.random(self.sums.shape) < 0.9
        self.sums = np.where(small, self.sums >> (ACC_BITS - 13), self.sums)
        self.multiplier = array(min(15, reach - 13), tiles, COLUMNS)
        self.factor = array(factor, tiles, COLUMNS)
        self.bias = (1 << (reach - 1)) + array(reach - 2, tiles, COLUMNS)
        self.residual = draw.integers(0, 1 << f["res_bits"], self.sums.shape)
        self.values = requantise(self.sums, self.multiplier[:, None], self.bias[:, None],
                                 f["shift"], f["out_bits"], f["residual"] * self.residual,
                                 self.factor[:, None])  # fmt: skip
        self.residual_bank = draw.integers(0, 1 << min(COLUMNS, 62), BANK).tolist()
        for where, plane in self.planes(self.residual, "res", "res_base"):
            self.residual_bank[where] = plane

    def planes(self, values, kind: str, base: str):
        """(bank address, plane of C bits) of all values, as docs/architecture.md lays them out."""
        bits, stride = (self.fields[f"{kind}_{n}"] for n in ("bits", "group_stride"))
        for tile, pixels in enumerate(values):
            group, part = divmod(self.fields["first_part"] + tile, PARTS)
            for pixel, channels in enumerate(pixels):
                for plane in range(bits):
                    word = self.fields[base] + group * stride + pixel * bits + plane
                    lanes = channels >> (bits - 1 - plane) & 1
                    yield word % CONFIG.bank_words * PARTS + part, pack(lanes, 1)

    def records(self) -> dict[int, int]:
        """The parameter buffer: address, U channels."""
        fields = zip(*(a.ravel() for a in (self.multiplier, self.factor, self.bias)), strict=True)
        words = [pack((m, f), 16) | pack([b], 32) << 32 for m, f, b in fields]
        entries = [pack(words[i : i + UNITS], PARAMETER.size) for i in range(0, len(words), UNITS)]
        return dict(enumerate(entries, self.fields["parameter_base"] // UNITS))

    def writes(self, clocks: list[int]) -> dict[int, tuple[int, int]]:
        """Clock -> (address, data) of what is written when the sums are valid at `clocks`."""
        written = {}
        if self.fields["raw"]:
            flat = self.sums.reshape(-1, UNITS)
            results = [(i, pack(entry, 32)) for i, entry in enumerate(flat)]
            last, count = GROUPS, GROUPS
        else:
            results = list(self.planes(self.values, "out", "dst_base"))
            count = self.fields["out_bits"]
            last = GROUPS + PostProcessor.WRITE_LATENCY + count
        for pixel, clock in enumerate(clocks):
            for i in range(count):
                written[clock + last - (count - 1) + i] = results[pixel * count + i]
        assert len(written) == len(results)
        return written


async def check(dut, layers: int, gap: float, **fixed):
    """Sums come at exactly the period, or later with probability `gap`."""
    bench = Clocked(
        dut, PARAMETERS["seed"], pulses=["start", "i_valid"],
        data=["layer", "i_end", "i_final", "i_values", "residual_data", "parameter_data"],
    )  # fmt: skip
    await bench.start()
    for _ in range(layers):
        layer = Layer(bench.rng, **fixed)
        await run_layer(bench, layer, layer.least if gap == 0 else layer.period, gap)


async def run_layer(bench, layer, period: int, gap: float):
    rng = bench.rng
    tiles, pixels, _ = layer.sums.shape
    clocks = [PostProcessor.FIRST + (rng.random() < gap) * rng.randint(0, 3)]
    for _ in range(tiles * pixels - 1):
        clocks.append(clocks[-1] + period + (rng.random() < gap) * rng.randint(1, 30))
    emissions = {clock: divmod(i, pixels) for i, clock in enumerate(clocks)}
    written = layer.writes(clocks)
    finish = max(written)
    if layer.fields["pool"] and not layer.fields["close"]:
        written = {}
    records, port = layer.records(), "result" if layer.fields["raw"] else "write"
    held = {"layer": int.from_bytes(encode(Opcode.CONV, **layer.fields), "little")}
    await bench.clock(start=1, **held)

    answers, held_until = {}, 0
    residual = deque(maxlen=BANK_CYCLES)  # what the bank is about to answer
    for clock in range(1, finish + 4):
        inputs = {}
        if clock in emissions:
            tile, pixel = emissions[clock]
            end = pixel == pixels - 1
            inputs = {"i_valid": 1, "i_end": end, "i_final": end and tile == tiles - 1}
            sums, held_until = pack(layer.sums[tile, pixel], ACC_BITS), clock + GROUPS
        if clock < held_until:
            inputs["i_values"] = sums
        await bench.clock(**inputs, **held, **answers)
        for name in ("write", "result"):
            enable = bench.get(f"{name}_en")
            assert enable == (name == port and clock in written), (clock, name, layer.fields)
            if enable:
                seen = bench.get(f"{name}_address"), bench.get(f"{name}_data")
                assert seen == written[clock], (clock, layer.fields)
        assert bench.get("done") == (clock == finish), (clock, finish)
        residual.append(layer.residual_bank[bench.get("residual_address")])
        answers = {"residual_data": residual[0]}
        address = bench.get("parameter_address")
        if address in records:
            answers["parameter_data"] = records[address]


@cocotb.test()
async def full_throughput(dut):
    """Sums exactly as often as the layer's own work allows, across output tiles."""
    await check(dut, 10, gap=0)


@cocotb.test()
async def random_gaps(dut):
    """Sums at the layer's period or later."""
    await check(dut, 10, gap=0.4)


@cocotb.test()
async def tight(dut):
    """One stage alone sets the period: the residual's planes, the groups, the output's planes."""
    for bits in (1, 2, 8):
        await check(dut, 2, 0, residual=1, raw=0, res_bits=bits, out_bits=1)
        await check(dut, 2, 0, residual=0, raw=0, out_bits=bits)
    await check(dut, 3, 0, raw=1)


@cocotb.test()
async def pool(dut):
    """Pooled sums are written only with `close`; the layer ends at the same clock without."""
    for close in (0, 1):
        await check(dut, 3, 0.4, raw=1, pool=1, close=close)
