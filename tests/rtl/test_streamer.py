"""`rtl.streamer`."""

import pytest

from hfn_accel.config import Config
from rtl.streamer import Streamer
from sim.runner import run


@pytest.mark.parametrize("rows, columns, activation_bytes", [
    (4, 4, 256), (2, 16, 4096), (16, 2, 4096), (1, 4, 65536)
])  # fmt: skip
def test_streamer(rows, columns, activation_bytes):
    config = Config(rows=rows, columns=columns, psum_depth=16, activation_bytes=activation_bytes)
    run(Streamer(config), "sim.benches.streamer", name=f"streamer_{config.name}",
        config=config.to_dict(), seed=1)  # fmt: skip
