"""`rtl.tile_filler`."""

import pytest

from hfn_accel.config import Config
from rtl.tile_filler import TileFiller, mask_address_bits, tile_rows
from sim.runner import run

SHAPES = [(1, 1, 64), (4, 8, 64), (16, 16, 64), (8, 2, 128), (2, 64, 64), (16, 32, 128)]


@pytest.mark.parametrize("rows, columns, bus", SHAPES)
def test_tile_filler(rows, columns, bus):
    config = Config(rows=rows, columns=columns, axi_data_width=bus, mask_bytes=8192)
    run(TileFiller(config), "sim.benches.tile_filler", name=f"tile_filler_{config.name}_{bus}",
        config=config.to_dict(), layers=6, seed=5)  # fmt: skip


ONE = {"kernel_height": 1, "kernel_width": 1, "in_tiles": 1, "last_rows": 1, "coats": 1,
       "strips": 1, "out_tiles": 1, "signs": 0, "mask_base": 0, "plane_beats": 0}  # fmt: skip


def test_tile_rows():
    """Two taps of 2 + 1 channels; 6 rows of 32 bits are three beats of 64."""
    config = Config(rows=2, columns=32)
    layer = ONE | {"kernel_width": 2, "in_tiles": 2, "strips": 2, "out_tiles": 2, "mask_base": 5}
    tiles = list(tile_rows(config, layer))
    strip = [[(0, 0, 10), (1, 1, 11)], [(0, 2, 12)], [(0, 3, 13), (1, 4, 14)], [(0, 5, 15)]]
    strip = [[(*row, None) for row in rows] for rows in strip]
    assert tiles[:8] == strip + strip
    assert tiles[8:12] == [[(r, k, a + 6, s) for r, k, a, s in rows] for rows in strip]
    assert len(tiles) == 16


def test_output_tiles_start_at_a_beat():
    config = Config(rows=2, columns=16)
    tiles = list(tile_rows(config, ONE | {"out_tiles": 3}))
    assert tiles == [[(0, 0, 0, None)], [(0, 0, 4, None)], [(0, 0, 8, None)]]


def test_coats_and_signs():
    """Two coats and the sign plane, four beats apart; the signs are the same for both."""
    config = Config(rows=2, columns=32)
    layer = ONE | {"kernel_height": 3, "coats": 2, "signs": 1, "mask_base": 1, "plane_beats": 4}
    tiles = list(tile_rows(config, layer))
    assert tiles == [[(0, k, 2 + 8 * coat + k, 18 + k)] for coat in range(2) for k in range(3)]


def test_mask_address_bits():
    assert mask_address_bits(Config(mask_bytes=256, columns=64)) == 5
    assert mask_address_bits(Config(mask_bytes=65536, columns=16)) == 15
