"""`rtl.mask_decoder`."""

import pytest

from hfn_accel.config import Config
from rtl.mask_decoder import MaskDecoder, unit_address_bits
from sim.runner import run

SHAPES = [(1, 64), (2, 128), (4, 64), (8, 64), (8, 128), (16, 64), (32, 128), (64, 64), (64, 128)]


@pytest.mark.parametrize("columns, bus", SHAPES)
def test_mask_decoder(columns, bus):
    config = Config(rows=8, columns=columns, axi_data_width=bus, mask_bytes=4096)
    run(MaskDecoder(config), "sim.benches.mask_decoder", name=f"mask_decoder_{columns}_{bus}",
        config=config.to_dict(), layers=6, seed=7)  # fmt: skip


def test_unit_address_bits():
    assert unit_address_bits(Config(columns=16, mask_bytes=1024)) == 10
    assert unit_address_bits(Config(columns=2, mask_bytes=1024)) == 12
