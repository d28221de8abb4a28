"""`rtl.datapath`."""

import pytest

from hfn_accel.config import Config
from rtl.datapath import Datapath
from sim.runner import run


@pytest.mark.parametrize("rows, columns, units, bus", [(4, 4, 2, 64), (8, 2, 1, 64), (2, 8, 8, 64),
                                                       (8, 16, 4, 128)])  # fmt: skip
def test_datapath(rows, columns, units, bus):
    config = Config(rows=rows, columns=columns, requantisers=units, axi_data_width=bus,
                    psum_depth=64, activation_bytes=4096, mask_bytes=16384,
                    parameter_channels=64, result_words=1024)  # fmt: skip
    run(Datapath(config), "sim.benches.datapath", name=f"datapath_{config.name}",
        config=config.to_dict(), layers=8, seed=2)  # fmt: skip
