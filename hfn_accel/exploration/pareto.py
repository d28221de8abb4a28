"""Points that no other beats."""

import numpy as np

_BLOCK = 512  # points compared with as many others at once: 1.3 MB of bytes for five costs


def front(costs: np.ndarray) -> np.ndarray:
    """bool (points,): no other point is at most as costly in every cost and cheaper in one.

    costs: (k, points), less is better; NaN is worse than any number. Of equal points all are on
    the front or none. O(n log n) for two costs; for more, points times size of the front at worst.
    """
    costs = np.where(np.isnan(costs), np.inf, costs)
    unique, inverse = np.unique(costs.T, axis=0, return_inverse=True)
    chosen = _two(unique) if costs.shape[0] == 2 else _many(unique)
    return chosen[inverse.reshape(-1)]


def _two(points: np.ndarray) -> np.ndarray:
    """Of different points (n, 2) in lexicographic order."""
    best = np.minimum.accumulate(np.concatenate([[np.inf], points[:, 1]]))[:-1]
    return (points[:, 1] < best) | (np.arange(len(points)) == 0)


def _many(points: np.ndarray) -> np.ndarray:
    """Of different points (n, k). A point's ranks sum up to more than those of any that beats it,
    so in that order points are compared with the front so far, and within their block."""
    ranks = [np.unique(cost, return_inverse=True)[1].reshape(-1) for cost in points.T]
    order = np.argsort(np.sum(ranks, axis=0), kind="stable")
    ranks = np.stack(ranks, 1).astype(np.int32)[order]
    chosen, found = [np.empty(0, int)], np.empty((0, points.shape[1]), np.int32)
    for start in range(0, len(order), _BLOCK):
        left = np.arange(start, min(start + _BLOCK, len(order)))
        for first in range(0, len(found), _BLOCK):  # the strongest first, so that few are left
            left = left[~_beaten(ranks[left], found[first : first + _BLOCK])]
        left = left[~_beaten(ranks[left], ranks[left], themselves=True)]
        chosen.append(left)
        found = np.concatenate([found, ranks[left]])
    front = np.zeros(len(points), bool)
    front[order[np.concatenate(chosen)]] = True
    return front


def _beaten(points: np.ndarray, others: np.ndarray, themselves: bool = False) -> np.ndarray:
    """bool (n,): another of `others` is at most as costly everywhere; no two are equal."""
    worse = np.ones((len(points), len(others)), bool)
    for cost, other in zip(points.T, others.T, strict=True):
        worse &= other <= cost[:, None]
    if themselves:
        np.fill_diagonal(worse, False)
    return worse.any(1)
