"""`rtl.requantise`."""

import pytest

from hfn_accel.config import Config
from rtl.requantise import Requantiser
from sim.runner import run

SHAPES = [
    {"columns": 16, "requantisers": 4, "accumulator_bits": 24},
    {"columns": 4, "requantisers": 8, "accumulator_bits": 32},
    {"columns": 2, "requantisers": 1, "accumulator_bits": 12},
]


@pytest.mark.parametrize("shape", SHAPES)
def test_requantise(shape):
    config = Config(**shape)
    name = f"requantise_{config.units}_{config.accumulator_bits}"
    run(Requantiser(config), "sim.benches.requantise", name=name, config=config.to_dict(), seed=1)
