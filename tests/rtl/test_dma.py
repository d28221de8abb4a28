"""The AXI masters under cocotb, and the rules of bursts."""

from random import Random

import pytest

from hfn_accel.config import Config
from rtl.burst import split_bursts
from rtl.read_dma import ReadDma
from rtl.write_dma import WriteDma
from sim.runner import run

WIDTHS = pytest.mark.parametrize("width, seed", [(64, 1), (128, 2)])


@WIDTHS
def test_read(width, seed):
    config = Config(axi_data_width=width)
    run(ReadDma(config), "sim.benches.read_dma", name="read_dma", config=config.to_dict(),
        seed=seed)  # fmt: skip


@WIDTHS
def test_write(width, seed):
    config = Config(axi_data_width=width)
    run(WriteDma(config), "sim.benches.write_dma", name="write_dma", config=config.to_dict(),
        seed=seed)  # fmt: skip


@pytest.mark.parametrize("width", [64, 128])
def test_bursts(width):
    config, rng = Config(axi_data_width=width), Random(3)
    transfers = [(rng.randrange(1 << 14) * config.bus_bytes, rng.randrange(1, 2000))
                 for _ in range(500)]  # fmt: skip
    for address, beats in transfers:
        split = split_bursts(config, address, beats)
        assert sum(count for _, count in split) == beats
        assert max(count for _, count in split) <= 256
        assert len({a // config.burst_bytes for a, _ in split}) == len(split)
