"""Bench of `Datapath`: whole CONVs against integer convolutions, and against the engine's clocks
and activity."""

from collections import deque

import cocotb
import numpy as np

from hfn_accel import sequence, timing
from hfn_accel.arithmetic import requantise
from hfn_accel.config import Config
from hfn_accel.engine.durations import conv_cycles, period
from hfn_accel.engine.figures import FIGURE, count
from hfn_accel.engine.records import Design, jobs, table
from hfn_accel.program import Opcode, Signs, encode
from rtl.requantise import PARAMETER
from rtl.tile_filler import tile_rows
from sim.benches.clocked import Clocked, pack
from sim.runner import parameters

PARAMETERS = parameters()
CONFIG = Config(**PARAMETERS["config"])
ROWS, COLUMNS, GROUP, WORDS = CONFIG.rows, CONFIG.columns, CONFIG.group, CONFIG.bank_words
UNITS = CONFIG.units
DESIGN = Design.of(CONFIG, latency=1)
BUFFER = 8 * CONFIG.mask_bytes // COLUMNS  # mask rows
CAUSES = ("fill", "compute", "stall", "drain")
LINEAR = WORDS * GROUP // COLUMNS  # units of C lanes in a bank


class Layer:
    """A random CONV: `fields`, what stands in the memories, and what must be written."""

    def __init__(self, rng, **fixed):
        draw = np.random.default_rng(rng.getrandbits(32))
        bipolar = int(rng.random() < 0.3)
        height, width = rng.choice(((1, 1), (3, 3), (3, 1)))
        self.fields = f = {
            "kernel_height": height, "kernel_width": width, "stride": rng.randint(1, 2),
            "stride_x": rng.randint(1, 2), "pad_x": rng.randrange(width),
            "y_first": rng.randint(-2, 1), "in_height": rng.randint(2, 5),
            "in_width": rng.randint(width, 5), "in_tiles": rng.randint(1, 2),
            "last_rows": rng.randint(1, ROWS), "out_tiles": rng.randint(1, 3),
            "strip_rows": rng.randint(1, 3), "last_strip_rows": rng.randint(1, 3),
            "strips": rng.randint(1, 2), "coats": rng.choice((1, 1, 2, 7)),
            "signs": rng.choice(list(Signs)), "bipolar": bipolar,
            "in_bits": 1 if bipolar else rng.choice((1, 2, 4)), "out_bits": rng.randint(1, 4),
            "res_bits": rng.randint(1, 4), "residual": rng.getrandbits(1), "raw": 0, "pool": 0,
            "open": 1, "close": 1, "shift": rng.randint(6, 12), "mask_base": rng.randrange(4),
        } | fixed  # fmt: skip
        height, width = f["kernel_height"], f["kernel_width"]
        f["residual"] &= ~f["raw"]
        f["out_width"] = (f["in_width"] + 2 * f["pad_x"] - width) // f["stride_x"] + 1
        f["strip_rows"] = f["strip_rows"] if f["strips"] > 1 else 0
        out_rows = (f["strips"] - 1) * f["strip_rows"] + f["last_strip_rows"]
        self.pixels = out_rows * f["out_width"]
        channels = (f["in_tiles"] - 1) * ROWS + f["last_rows"]
        fan_in, taps, tiles = height * width * channels, height * width, f["out_tiles"]
        f["plane_beats"] = tiles * -(-fan_in // (CONFIG.axi_data_width // COLUMNS)) + 1
        f["first_part"] = rng.randrange(GROUP // COLUMNS)
        f["parameter_base"] = rng.randrange(2) * COLUMNS
        f["row_stride"] = f["in_width"] * f["in_bits"]
        f["in_group_stride"] = f["in_height"] * f["row_stride"]
        f["strip_stride"] = f["strip_rows"] * f["stride"] * f["row_stride"]
        base, f["dst_base"], f["res_base"] = (rng.randrange(WORDS) for _ in range(3))
        f["out_group_stride"], f["res_group_stride"] = (
            self.pixels * f[n] for n in ("out_bits", "res_bits")
        )
        corner = f["y_first"] * f["row_stride"] - f["pad_x"] * f["in_bits"]
        f["src_base"] = (base + corner) % (1 << 24)

        # source: groups of in_bits planes of G lanes a pixel; lanes beyond the channels are random
        groups = -(-channels // GROUP)
        shape = groups, f["in_height"], f["in_width"], GROUP
        values = draw.integers(0, 1 << f["in_bits"], shape)
        self.source = draw.integers(0, 2, (WORDS, GROUP))
        places = base + np.arange(values[..., 0].size * f["in_bits"])
        planes = values[..., None, :] >> np.arange(f["in_bits"])[::-1, None] & 1
        self.source[places % WORDS] = planes.reshape(-1, GROUP)
        values = np.moveaxis(values, -1, 1).reshape(-1, *shape[1:3])[:channels]

        # weights: mask numbers 0 to coats, and signs
        seed, tensor = rng.getrandbits(64) | 1, rng.randrange(1 << 10)
        f["sign_state"] = sequence.jump(seed, sequence.address(tensor, 0, 0))
        numbers = draw.integers(0, f["coats"] + 1, (tiles * COLUMNS, fan_in))
        plane = draw.integers(0, 2, numbers.shape)
        signs = (sequence.signs(seed, tensor, len(numbers), fan_in) < 0).astype(int)
        signs = (signs, signs ^ plane, plane)[f["signs"]]
        weights = numbers * (1 - 2 * signs)
        self.masks = draw.integers(0, 2, (BUFFER, COLUMNS))
        tiles_of_channel = f["strips"] * f["coats"] * taps * f["in_tiles"]
        for number, rows in enumerate(tile_rows(CONFIG, f)):
            first = number // tiles_of_channel * COLUMNS
            coat = number // (taps * f["in_tiles"]) % f["coats"]
            for _, k, mask, sign in rows:
                self.masks[mask] = numbers[first : first + COLUMNS, k] > coat
                if sign is not None:
                    self.masks[sign] = plane[first : first + COLUMNS, k]

        # sums (tiles, pixels, C)
        self.sums = np.zeros((out_rows, f["out_width"], len(numbers)), np.int64)
        if bipolar:
            values = 2 * values - 1
        for oy, ox, ky, kx in np.ndindex(out_rows, f["out_width"], height, width):
            y, x = f["y_first"] + oy * f["stride"] + ky, ox * f["stride_x"] - f["pad_x"] + kx
            if 0 <= y < f["in_height"] and 0 <= x < f["in_width"]:
                at = (ky * width + kx) * channels
                self.sums[oy, ox] += weights[:, at : at + channels] @ values[:, y, x]
        self.sums = np.moveaxis(self.sums.reshape(self.pixels, tiles, COLUMNS), 1, 0)

        m, mr = (draw.integers(-1 << 6, 1 << 6, (tiles, 1, COLUMNS)) for _ in range(2))
        bias = draw.integers(0, 1 << (f["shift"] + f["out_bits"]), m.shape)
        residual = draw.integers(0, 1 << f["res_bits"], self.sums.shape)
        self.residual = draw.integers(0, 2, (LINEAR, COLUMNS))
        for where, lanes in self.planes(residual, "res"):
            self.residual[where] = lanes
        self.values = requantise(self.sums, m, bias, f["shift"], f["out_bits"],
                                 f["residual"] * residual, mr)  # fmt: skip
        words = [pack([a, b], 16) | pack([c], 32) << 32
                 for a, b, c in zip(m.ravel(), mr.ravel(), bias.ravel(), strict=True)]  # fmt: skip
        words = [0] * f["parameter_base"] + words
        self.records = [pack(words[i : i + UNITS], PARAMETER.size)
                        for i in range(0, len(words), UNITS)]  # fmt: skip

    def planes(self, values, kind: str):
        """(bank address, C bits) of every plane of an output or a residual."""
        f, parts = self.fields, GROUP // COLUMNS
        bits, base = f[f"{kind}_bits"], f["dst_base" if kind == "out" else "res_base"]
        for tile, pixel, plane in np.ndindex(*values.shape[:2], bits):
            group, part = divmod(f["first_part"] + tile, parts)
            word = base + group * f[f"{kind}_group_stride"] + pixel * bits + plane
            yield word % WORDS * parts + part, values[tile, pixel] >> (bits - 1 - plane) & 1

    def written(self, before=0):
        """("write" or "result", address, data) in order; `before`: what the pool's sums were."""
        if not self.fields["raw"]:
            return [("write", a, pack(lanes, 1)) for a, lanes in self.planes(self.values, "out")]
        if self.fields["pool"] and not self.fields["close"]:
            return []
        sums = self.sums.sum(1) + before if self.fields["pool"] else self.sums
        return [("result", i, pack(e, 32)) for i, e in enumerate(sums.reshape(-1, UNITS))]


async def run_layer(bench, layer, before=0):
    f, seen, clocks, streamed, planes = layer.fields, [], dict.fromkeys(CAUSES, 0), False, 0
    job = jobs([(Opcode.CONV, f)])[0]
    encoded = encode(Opcode.CONV, **f | {"y_first": f["y_first"] % (1 << 16)})
    held = {"conv": int.from_bytes(encoded, "little"),
            "period": period(job, DESIGN)}  # fmt: skip
    cycles = dict(zip(CAUSES, conv_cycles(job, DESIGN), strict=True))
    total, state, answers = sum(cycles.values()), "fill", {}
    banks = deque(maxlen=timing.BANK_CYCLES)  # what they are about to answer
    rows = deque(maxlen=timing.MASK_CYCLES)
    for clock in range(total + 3):
        await bench.clock(setup=clock == 0, stream=clock == 1, **held, **answers)
        active, drained = bench.get("active"), bench.get("drained")
        streamed |= active
        planes += bench.get("plane")
        if state != "drain":
            state = "compute" if active else "stall" if streamed else "fill"
        clocks[state] += clock < total
        if bench.get("finished"):
            state = "drain"
        assert drained == (clock == total - 1), (clock, cycles, f)
        for name, address in (("write", "write_addr"), ("result", "result_address")):
            if bench.get(f"{name}_en"):
                seen.append((name, bench.get(address), bench.get(f"{name}_data")))
        word, part = divmod(bench.get("source_addr"), GROUP // ROWS)
        record = bench.get("parameter_addr")
        rows.append(pack(layer.masks[bench.get("mask_addr")], 1))
        banks.append({
            "source_data": pack(layer.source[word][part * ROWS : (part + 1) * ROWS], 1),
            "residual_data": pack(layer.residual[bench.get("residual_addr")], 1),
        })  # fmt: skip
        answers = banks[0] | {
            "mask_data": rows[0],
            "parameter_data": layer.records[record] if record < len(layer.records) else 0,
        }
    assert clocks == cycles, (clocks, cycles, f)
    assert seen == layer.written(before), f
    figure = table(FIGURE, 1)[0]
    count(job, DESIGN, figure)
    written = sum(name == "write" for name, *_ in seen)
    assert (planes, written) == (figure.array_planes, figure.bank_write_words), f


async def start(dut):
    bench = Clocked(
        dut, PARAMETERS["seed"], pulses=["setup", "stream"],
        data=["conv", "period", "source_data", "mask_data", "residual_data", "parameter_data"],
    )  # fmt: skip
    await bench.start()
    return bench


@cocotb.test()
async def random_layers(dut):
    """Every feature, layer after layer, in exactly the clocks of the closed form."""
    bench = await start(dut)
    for _ in range(PARAMETERS["layers"]):
        await run_layer(bench, Layer(bench.rng))
    await run_layer(bench, Layer(bench.rng, raw=1))


@cocotb.test()
async def pooled_bands(dut):
    """Sums over a map in bands: they stay between CONVs, and leave with the last."""
    bench = await start(dut)
    for bands in (1, 2, 3):
        before, tiles = 0, bench.rng.randint(1, 3)
        for band in range(bands):
            layer = Layer(bench.rng, raw=1, pool=1, out_tiles=tiles, open=int(band == 0),
                          close=int(band == bands - 1))  # fmt: skip
            await run_layer(bench, layer, before)
            before = before + layer.sums.sum(1)


@cocotb.test()
async def no_stall(dut):
    """Tiles that are long enough follow each other without a bubble."""
    bench = await start(dut)
    pixels = 2 * ROWS + timing.FILL_CYCLES
    layer = Layer(bench.rng, in_width=pixels, kernel_height=1, kernel_width=1, stride_x=1, pad_x=0,
                  bipolar=0, in_bits=1, coats=2, signs=1, in_height=1, strips=2)  # fmt: skip
    assert conv_cycles(jobs([(Opcode.CONV, layer.fields)])[0], DESIGN)[2] == 0
    await run_layer(bench, layer)
