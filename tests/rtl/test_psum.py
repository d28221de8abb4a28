"""`rtl.psum`."""

import pytest

from hfn_accel.config import Config
from rtl.psum import PartialSums
from sim.runner import run


@pytest.mark.parametrize("columns, depth, value_bits, accumulator_bits", [
    (4, 64, 14, 24), (1, 16, 12, 12), (2, 32, 15, 12)
])  # fmt: skip
def test_psum(columns, depth, value_bits, accumulator_bits):
    config = Config(columns=columns, psum_depth=depth, accumulator_bits=accumulator_bits)
    run(PartialSums(config, value_bits), "sim.benches.psum", name=f"psum_{columns}_{depth}",
        config=config.to_dict(), value_bits=value_bits, seed=1)  # fmt: skip
