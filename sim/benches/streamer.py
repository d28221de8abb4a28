"""Bench of `Streamer` against the plain loops of docs/architecture.md, clock by clock."""

from dataclasses import dataclass
from itertools import product

import cocotb

from hfn_accel.config import Config
from hfn_accel.program import Opcode, encode
from rtl.streamer import plane_tag
from sim.benches.clocked import Clocked
from sim.runner import parameters

PARAMETERS = parameters()
CONFIG = Config(**PARAMETERS["config"])
ROWS, GROUP = CONFIG.rows, CONFIG.group
PARTS = GROUP // ROWS
TAG = {name: (field.offset, (1 << field.width) - 1) for name, field in plane_tag(CONFIG)}


@dataclass
class Layer:
    """A convolution over part of a map; `period`: clocks of a pixel in the last pass."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad_x: int
    y_first: int
    height: int
    width: int
    out_height: int
    in_bits: int
    in_tiles: int
    out_tiles: int
    coats: int
    strip_rows: int
    pool: bool
    open: bool
    base: int  # word of the map's first pixel
    period: int

    @classmethod
    def random(cls, rng, **fixed):
        """A small layer that fits CONFIG; its strips may be of unequal height."""
        kernel, pool = rng.choice(((1, 1), (1, 1), (3, 3), (3, 1), (2, 3))), rng.random() < 0.3
        bits = rng.choice((1, 2, 2, 3, 3, 4, 8))
        layer = cls(
            kernel=kernel, stride=(rng.choice((1, 2)), rng.choice((1, 2))),
            pad_x=rng.randrange(kernel[1]), y_first=rng.randint(-2, 3),
            height=rng.randint(1, 6), width=rng.randint(kernel[1], 6),
            out_height=rng.randint(1, 5), in_bits=bits,
            in_tiles=rng.randint(1, 5 if kernel == (1, 1) else 2), out_tiles=rng.randint(1, 3),
            coats=rng.choice((1, 1, 1, 2, 3)), strip_rows=0, pool=pool,
            open=bool(rng.getrandbits(1)), base=rng.randrange(CONFIG.bank_words),
            period=bits + rng.choice((0, 0, 1, 5)),
        )  # fmt: skip
        for name, value in fixed.items():
            setattr(layer, name, value)
        if layer.strip_rows == 0:
            most = min(layer.out_height, CONFIG.psum_depth // layer.out_width)
            layer.strip_rows = rng.randint(1, most)
        words = -(-layer.in_tiles // PARTS) * layer.group_stride
        return layer if words <= CONFIG.bank_words else cls.random(rng, **fixed)

    @property
    def out_width(self) -> int:
        return (self.width + 2 * self.pad_x - self.kernel[1]) // self.stride[1] + 1

    @property
    def group_stride(self) -> int:
        return self.height * self.width * self.in_bits

    @property
    def strips(self) -> int:
        return -(-self.out_height // self.strip_rows)

    def word(self, group: int, y: int, x: int) -> int:
        return self.base + group * self.group_stride + (y * self.width + x) * self.in_bits

    def descriptor(self) -> int:
        row_stride = self.width * self.in_bits
        return int.from_bytes(encode(
            Opcode.CONV, in_bits=self.in_bits, kernel_height=self.kernel[0],
            kernel_width=self.kernel[1], stride=self.stride[0], stride_x=self.stride[1],
            pad_x=self.pad_x, y_first=self.y_first % (1 << 16), in_height=self.height,
            in_width=self.width, out_width=self.out_width, in_tiles=self.in_tiles,
            out_tiles=self.out_tiles, coats=self.coats, strips=self.strips,
            strip_rows=self.strip_rows, pool=int(self.pool), open=int(self.open),
            last_strip_rows=self.out_height - (self.strips - 1) * self.strip_rows,
            row_stride=row_stride, in_group_stride=self.group_stride,
            src_base=self.word(0, self.y_first, -self.pad_x) % (1 << 24),
            strip_stride=self.strip_rows * self.stride[0] * row_stride,
        ), "little")  # fmt: skip

    def tiles(self):
        """For each tile, its clocks: (address or None in the padding, tag fields), or None where
        no plane enters."""
        for out_tile in range(self.out_tiles):
            for top in range(0, self.out_height, self.strip_rows):
                rows = range(top, min(top + self.strip_rows, self.out_height))
                pixels = [(oy, ox) for oy in rows for ox in range(self.out_width)]
                passes = list(product(*map(range, (self.coats, *self.kernel, self.in_tiles))))
                for number, (_, ky, kx, in_tile) in enumerate(passes):
                    edges = number == 0, number == len(passes) - 1
                    yield self.tile(out_tile, pixels, ky, kx, in_tile, *edges)

    def tile(self, out_tile: int, pixels, ky: int, kx: int, in_tile: int, first, last):
        end = pixels[-1][0] == self.out_height - 1  # the strip is the last
        group, part = divmod(in_tile * ROWS, GROUP)
        clocks = []
        for i, (oy, ox) in enumerate(pixels):
            y = self.y_first + oy * self.stride[0] + ky
            x = ox * self.stride[1] - self.pad_x + kx
            pad = not (0 <= y < self.height and 0 <= x < self.width)
            last_pixel = end and i == len(pixels) - 1
            emit = last and (last_pixel or not self.pool)
            opens = self.open and (oy, ox) == (0, 0) if self.pool else True
            tag = {
                "valid": 1, "pad": pad, "psum_address": out_tile if self.pool else i,
                "psum_first": first and opens, "emit": emit, "end": emit and last_pixel,
                "final": emit and last_pixel and out_tile == self.out_tiles - 1,
            }  # fmt: skip
            for plane in range(self.in_bits):
                word = (self.word(group, y, x) + plane) % CONFIG.bank_words
                address = None if pad else word * PARTS + part // ROWS
                edges = {"first": plane == 0, "last": plane == self.in_bits - 1}
                clocks.append((address, tag | edges | {"swap": i == 0 and plane == 0}))
            clocks += [None] * ((self.period if last else self.in_bits) - self.in_bits)
        return clocks


def pack_tag(tag) -> int:
    return sum(int(value) << TAG[name][0] for name, value in tag.items())


async def run_layer(bench, layer: Layer, fill):
    """`fill(length)`: clocks from `go` to `filled`, given the length of the tile before (or 0)."""
    tiles = list(layer.tiles())
    go, filled, planes = {0}, [], {}  # clocks; (from, to); clock -> tile's clock
    start, length = 0, 0
    for i, tile in enumerate(tiles):
        asked = start - 1 if i else 0  # in the clock in which the tile before was taken
        go.add(asked)
        ready = asked + fill(length)
        filled.append((ready, start))
        start = max(ready + 1, start + length)
        filled[-1] = ready, start - 1
        length = len(tile)
        planes |= {start + n: plane for n, plane in enumerate(tile)}
    finish = start + length - 1
    ready = {clock for a, b in filled for clock in range(a, b + 1)}

    held = {"layer": layer.descriptor(), "period": layer.period}
    for clock in range(finish + 4):
        await bench.clock(start=clock == 0, filled=clock in ready, **held)
        where = f"clock {clock} of {layer}"
        assert bench.get("go") == (clock in go), where
        assert bench.get("active") == (clock in planes), where
        assert bench.get("waiting") == (0 < clock < finish and clock not in planes), where
        assert bench.get("finished") == (clock == finish), where
        tag, plane = bench.get("tag"), planes.get(clock)
        if plane is None:
            assert not tag & pack_tag({"valid": 1, "swap": 1}), where
            continue
        address, fields = plane
        seen = {name: tag >> bit & mask for name, (bit, mask) in TAG.items()}
        assert seen == fields, where
        assert address is None or bench.get("address") == address, where


async def check(dut, layers: int, fill, **fixed):
    bench = Clocked(
        dut, PARAMETERS["seed"] + layers, pulses=["start", "filled"], data=["layer", "period"]
    )
    await bench.start()
    for _ in range(layers):
        layer = Layer.random(bench.rng, **fixed)
        await run_layer(bench, layer, lambda length: fill(bench.rng, length))


@cocotb.test()
async def random_fills(dut):
    """Fills that hide behind the tile before, or don't, by any number of clocks."""
    await check(dut, 7, lambda rng, length: rng.randint(3, 3 + 2 * length))


@cocotb.test()
async def shortest_fills(dut):
    """Tiles of one row: the next is ready three clocks after it was asked for."""
    await check(dut, 5, lambda rng, length: 3)


@cocotb.test()
async def full_throughput(dut):
    """A fill that is ready in a tile's last clock costs no clock: tiles follow without a bubble."""
    await check(dut, 6, lambda rng, length: max(3, length))


@cocotb.test()
async def strided(dut):
    """Padding on every side of a map of odd height and width, in strips of every height."""
    for strip_rows in (1, 2, 3):
        await check(dut, 1, lambda rng, length: 3, kernel=(3, 3), stride=(2, 2), pad_x=1,
                    y_first=-1, height=5, width=5, out_height=3, in_bits=1, in_tiles=1, coats=2,
                    pool=False, strip_rows=strip_rows)  # fmt: skip


@cocotb.test()
async def one_pixel(dut):
    """Tiles of one plane."""
    for pool in (False, True):
        await check(dut, 2, lambda rng, length: 3, height=1, width=1, kernel=(1, 1), pad_x=0,
                    y_first=0, out_height=1, in_bits=1, period=1, pool=pool)  # fmt: skip
