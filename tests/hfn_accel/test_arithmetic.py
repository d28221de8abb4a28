import doctest
from pathlib import Path

import numpy as np
import pytest

from hfn_accel import arithmetic
from hfn_accel.arithmetic import requantise, signed_bits, sum_bits

DOCS = Path(__file__).parents[2] / "docs"
I16, I32 = np.iinfo(np.int16), np.iinfo(np.int32)


def exact(acc, m, b, s, a, r=0, mr=0):
    """The formula in Python's unbounded integers."""
    return min(max((acc * m + r * mr + b + 2 ** (s - 1)) // 2**s, 0), 2**a - 1)


def test_equals_the_formula_at_extremes_and_at_random():
    rng = np.random.default_rng(1)
    for bits in range(1, 9):
        for shift in (1, 2, 15, 16, 31, 32, 46, 47):
            edge = [I32.min, I32.max, 0, 1, -1]
            acc = np.concatenate([edge, rng.integers(I32.min, I32.max, 20)])
            m, mr = rng.choice([I16.min, I16.max, 0, 1, -3, 777], (2, len(acc)))
            b = rng.choice([I32.min, I32.max, 0, 12345, -7], len(acc))
            r = rng.integers(0, 256, len(acc))
            got = requantise(acc, m, b, shift, bits, r, mr)
            numbers = zip(
                acc.tolist(), m.tolist(), b.tolist(), r.tolist(), mr.tolist(), strict=True
            )
            want = [exact(x, m_, b_, shift, bits, r_, mr_) for x, m_, b_, r_, mr_ in numbers]
            assert got.tolist() == want
            assert got.dtype == np.uint8


def test_rounds_ties_upwards():
    acc = np.arange(0, 12)
    assert requantise(acc, 1, 0, 1, 8).tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
    # -1/2 + 1/2 rounds to 0; below that the clamp acts, so shift the range with the bias
    assert requantise(acc - 6, 1, 6, 1, 8).tolist() == requantise(acc, 1, 0, 1, 8).tolist()


def test_clamps_to_the_bits():
    acc = np.array([-5, 0, 1, 300])
    for bits in range(1, 9):
        assert requantise(acc * 2, 1, 0, 1, bits).tolist() == [0, 0, 1, min(300, 2**bits - 1)]


def test_parameters_are_per_channel():
    acc = np.ones((2, 3, 4), np.int32) * 8
    y = requantise(acc, np.arange(4), np.zeros(4, int), 1, 8)
    assert y.shape == acc.shape
    assert (y == [0, 4, 8, 12]).all()


def test_sum_never_overflows():
    assert [sum_bits(n) for n in (12, 32)] == [48, 49]
    assert all(sum_bits(n) <= arithmetic.SUM_BITS for n in range(12, 33))
    worst = 2**31 * 2**15 + 255 * 2**15 + 2**31 + 2**46
    assert -(2 ** (sum_bits(32) - 1)) <= -worst and worst < 2 ** (sum_bits(32) - 1)


@pytest.mark.parametrize(
    "low, high, bits",
    [(0, 0, 1), (0, 1, 2), (-1, 0, 1), (-2, 1, 2), (-3, 1, 3), (-128, 127, 8), (-128, 128, 9)],
)
def test_signed_bits(low, high, bits):
    assert signed_bits(low, high) == bits


def test_document_examples_run():
    result = doctest.testfile(str(DOCS / "arithmetic.md"), module_relative=False)
    assert result.attempted > 3 and result.failed == 0
