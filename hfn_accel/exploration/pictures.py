"""The pictures and the page of a finished sweep: whatever it asks of `plots` and `html`."""

from pathlib import Path

import numpy as np

from .. import design_report, html, plots
from ..evaluate import RUN_COLUMNS, configuration
from ..plots.labels import MAXIMISED
from .columns import REASON, WORKLOAD
from .goals import Goals
from .space import Space


def draw(table: dict[str, np.ndarray], goals: Goals, space: Space, folder: Path) -> list[Path]:
    """Of the points that the constraints allow: `pareto`; `buffer` if the mask buffer is an
    axis; `traffic`, of the best point of the first objective. As PNG and
    SVG; their paths. There must be such points.
    """
    allowed = goals.allowed(table)
    shown = {c: values[allowed | (table[REASON] != "")] for c, values in table.items()}
    (x, y), maximise = _axes(goals, table), _maximised(goals)
    figures = {"pareto": plots.pareto_plot(shown, x, y, _series(table, "activation_bits"),
                                             maximise)}  # fmt: skip
    if len(np.unique(table["mask_buffer_bytes"][allowed])) > 1:
        figures["buffer"] = plots.buffer_plot(shown, by=_series(table, "network"))
    cost = np.where(allowed, -table[y] if y in maximise else table[y], np.nan)
    if not np.isnan(cost).all():
        best = _report(table, int(np.nanargmin(cost)), space)
        figures["traffic"] = plots.traffic_plot(best)
    return plots.save_figures(figures, folder)


def write_page(path: str | Path, table: dict[str, np.ndarray], goals: Goals):
    """The interactive page of a sweep's table."""
    networks = ", ".join(dict.fromkeys(table["network"].tolist()))
    html.write(table, path, f"Exploration of {networks}", goals.objectives.columns,
               _maximised(goals))  # fmt: skip


def _maximised(goals: Goals) -> set[str]:
    """Columns of which more is better, as the sweep has it."""
    return {*MAXIMISED, *goals.objectives.maximise} - {*goals.objectives.minimise}


def _axes(goals: Goals, table: dict[str, np.ndarray]) -> tuple[str, str]:
    """Columns of the picture: area, or else the next objective, and the first objective."""
    first, *others = goals.objectives.columns
    known = (c for c in ("area_lut4", *others, "mask_buffer_bytes")
             if c != first and not np.isnan(table[c]).all())  # fmt: skip
    return next(known), first


def _series(table: dict[str, np.ndarray], default: str) -> str:
    """The first column of the workload that varies."""
    columns = WORKLOAD.values()
    return next((c for c in columns if len(set(table[c].tolist())) > 1), default)


def _report(table: dict[str, np.ndarray], i: int, space: Space) -> dict:
    """`design_report.report` of row `i`."""
    latency, batch, coded = (int(table[column][i]) for column in RUN_COLUMNS)
    workload = space.variant(int(table["point"][i])).workload
    return design_report.report(workload, configuration(table, i), latency, batch, bool(coded))
