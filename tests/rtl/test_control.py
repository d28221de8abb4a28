"""`rtl.control` with `rtl.fetcher`, `rtl.executor` and `rtl.storer`."""

import pytest

from hfn_accel.config import Config
from rtl.control import Control
from sim.runner import run


@pytest.mark.parametrize("rows, columns, width, seed", [(16, 16, 64, 1), (4, 2, 128, 2)])
def test_control(rows, columns, width, seed):
    config = Config(rows=rows, columns=columns, axi_data_width=width, mask_bytes=1024 * width)
    run(Control(config), "sim.benches.control", name=f"control_{width}", seed=seed,
        config=config.to_dict())  # fmt: skip
