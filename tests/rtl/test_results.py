"""`rtl.results`."""

import pytest

from hfn_accel.config import Config
from rtl.results import ResultStore
from sim.runner import run


@pytest.mark.parametrize("width", [64, 128])
@pytest.mark.parametrize("units, words", [(1, 64), (4, 128), (16, 64)])
def test_results(width, units, words):
    config = Config(columns=16, requantisers=units, axi_data_width=width, result_words=words)
    run(ResultStore(config), "sim.benches.results", name=f"results_{width}_{units}",
        config=config.to_dict(), seed=1)  # fmt: skip


def test_one_entry():
    """As many units as result words."""
    config = Config(columns=64, requantisers=64, result_words=64)
    run(ResultStore(config), "sim.benches.results", name="results_one", config=config.to_dict(),
        seed=1)  # fmt: skip
