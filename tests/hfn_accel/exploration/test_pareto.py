"""The front against its definition."""

import numpy as np
import pytest

from hfn_accel.exploration import pareto


def definition(costs: np.ndarray) -> list[bool]:
    """Point by point; an unknown cost is worse than any known one."""
    points = np.where(np.isnan(costs), np.inf, costs).T
    return [not any((b <= a).all() and (b < a).any() for b in points) for a in points]


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("values", [2, 5, 100])  # many ties, some, few
@pytest.mark.parametrize("unknown", [0, 0.3])
def test_front(monkeypatch, k, values, unknown):
    rng = np.random.default_rng(k * values)
    for block in (1, 7, 512):
        monkeypatch.setattr(pareto, "_BLOCK", block)
        for points in (0, 1, 2, 40, 90):
            costs = rng.integers(-values, values, (k, points)).astype(float)
            costs[rng.random(costs.shape) < unknown] = np.nan
            assert pareto.front(costs).tolist() == definition(costs)


def test_costs_that_no_point_has_decide_nothing():
    costs = np.random.default_rng(0).random((2, 50))
    more = np.vstack([costs, np.full((1, 50), np.nan)])
    assert pareto.front(more).tolist() == pareto.front(costs).tolist()


def test_a_front_of_many_points():
    """Every point of x + y + z = 1 is on the front, and what lies above none."""
    rng = np.random.default_rng(1)
    plane = rng.dirichlet([1, 1, 1], 3000).T
    found = pareto.front(np.hstack([plane, plane + 0.01]))
    assert found[:3000].all() and not found[3000:].any()
