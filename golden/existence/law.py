"""The law of subset sums: candidates for an error epsilon grow with ln(1 / epsilon).

Every target is a weight of U(-1, 1) with candidates of its own; the first n of them are looked at.
"""

from dataclasses import asdict, dataclass

import numpy as np

from hfn_accel import sequence
from hfn_accel.errors import HfnError

from .subset import nearest, uniform

MOST = 24  # candidates of a target
EPSILONS = np.geomspace(0.3, 1e-4, 15)
DELTAS = (0.1, 0.01)


@dataclass(frozen=True)
class Point:
    """`candidates` suffice for all but a fraction `delta` of targets to be within `epsilon`."""

    source: str
    delta: float
    epsilon: float
    candidates: int


@dataclass(frozen=True)
class Fit:
    """candidates = slope * ln(1 / epsilon) + intercept, by least squares."""

    source: str
    delta: float
    slope: float
    intercept: float
    r_squared: float


def draws(seed: int, targets: int) -> dict[str, np.ndarray]:
    """Candidates (targets, MOST) of either source: the weight sequence (tensor 0, a target a
    channel) and NumPy's PCG64."""
    return {
        "weight sequence": uniform(sequence.seed_state(seed), 0, targets, MOST),
        "NumPy's PCG64": np.random.default_rng(seed).uniform(-1, 1, (targets, MOST)),
    }


def measure(source: str, candidates: np.ndarray, targets: np.ndarray) -> list[Point]:
    """The fewest candidates for each of DELTAS and EPSILONS.

    Raises HfnError where all candidates are too few, or targets to tell the least of DELTAS.
    """
    if len(targets) * min(DELTAS) < 1:
        raise HfnError(f"targets must be at least {round(1 / min(DELTAS))}, not {len(targets)}")
    errors = np.empty((candidates.shape[1], len(targets)))
    for n in range(1, candidates.shape[1] + 1):
        some = candidates[:, :n]
        errors[n - 1] = np.abs((some * nearest(some, targets)).sum(1) - targets)
    points = []
    for delta in DELTAS:
        reached = np.quantile(errors, 1 - delta, axis=1)  # falls with n
        for epsilon in EPSILONS:
            if reached[-1] > epsilon:
                raise HfnError(f"{len(reached)} candidates are too few for an error of {epsilon}")
            points.append(Point(source, delta, float(epsilon), int((reached > epsilon).sum()) + 1))
    return points


def fit(points: list[Point]) -> Fit:
    """The straight line through points of one source and delta."""
    x = np.log([1 / p.epsilon for p in points])
    y = np.array([p.candidates for p in points])
    slope, intercept = np.polyfit(x, y, 1)
    rest = y - slope * x - intercept
    return Fit(points[0].source, points[0].delta, float(slope), float(intercept),
               float(1 - rest.var() / y.var()))  # fmt: skip


def run(seed: int, targets: int) -> tuple[list[dict], list[dict]]:
    """Points and lines of both sources and all DELTAS, as rows."""
    wanted = np.random.default_rng([seed, 1]).uniform(-1, 1, targets)
    points, fits = [], []
    for source, candidates in draws(seed, targets).items():
        points += (mine := measure(source, candidates, wanted))
        fits += [fit([p for p in mine if p.delta == delta]) for delta in DELTAS]
    return [asdict(p) for p in points], [asdict(f) for f in fits]
