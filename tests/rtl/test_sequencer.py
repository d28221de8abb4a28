"""`rtl.sequencer`."""

import numpy as np
import pytest

from hfn_accel.compiler import compile
from hfn_accel.config import Config
from rtl.sequencer import Sequencer
from sim.runner import run
from tests.tickets import random_ticket


@pytest.mark.parametrize("rows, columns, width", [(4, 8, 64), (16, 2, 128)])
def test_sequencer(rows, columns, width):
    config = Config(rows=rows, columns=columns, axi_data_width=width)
    rng = np.random.default_rng(rows)
    ticket = random_ticket(rng, widths=(2, 9), stages=(2, 2), blocks=(2, 3), sizes=(4, 6))
    run(Sequencer(config), "sim.benches.sequencer", name=f"sequencer_{width}", seed=1,
        config=config.to_dict(), image=compile(ticket, config).image.hex())  # fmt: skip
