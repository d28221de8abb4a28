"""`rtl.accumulate`."""

import pytest

from rtl.accumulate import PlaneAccumulator, accumulate
from sim.runner import run


@pytest.mark.parametrize("rows, columns, bits", [(1, 1, 24), (4, 8, 24), (8, 2, 12), (16, 16, 32),
                                                 (64, 3, 12)])  # fmt: skip
def test_accumulate(rows, columns, bits):
    run(PlaneAccumulator(rows, columns, bits), "sim.benches.accumulate",
        name=f"accumulate_{rows}x{columns}", rows=rows, columns=columns, accumulator_bits=bits,
        seed=4)  # fmt: skip


def test_function():
    assert accumulate([1, 0, -3]) == 1
    assert accumulate([-64] * 8) == -64 * 255
