"""Do groups of runs differ? Mean, spread and tests for a few runs each.

Every run is an independent draw (of weights, scores and batches, by its seed), taken as normally
distributed around its group's mean. Tests: Welch's for two groups (Welch, Biometrika 1947), which
does not take spreads as equal, and one-way analysis of variance for all, which does.
"""

import math
from itertools import combinations

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


def summary(values) -> dict:
    """Mean, sample standard deviation and interval of confidence of at least two runs."""
    values = np.asarray(values, float)
    mean, spread = values.mean(), values.std(ddof=1)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * spread / math.sqrt(len(values))
    return {"runs": len(values), "mean": float(mean), "standard_deviation": float(spread),
            "interval": [float(mean - half), float(mean + half)]}  # fmt: skip


def pairs(groups: dict[str, list[float]]) -> list[dict]:
    """Welch's test of each pair of groups: difference of means, a - b, with its interval of
    confidence, t, degrees of freedom and two-sided p, uncorrected for the number of pairs. The
    test's figures are None where neither group has any spread."""
    found = []
    for a, b in combinations(groups, 2):
        difference = float(np.mean(groups[a]) - np.mean(groups[b]))
        row = {"a": a, "b": b, "difference": difference}
        row |= dict.fromkeys(("interval", "t", "degrees_of_freedom", "p"))
        if not _constant(groups[a], groups[b]):
            counts = np.array([len(groups[a]), len(groups[b])])
            parts = np.array([np.var(groups[a], ddof=1), np.var(groups[b], ddof=1)]) / counts
            error, degrees = parts.sum() ** 0.5, parts.sum() ** 2 / (parts**2 / (counts - 1)).sum()
            half = stats.t.ppf((1 + CONFIDENCE) / 2, degrees) * error
            row |= {"interval": [float(difference - half), float(difference + half)],
                    "t": float(difference / error), "degrees_of_freedom": float(degrees),
                    "p": float(2 * stats.t.sf(abs(difference) / error, degrees))}  # fmt: skip
        found.append(row)
    return found


def variance(groups: dict[str, list[float]]) -> dict:
    """One-way analysis of variance over all groups: F and p, None where no group has any spread."""
    if _constant(*groups.values()):
        return {"F": None, "p": None}
    test = stats.f_oneway(*groups.values())
    return {"F": float(test.statistic), "p": float(test.pvalue)}


def _constant(*groups) -> bool:
    return all(np.ptp(group) == 0 for group in groups)


def analyse(groups: dict[str, list[float]]) -> dict:
    """All three of at least two groups, of at least two runs each."""
    return {"groups": {name: summary(values) for name, values in groups.items()},
            "pairs": pairs(groups), "variance": variance(groups)}  # fmt: skip
