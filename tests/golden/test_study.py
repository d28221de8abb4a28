"""Statistics of few runs against numbers worked out by hand, and against permutations."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from golden import study

A, B, C = [0.50, 0.52, 0.54], [0.60, 0.61, 0.62, 0.63], [0.5, 0.5]


def test_summary_by_hand():
    """Of 0.50, 0.52, 0.54: mean 0.52, spread 0.02; t of 2 degrees at 97.5 % is 4.302653."""
    found = study.summary(A)
    half = 4.302653 * 0.02 / 3**0.5
    assert found["runs"] == 3
    assert found["mean"] == pytest.approx(0.52)
    assert found["standard_deviation"] == pytest.approx(0.02)
    assert found["interval"] == pytest.approx([0.52 - half, 0.52 + half], abs=1e-7)


def test_welch_by_hand():
    """Variances 4e-4 of 3 and 5e-4 / 3 of 4 runs; each group's share counts by itself."""
    (found,) = study.pairs({"a": A, "b": B})
    share_a, share_b = 4e-4 / 3, 5e-4 / 3 / 4
    error = (share_a + share_b) ** 0.5
    degrees = (share_a + share_b) ** 2 / (share_a**2 / 2 + share_b**2 / 3)
    assert (found["a"], found["b"]) == ("a", "b")
    assert found["difference"] == pytest.approx(-0.095)
    assert found["t"] == pytest.approx(-0.095 / error)
    assert found["degrees_of_freedom"] == pytest.approx(degrees)


@pytest.mark.parametrize("seed", range(5))
def test_welch_by_scipy(seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.normal(0, rng.random(), rng.integers(2, 9)) for _ in range(2))
    test = stats.ttest_ind(a, b, equal_var=False)
    (found,) = study.pairs({"a": a, "b": b})
    assert [found[name] for name in ("t", "degrees_of_freedom", "p")] == pytest.approx(
        [test.statistic, test.df, test.pvalue])  # fmt: skip
    assert found["interval"] == pytest.approx(list(test.confidence_interval(0.95)))


def test_variance_by_hand():
    """F = variance between means over variance within, of 1 and 5 degrees."""
    mean = (sum(A) + sum(B)) / 7
    between = 3 * (0.52 - mean) ** 2 + 4 * (0.615 - mean) ** 2
    within = (2 * 4e-4 + 5e-4) / 5
    found = study.variance({"a": A, "b": B})
    assert found["F"] == pytest.approx(between / within)
    assert found["p"] == pytest.approx(stats.f.sf(between / within, 1, 5))


def test_chance_is_told_from_a_difference():
    """p agrees with how often a random division of the same runs differs as much."""
    rng = np.random.default_rng(1)
    values = rng.normal(0.8, 0.01, 10)
    values[:5] += 0.008
    found = study.pairs({"a": values[:5], "b": values[5:]})[0]
    divisions = [list(chosen) for chosen in combinations(range(10), 5)]
    differences = [values[c].mean() - np.delete(values, c).mean() for c in divisions]
    share = np.mean(np.abs(differences) >= abs(found["difference"]) - 1e-12)
    assert found["p"] == pytest.approx(share, abs=0.03)


def test_every_pair_once_and_no_spread_has_no_test():
    found = study.analyse({"a": A, "c": C, "d": [0.7, 0.7]})
    assert [(row["a"], row["b"]) for row in found["pairs"]] == [("a", "c"), ("a", "d"), ("c", "d")]
    assert found["pairs"][2]["difference"] == pytest.approx(-0.2)
    for name in ("interval", "t", "degrees_of_freedom", "p"):
        assert found["pairs"][2][name] is None and found["pairs"][0][name] is not None
    assert study.variance({"c": C, "d": C}) == {"F": None, "p": None}
    assert found["groups"]["c"]["interval"] == [0.5, 0.5]
