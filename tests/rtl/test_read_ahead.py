"""`rtl.read_ahead`."""

import pytest

from rtl.read_ahead import ReadAhead
from sim.runner import run


@pytest.mark.parametrize("latency", [1, 2, 3])
def test_read_ahead(latency):
    run(ReadAhead(20, 8, latency), "sim.benches.read_ahead", name=f"read_ahead_{latency}",
        latency=latency, place_bits=8, width=20, seed=1)  # fmt: skip
