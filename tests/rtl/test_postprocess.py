"""`rtl.postprocess`."""

import pytest

from hfn_accel.config import Config
from rtl.postprocess import PostProcessor
from sim.runner import run


@pytest.mark.parametrize("rows, columns, units, accumulator_bits", [
    (8, 8, 2, 24), (16, 4, 4, 20), (4, 8, 1, 24), (64, 16, 8, 32), (2, 1, 1, 16)
])  # fmt: skip
def test_postprocess(rows, columns, units, accumulator_bits):
    config = Config(rows=rows, columns=columns, requantisers=units, psum_depth=16,
                    accumulator_bits=accumulator_bits, activation_bytes=2048,
                    parameter_channels=128, result_words=128)  # fmt: skip
    name = f"postprocess_{config.name}_{units}"
    run(PostProcessor(config), "sim.benches.postprocess", name=name, config=config.to_dict(),
        seed=1)  # fmt: skip
