"""What a finished sweep found, in figures and as text."""

from collections import Counter

import numpy as np

from .columns import DESIGN_COLUMNS, REASON
from .goals import Goals

_REASONS = 3  # the commonest


def summary(table: dict[str, np.ndarray], goals: Goals) -> dict:
    """Numbers of points, the best point for each objective, and why points are infeasible.

    table: at least `goals.columns` and what says a design; `best`: objective -> its value, the
    first point that has it, and that point's design.
    """
    allowed, reasons = goals.allowed(table), Counter(table[REASON].tolist())
    feasible = reasons.pop("", 0)
    best, costs = {}, goals.objectives.costs(table)
    for column, cost in zip(goals.objectives.columns, costs, strict=True):
        if known := np.flatnonzero(allowed & ~np.isnan(cost)).tolist():
            i = known[int(np.argmin(cost[known]))]
            design = {c: int(table[c][i]) for c in DESIGN_COLUMNS}
            best[column] = {"value": float(table[column][i]), "point": int(table["point"][i]),
                            "network": table["network"][i], **design}  # fmt: skip
    return {
        "points": len(allowed), "feasible": feasible, "allowed": int(allowed.sum()),
        "front": int(goals.front(table).sum()), "best": best,
        "infeasible_reasons": dict(reasons.most_common()),
    }  # fmt: skip


def text(found: dict, goals: Goals) -> str:
    """`summary` for a terminal."""
    within = f", {found['allowed']:,} within the constraints" if goals.constraints else ""
    lines = [f"{found['points']:,} points, {found['feasible']:,} fit{within}, "
             f"{found['front']:,} on the front"]  # fmt: skip
    for column, best in found["best"].items():
        least = "most" if column in goals.objectives.maximise else "least"
        shape = f"{best['rows_lanes']}x{best['columns_channels']}"
        lines.append(f"{least:5} {column:20}{best['value']:16,.6g}  point {best['point']}: "
                     f"{best['network']} on {shape}")  # fmt: skip
    for reason, count in list(found["infeasible_reasons"].items())[:_REASONS]:
        lines.append(f"{count:,} do not fit: {reason}")
    return "\n".join(lines)
