"""Buffer size against traffic: a step curve a network."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from ..errors import HfnError
from .labels import label
from .style import BLACK, LIGHT, annotate, bytes_text, legend, new, scale, series, title


def folded_masks(report: dict) -> dict[str, int]:
    """Bytes of the masks of each folded block, by stage, from a `design_report.report` of a design
    whose mask buffer holds them: the first iteration fetches all of them, once."""
    firsts = [row for row in report["blocks"] if row["name"].endswith("[1]")]
    return {row["name"].split(".")[0]: row["bytes"]["mask"] + row["bytes"]["weight"]
            for row in firsts}  # fmt: skip


def buffer_plot(
    table: dict,
    buffer: str = "mask_buffer_bytes",
    traffic: str = "total_moved_bytes",
    by: str = "network",
    masks: dict[str, dict[str, int]] | None = None,
) -> Figure:
    """The least traffic of the points of a table with each size of the column `buffer`, a curve
    for each value of `by`, the size from which it is least, and the compulsory traffic where the
    table has it.

    masks: value of `by` -> stage -> bytes of its folded masks (see `folded_masks`), marked where
    the curve passes them. Raises HfnError if no point fits.
    """
    fits = ~np.isnan(table[traffic].astype(float))
    if not fits.any():
        raise HfnError("no point fits: there is nothing to draw")
    groups = np.array([str(value) for value in table[by]])
    figure, axes = new(9, 5.5)
    notes = []
    for name, (colour, marker, line) in series(groups[fits], by).items():
        mine = fits & (groups == name)
        sizes = np.unique(table[buffer][mine].astype(float))
        least = np.array([table[traffic][mine & (table[buffer] == s)].min() for s in sizes], float)
        axes.plot(sizes, least, marker=marker, linestyle=line, color=colour, linewidth=1.4,
                  markersize=5, drawstyle="steps-post", label=name)  # fmt: skip
        enough = np.argmin(least)
        notes.append((f"least from {bytes_text(sizes[enough])} on: {bytes_text(least[enough])}",
                      sizes[enough], least[enough]))  # fmt: skip
        if traffic == "total_moved_bytes" and "compulsory_bytes" in table:
            bound = table["compulsory_bytes"][mine].astype(float).min()
            axes.axhline(bound, color=colour, linestyle=line, linewidth=0.6)
            notes.append((f"compulsory: {bytes_text(bound)}", sizes[0], bound))
        for stage, size in (masks or {}).get(name, {}).items():
            if sizes[0] <= size <= sizes[-1]:
                at = least[np.searchsorted(sizes, size, "right") - 1]
                axes.plot(size, at, marker="d", color=BLACK, markersize=6)
                notes.append((f"{stage}'s folded masks: {bytes_text(size)}", size, at))
    scale(axes, "x", buffer, table[buffer][fits].astype(float))
    scale(axes, "y", traffic, table[traffic][fits].astype(float))
    axes.margins(x=0.06, y=0.15)
    if axes.get_yscale() == "linear":  # from 0, in some eight steps
        axes.set_ylim(bottom=0)
        step = 2 ** np.ceil(np.log2(table[traffic][fits].astype(float).max() / 8))
        axes.yaxis.set_major_locator(MultipleLocator(step))
    axes.grid(color=LIGHT, linewidth=0.6)
    title(axes, f"{label(traffic)} against {label(buffer)}, other things as they serve best")
    legend(figure)
    annotate(figure, axes, notes)
    return figure
