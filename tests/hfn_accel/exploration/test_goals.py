"""Constraints and fronts against their definition."""

import itertools

import numpy as np
import pytest

from hfn_accel.exploration.columns import COLUMNS, REASON, TEXT, WORKLOAD
from hfn_accel.exploration.goals import Goals, Objectives, parse_constraints, parse_objectives
from hfn_accel.exploration.summary import summary, text

POINTS = 120


@pytest.fixture(params=range(4))
def table(request) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(request.param)
    found = {c: rng.integers(0, 6, POINTS).astype(float) for c in COLUMNS if c not in TEXT}
    for column in TEXT:
        found[column] = rng.choice(["", "a", "b"], POINTS).astype(object)
    found[REASON] = rng.choice(["", "", "too big", "too small"], POINTS).astype(object)
    found["point"] = np.arange(POINTS)
    found["energy_high_uj"][rng.random(POINTS) < 0.2] = np.nan
    return found


def definition(table, allowed, costs: list, apart: list) -> set[int]:
    """Indices of the front: an unknown cost is infinite."""
    values = [np.where(np.isnan(c), np.inf, c) for c in costs]

    def beats(i, j):
        pairs = [(v[i], v[j]) for v in values]
        same = all(table[c][i] == table[c][j] for c in apart)
        return same and all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

    mine = np.flatnonzero(allowed)
    return {j for j in mine if not any(beats(i, j) for i in mine)}


@pytest.mark.parametrize("apart", [[], ["network"], ["network", "coats", "signs"]])
def test_front_by_definition(table, apart):
    goals = Goals(
        parse_constraints({"macs": {"min": 1, "max": 4}, "folding": "a"}),
        parse_objectives({"minimise": ["cycles", "energy_high_uj"], "maximise": "utilisation_ratio",
                          "apart": apart}, False),
    )  # fmt: skip
    allowed = [reason == "" and 1 <= macs <= 4 and folding == "a" for reason, macs, folding in
               zip(table[REASON], table["macs"], table["folding"], strict=True)]  # fmt: skip
    assert goals.allowed(table).tolist() == allowed
    costs = [table["cycles"], table["energy_high_uj"], -table["utilisation_ratio"]]
    expected = definition(table, allowed, costs, apart)
    assert set(np.flatnonzero(goals.front(table))) == expected
    read = {column: table[column] for column in goals.columns}
    np.testing.assert_array_equal(goals.front(read), goals.front(table))


def test_workloads_are_apart_unless_every_accuracy_is_known(table):
    objectives = Objectives(minimise=("cycles",))
    goals = Goals((), objectives)
    one = Goals((), Objectives(minimise=("cycles",), apart=()))
    several = Goals((), Objectives(minimise=("cycles",), apart=tuple(WORKLOAD.values())))
    np.testing.assert_array_equal(goals.front(table), one.front(table))
    fits = np.flatnonzero(table[REASON] == "")
    table["accuracy_ratio"][np.flatnonzero(table[REASON] != "")] = np.nan
    np.testing.assert_array_equal(goals.front(table), one.front(table))
    table["accuracy_ratio"][fits[0]] = np.nan
    np.testing.assert_array_equal(goals.front(table), several.front(table))
    assert several.front(table).sum() > one.front(table).sum()


def test_unknown_figures_meet_no_constraint(table):
    goals = Goals(parse_constraints({"energy_high_uj": {"max": 1e9}}), Objectives(("cycles",)))
    unknown = np.isnan(table["energy_high_uj"])
    assert unknown.any() and not goals.allowed(table)[unknown].any()


def test_no_point_is_on_no_front(table):
    goals = Goals(parse_constraints({"cycles": 99}), Objectives(("cycles", "macs")))
    assert not goals.front(table).any()


def test_summary(table):
    goals = Goals(parse_constraints({"macs": {"max": 3}}),
                  Objectives(("energy_high_uj",), ("utilisation_ratio",), ()))  # fmt: skip
    found, allowed = summary(table, goals), goals.allowed(table)
    fits = table[REASON] == ""
    assert (found["points"], found["feasible"]) == (POINTS, fits.sum())
    assert (found["allowed"], found["front"]) == (allowed.sum(), goals.front(table).sum())
    best = found["best"]["energy_high_uj"]
    least = np.nanmin(table["energy_high_uj"][allowed])
    first = np.flatnonzero(allowed & (table["energy_high_uj"] == least))[0]
    assert (best["value"], best["point"]) == (least, first)
    assert best["rows_lanes"] == table["rows_lanes"][first]
    assert found["best"]["utilisation_ratio"]["value"] == table["utilisation_ratio"][allowed].max()
    reasons = found["infeasible_reasons"]
    assert sum(reasons.values()) == POINTS - fits.sum() and len(reasons) == 2
    assert all(a >= b for a, b in itertools.pairwise(reasons.values()))
    lines = text(found, goals).splitlines()
    assert lines[0] == (f"{POINTS} points, {fits.sum()} fit, {allowed.sum()} within the "
                        f"constraints, {found['front']} on the front")  # fmt: skip
    assert lines[1].startswith("least energy_high_uj") and lines[2].startswith("most  util")
    assert lines[3:] == [f"{count} do not fit: {reason}" for reason, count in reasons.items()]
