"""`rtl.array`."""

import numpy as np
import pytest

from hfn_accel.timing import array_latency
from rtl.array import Array, column_sums
from sim.runner import run


@pytest.mark.parametrize("rows, columns", [(1, 1), (2, 3), (4, 8), (8, 2), (16, 16), (4, 64),
                                           (64, 4)])  # fmt: skip
def test_array(rows, columns):
    run(Array(rows, columns), "sim.benches.array", name=f"array_{rows}x{columns}",
        rows=rows, columns=columns, seed=3)  # fmt: skip


def test_function():
    mask, sign = np.array([[1, 0], [1, 1], [0, 1]]), np.array([[0, 0], [1, 0], [1, 1]])
    x = [[1, 1, 1], [0, 1, 0]]
    assert column_sums(x, mask, sign).tolist() == [[0, 0], [-1, 1]]
    assert column_sums(x, mask, sign, bipolar=True).tolist() == [[0, 0], [-2, 2]]


def test_latency_is_two_and_a_stage_every_two_levels():
    assert [array_latency(1 << levels) for levels in range(7)] == [2, 3, 3, 4, 4, 5, 5]


@pytest.mark.parametrize("rows", [0, 3, 12, -4])
def test_refuses(rows):
    with pytest.raises(ValueError, match=f"rows must be a power of two, not {rows}"):
        Array(rows, 4)
