"""Subset sums: how well some of n random candidates add up to a wanted weight.

`nearest` is the best that there is, which the law is about; `smallest` is what tickets are made of.

Sources: Lueker, "Exponentially small bounds on the expected optimum of the partition and subset
sum problems", Random Structures and Algorithms 1998; Pensia et al., "Optimal Lottery Tickets via
SubsetSum", NeurIPS 2020: C * ln(1 / min(epsilon, delta)) candidates hold, with probability
1 - delta, a subset whose sum is within epsilon of a target in [-1, 1].
"""

from itertools import combinations
from math import comb

import numpy as np

from hfn_accel import sequence
from hfn_accel.errors import HfnError

WORD_BITS = 20  # of a candidate made of the weight sequence
MAX_CANDIDATES = 30  # of one target
MAX_SUBSETS = 1 << 15  # of one size, that `smallest` looks at

_UNIT = 1 << 30  # the sums of `nearest` are exact multiples of 1 / _UNIT
_CHUNK = 1 << 20  # sums at a time


def uniform(state: int, tensor: int, rows: int, columns: int) -> np.ndarray:
    """Candidates of U(-1, 1) made of the weight sequence, float64 (rows, columns).

    Candidate (row, column) is the WORD_BITS bits from address(tensor, row, column * WORD_BITS) on,
    the first the most significant, read as a fraction; the middles of 2^WORD_BITS equal intervals.
    """
    bits = sequence.bits(state, tensor, rows, columns * WORD_BITS)
    places = 2.0 ** -np.arange(WORD_BITS)  # 1, 1/2, ... of a fraction of 0...2
    return bits.reshape(rows, columns, WORD_BITS) @ places + 2.0**-WORD_BITS - 1


def smallest(candidates: np.ndarray, targets: np.ndarray, tolerance: float) -> np.ndarray:
    """The smallest subset of each row of `candidates` (N, n) within `tolerance` of `targets` (N,).

    Returns bool (N, n); of the subsets of that size the nearest. Where there is none, the nearest
    of all that were looked at: those of up to so many candidates that a size has MAX_SUBSETS.
    """
    rows, n = candidates.shape
    chosen, best = np.zeros((rows, n), bool), np.full(rows, np.inf)
    system = np.hstack([candidates, -targets[:, None]])
    for size in range(n + 1):
        left = np.flatnonzero(best > tolerance)
        if comb(n, size) > MAX_SUBSETS or not left.size:
            break
        members = np.array(list(combinations(range(n), size)), int)
        subsets = np.zeros((len(members), n + 1))
        np.put_along_axis(subsets, members, 1, 1)
        subsets[:, n] = 1
        for part in np.array_split(left, -(-left.size * len(subsets) // _CHUNK)):
            errors = system[part] @ subsets.T
            np.abs(errors, out=errors)
            index = errors.argmin(1)
            error = errors[np.arange(len(part)), index]
            better = error < best[part]
            chosen[part[better]] = subsets[index[better], :n] > 0
            best[part[better]] = error[better]
    return chosen


def nearest(candidates: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The subset of each row of `candidates` (N, n) whose sum is nearest to `targets` (N,).

    Returns bool (N, n). The best of all 2^n subsets, by meeting in the middle: the sums of one half
    of the candidates are looked up among the sorted sums of the other. Exact for values rounded to
    2^-30. Raises HfnError for more than MAX_CANDIDATES candidates.
    """
    rows, n = candidates.shape
    if n > MAX_CANDIDATES:
        raise HfnError(f"a subset sum has at most {MAX_CANDIDATES} candidates, not {n}")
    chosen = np.empty((rows, n), bool)
    step = max(1, _CHUNK >> (n - n // 2))
    for i in range(0, rows, step):
        some = slice(i, i + step)
        chosen[some] = _nearest(np.rint(candidates[some] * _UNIT).astype(np.int64),
                                np.rint(targets[some] * _UNIT).astype(np.int64))  # fmt: skip
    return chosen


def _nearest(candidates: np.ndarray, targets: np.ndarray) -> np.ndarray:
    rows, n = candidates.shape
    left, right = _sums(candidates[:, : n // 2]), _sums(candidates[:, n // 2 :])
    order = right.argsort(1)
    right = np.take_along_axis(right, order, 1)
    wanted = targets[:, None] - left
    # one search for all rows: the numbers of each lie in a range of their own
    reach = int(max(np.abs(right).max(), np.abs(wanted).max())) + 1
    row = np.arange(rows)[:, None]
    above = np.searchsorted((right + 2 * reach * row).ravel(), wanted + 2 * reach * row)
    above -= right.shape[1] * row
    # the first sum that is not below what is wanted, or the one before it
    pairs = np.stack([above - 1, above], -1).clip(0, right.shape[1] - 1).reshape(rows, -1)
    errors = np.abs(np.take_along_axis(right, pairs, 1) - wanted.repeat(2, 1))
    best = errors.argmin(1)[:, None]
    codes = best >> 1, np.take_along_axis(order, np.take_along_axis(pairs, best, 1), 1)
    return np.hstack([code >> np.arange(bits) & 1 > 0
                      for code, bits in zip(codes, (n // 2, n - n // 2), strict=True)])  # fmt: skip


def _sums(candidates: np.ndarray) -> np.ndarray:
    """All subset sums (N, 2^n); bit i of the index says whether candidate i is in."""
    sums = np.zeros((len(candidates), 1), np.int64)
    for column in candidates.T:
        sums = np.concatenate([sums, sums + column[:, None]], 1)
    return sums
