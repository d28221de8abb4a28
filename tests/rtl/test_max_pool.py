"""`rtl.max_pool`."""

import numpy as np
import pytest

from hfn_accel.config import Config
from rtl.max_pool import MaxPool, max_pool
from sim.runner import run


@pytest.mark.parametrize("rows, columns", [(4, 4), (16, 4), (4, 16), (2, 1)])
def test_max_pool(rows, columns):
    config = Config(rows=rows, columns=columns, activation_bytes=2048)
    run(MaxPool(config), "sim.benches.max_pool", name=f"max_pool_{config.name}",
        config=config.to_dict(), seed=1)  # fmt: skip


def test_function():
    """A 5x5 map of 3 bits, 3x3 windows two apart, padding 1, against NumPy."""
    config = Config(rows=8, columns=4, activation_bytes=1024)
    values = np.random.default_rng(5).integers(0, 8, (8, 5, 5))
    bank = [0] * (config.bank_words * 2)
    for channel, y, x in np.ndindex(values.shape):
        for plane in range(3):
            word = 10 + (y * 5 + x) * 3 + plane
            bit = int(values[channel, y, x]) >> (2 - plane) & 1
            bank[word * 2 + channel // 4] |= bit << channel % 4
    written = max_pool(config, bank, {
        "bits": 3, "kernel": 3, "stride": 2, "pad_x": 1, "y_first": 0xFFFF, "in_height": 5,
        "in_width": 5, "out_height": 3, "out_width": 3, "granules": 2, "row_stride": 15,
        "src_base": (10 - 15 - 3) % (1 << 24), "in_group_stride": 75, "dst_base": 20,
        "out_group_stride": 27,
    })  # fmt: skip
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    expected = windows[:, ::2, ::2].max((-1, -2))
    assert len(written) == 2 * 27
    for channel, y, x in np.ndindex(expected.shape):
        planes = [written[(20 + (y * 3 + x) * 3 + p) * 2 + channel // 4] for p in range(3)]
        bits = [plane >> channel % 4 & 1 for plane in planes]
        assert int("".join(map(str, bits)), 2) == expected[channel, y, x]
