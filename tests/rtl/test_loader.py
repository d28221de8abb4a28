"""The image loader under cocotb, alone and behind the DMA."""

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config
from rtl import axi
from rtl.loader import ImageLoader, load_image
from rtl.read_dma import ReadDma
from sim.runner import run

SHAPES = pytest.mark.parametrize(
    "rows, columns, width, seed",
    [(1, 1, 64, 1), (16, 16, 128, 2), (8, 1, 128, 3), (4, 2, 64, 4)],
)  # fmt: skip


class LoadPath(wiring.Component):
    """`ReadDma` and `ImageLoader` as in the accelerator; `busy` while either is."""

    def __init__(self, config: Config):
        self.config = config
        self.loader = ImageLoader(config)
        loader = {name: member for name, member in self.loader.signature.members.items()
                  if not name.startswith("i_")}  # fmt: skip
        super().__init__({
            **loader, **axi.read_ports(config), "address": In(32), "beats": In(24), "busy": Out(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        m.submodules.dma = dma = ReadDma(self.config)
        m.submodules.loader = loader = self.loader
        axi.forward(m, self, dma, axi.read_ports(self.config))
        m.d.comb += [
            dma.start.eq(self.start), dma.address.eq(self.address), dma.beats.eq(self.beats),
            loader.i_valid.eq(dma.o_valid), loader.i_data.eq(dma.o_data),
            dma.o_ready.eq(loader.i_ready), self.busy.eq(dma.busy | loader.busy),
            *(getattr(loader, n).eq(getattr(self, n))
              for n in ("start", "image")),
            *(getattr(self, n).eq(getattr(loader, n)) for n in ("w_en", "w_addr", "w_data")),
        ]  # fmt: skip
        return m


def small(rows, columns, width):
    return Config(rows=rows, columns=columns, axi_data_width=width, activation_bytes=16384)


@SHAPES
def test_stalls(rows, columns, width, seed):
    config = small(rows, columns, width)
    run(ImageLoader(config), "sim.benches.loader", name="loader", config=config.to_dict(),
        seed=seed, dma=False)  # fmt: skip


@SHAPES
def test_timing(rows, columns, width, seed):
    config = small(rows, columns, width)
    run(LoadPath(config), "sim.benches.loader", name="load_path", config=config.to_dict(),
        seed=seed, dma=True)  # fmt: skip


@pytest.mark.parametrize("rows, columns", [(1, 1), (2, 1), (1, 2), (4, 4), (64, 2), (16, 32)])
@pytest.mark.parametrize("taps, stride, pad, out_width", [(1, 1, 0, 5), (3, 1, 1, 5), (7, 2, 3, 3),
                                                          (2, 2, 0, 2), (3, 1, 2, 7)])  # fmt: skip
def test_model_follows_bank_layout(rows, columns, taps, stride, pad, out_width):
    """`load_image` against the layout of docs/architecture.md, written with NumPy."""
    config, rng = Config(rows=rows, columns=columns), np.random.default_rng(7)
    group, parts = config.group, config.group // columns
    height, width, base = 3, 5, 11
    for channels in (1, 2, 3, 4):
        pixels = rng.integers(0, 256, (height * width, 4), np.uint8)
        lanes = taps * channels
        stride_words = height * out_width * 8 + 3
        words = load_image(config, pixels, {
            "channels": channels, "taps": taps, "stride": stride, "pad": pad, "width": width,
            "rows": height, "out_width": out_width, "granules": -(-lanes // columns),
            "base": base, "group_stride": stride_words,
        })  # fmt: skip
        padded = np.zeros((height, pad + stride * out_width + taps + width, 4), np.uint8)
        padded[:, pad : pad + width] = pixels.reshape(height, width, 4)
        for linear, plane_lanes in words.items():
            word, part = divmod(linear, parts)
            g, rest = divmod(word - base, stride_words)
            (y, x), plane = divmod(rest // 8, out_width), rest % 8
            for i in range(columns):
                lane = g * group + part * columns + i
                tap, c = divmod(lane, channels)
                value = padded[y, x * stride + tap, c] if lane < lanes else 0
                assert plane_lanes >> i & 1 == value >> (7 - plane) & 1
        assert len(words) == height * out_width * 8 * -(-lanes // columns)
