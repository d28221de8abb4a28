"""What a sweep looks for: constraints on columns, and objectives that the front is of."""

import math
from dataclasses import dataclass

import numpy as np

from ..errors import HfnError
from .columns import COLUMNS, FIGURES, POINT, REASON, TEXT, WORKLOAD
from .names import check_names
from .pareto import front

MINIMISED = ("cycles", "total_moved_bytes", "energy_high_uj", "area_lut4", "model_bytes")
MAXIMISED = ("accuracy_ratio",)
"""Objectives if none are given: accuracy only where a ticket has one."""

_LARGEST = 10**18  # of a limit
KNOWN = tuple(c for c in COLUMNS if c not in (POINT, REASON))
NUMBERS = tuple(c for c in KNOWN if c not in TEXT)


@dataclass(frozen=True)
class Constraint:
    """`column` is from `low` to `high`, or equal to `equals` if that is not None."""

    column: str
    low: float = -math.inf
    high: float = math.inf
    equals: object = None

    def allows(self, values: np.ndarray) -> np.ndarray:
        """bool, as `values`: what is unknown (NaN) is not allowed."""
        if self.equals is not None:
            return values == self.equals
        return (self.low <= values) & (values <= self.high)

    def __str__(self):
        if self.equals is not None:
            text = isinstance(self.equals, str)
            return f"{self.column} = {repr(self.equals) if text else format(self.equals, 'g')}"
        ends = {"min": self.low, "max": self.high}
        said = (f"{name} = {end:g}" for name, end in ends.items() if math.isfinite(end))
        return f"{self.column} = {{{', '.join(said)}}}"


def parse_constraints(given: dict) -> tuple[Constraint, ...]:
    """From column -> {min = ..., max = ...} or a value. Raises HfnError for unknown columns and
    for limits that no value can meet."""
    check_names(given, KNOWN, "column in [constraints]")
    return tuple(_constraint(column, value) for column, value in given.items())


def _constraint(column: str, value) -> Constraint:
    if column in TEXT:
        value = str(value) if type(value) is int else value
        if not isinstance(value, str):
            raise HfnError(f"[constraints] {column} is text: give the text, not {value!r}")
        return Constraint(column, equals=value)
    if not isinstance(value, dict):
        return Constraint(column, equals=_number(column, value))
    check_names(value, ("min", "max"), f"limit of [constraints] {column}")
    limits = {name: _number(column, limit) for name, limit in value.items()}
    if not limits:
        raise HfnError(f"[constraints] {column} needs min or max")
    low, high = limits.get("min", -math.inf), limits.get("max", math.inf)
    if low > high:
        raise HfnError(f"[constraints] {column}: min {low:g} is above max {high:g}")
    return Constraint(column, low, high)


def _number(column: str, value) -> float:
    number = type(value) in (int, float, bool)
    if not number or abs(value) > _LARGEST or not math.isfinite(value):
        raise HfnError(f"[constraints] {column} must be limited by a number, not {value!r}")
    return float(value)


@dataclass(frozen=True)
class Objectives:
    """Columns to minimise and to maximise; `apart`: points that differ in these columns are not
    compared. If it is None they are those of a workload, unless all accuracies are known:
    workloads compute different functions."""

    minimise: tuple[str, ...]
    maximise: tuple[str, ...] = ()
    apart: tuple[str, ...] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return self.minimise + self.maximise

    def costs(self, table: dict[str, np.ndarray]) -> np.ndarray:
        """float64 (objectives, points): less is better."""
        maximised = [-table[column] for column in self.maximise]
        return np.array([*(table[column] for column in self.minimise), *maximised], float)

    def groups(self, table: dict[str, np.ndarray], where: np.ndarray) -> np.ndarray:
        """int64 (points): equal for those that are compared; `where`: points that count."""
        apart = self.apart
        if apart is None:
            known = not np.isnan(table["accuracy_ratio"][where]).any()
            apart = () if known else tuple(WORKLOAD.values())
        group = np.zeros(len(where), np.int64)
        for column in apart:
            values = table[column].astype(str) if column in TEXT else table[column]
            _, code = np.unique(values, return_inverse=True)
            _, group = np.unique(group * (code.max() + 1) + code, return_inverse=True)
        return group


def parse_objectives(given: dict, accurate: bool) -> Objectives:
    """From `minimise`, `maximise` and `apart`, lists of columns; accurate: whether a ticket of the
    sweep has an accuracy. Raises HfnError for columns that are unknown or no figures."""
    check_names(given, ("minimise", "maximise", "apart"), "key in [objectives]")
    named = {key: _columns(key, columns) for key, columns in given.items()}
    apart = named.pop("apart", None)
    if not any(named.values()):
        named = {"minimise": MINIMISED, "maximise": MAXIMISED if accurate else ()}
    minimise, maximise = named.get("minimise", ()), named.get("maximise", ())
    if both := set(minimise) & set(maximise):
        raise HfnError(f"[objectives] cannot both minimise and maximise {min(both)}")
    return Objectives(minimise, maximise, apart)


def _columns(key: str, value) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(v, str) for v in values):
        raise HfnError(f"[objectives] {key} must be a list of columns, not {value!r}")
    check_names(values, KNOWN if key == "apart" else FIGURES, f"column in [objectives] {key}")
    return tuple(dict.fromkeys(values))


@dataclass(frozen=True)
class Goals:
    """The constraints and the objectives of a sweep."""

    constraints: tuple[Constraint, ...]
    objectives: Objectives

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that `allowed` and `front` read."""
        limited = (constraint.column for constraint in self.constraints)
        apart = self.objectives.apart or WORKLOAD.values()
        read = (REASON, "accuracy_ratio", *limited, *self.objectives.columns, *apart)
        return tuple(dict.fromkeys(read))

    def allowed(self, table: dict[str, np.ndarray]) -> np.ndarray:
        """bool (points): feasible, and within the constraints."""
        allowed = table[REASON] == ""
        for constraint in self.constraints:
            allowed = allowed & constraint.allows(table[constraint.column])
        return allowed

    def front(self, table: dict[str, np.ndarray]) -> np.ndarray:
        """bool (points): allowed, and no other allowed point of the same group beats it."""
        allowed = self.allowed(table)
        costs, groups = self.objectives.costs(table), self.objectives.groups(table, allowed)
        chosen = np.zeros(len(allowed), bool)
        for group in np.unique(groups[allowed]):
            mine = np.flatnonzero(allowed & (groups == group))
            chosen[mine[front(costs[:, mine])]] = True
        return chosen
