"""Pareto fronts of two columns of a table of points (see `labels`)."""

from collections.abc import Collection

import numpy as np
from matplotlib.figure import Figure

from ..errors import HfnError
from ..exploration.columns import REASON
from ..exploration.pareto import front
from .labels import MAXIMISED, label
from .style import LIGHT, MANY_POINTS, annotate, legend, new, scale, series, title


def pareto_plot(table: dict, x: str, y: str, by: str,
                maximise: Collection[str] = MAXIMISED) -> Figure:  # fmt: skip
    """Two figures of every point that fits against each other: a front for each value of the
    column `by`, whose points compute different networks; dominated points faded.

    The array's shape stands at the best point of the front that has it. maximise: columns of which
    more is better. Raises HfnError if no point has both figures.
    """
    known = ~np.isnan(table[x].astype(float) + table[y].astype(float))
    if not known.any():
        raise HfnError(f"no point has both {x} and {y}: there is nothing to draw")
    sign_x, sign_y = (-1 if column in maximise else 1 for column in (x, y))
    across, up = (np.where(known, table[c].astype(float), np.nan) for c in (x, y))
    groups = np.array([str(value) for value in table[by]])
    figure, axes = new(9, 6)
    shapes = {}
    for name, (colour, marker, line) in series(groups[known], by).items():
        mine = np.flatnonzero(known & (groups == name))
        on = front(np.stack([sign_x * across[mine], sign_y * up[mine]]))
        faded = mine[~on]
        axes.scatter(across[faded], up[faded], s=12, color=colour, marker=marker, alpha=0.25,
                     linewidths=0, rasterized=len(table[x]) > MANY_POINTS)  # fmt: skip
        best = mine[on][np.argsort(across[mine][on])]
        axes.plot(across[best], up[best], marker=marker, linestyle=line, color=colour,
                  drawstyle="steps-pre" if x in maximise else "steps-post", markersize=5,
                  linewidth=1.2, label=f"{label(by)}: {name}")  # fmt: skip
        for i in best:
            shape = f"{table['rows_lanes'][i]:.0f}×{table['columns_channels'][i]:.0f}"
            if shape not in shapes or sign_y * up[i] < sign_y * shapes[shape][1]:
                shapes[shape] = across[i], up[i]
    scale(axes, "x", x, across[known])
    scale(axes, "y", y, up[known])
    axes.margins(x=0.06, y=0.1)
    axes.grid(color=LIGHT, linewidth=0.6)
    unfit = np.sum(table[REASON] != "") if REASON in table else 0
    title(axes, f"{known.sum():,} designs that fit, {unfit:,} that do not; dominated designs "
          f"faded; array R×C at its best point")  # fmt: skip
    legend(figure)
    annotate(figure, axes, [(text, *at) for text, at in shapes.items()])
    return figure
