"""Rooflines: how many bit operations a clock a design attains, against how many it has for each
byte that crosses a named level of memory.

A bit operation is one bit of an activation taken by one position of the array: a run needs
multiply-accumulates * activation bits * coats of them, and the array does at most R * C a clock. A
level moves at most `bandwidth` bytes a clock. So no design is above the roof

    min(R * C, intensity * bandwidth), intensity = bit operations / bytes.

Cycles are the counted ones, of which every cause is part. The levels:

"bus"          the memory bus, which reads and writes at the same time: the bytes of the busier
               direction, at a beat a clock.
"mask buffer"  the rows of C mask bits that are read to build tiles, at a row a clock.
"""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ..errors import HfnError
from .style import BLACK, LIGHT, MANY_POINTS, annotate, legend, new, series, title
from .where import bars

LEVELS = ("bus", "mask buffer")


class Points(NamedTuple):
    """Columns, one entry a point. work: bit operations; moved: bytes at the level; cycles: clocks;
    peak: bit operations a clock of the array; bandwidth: bytes a clock of the level."""

    work: np.ndarray
    moved: np.ndarray
    cycles: np.ndarray
    peak: np.ndarray
    bandwidth: np.ndarray

    @property
    def intensity(self) -> np.ndarray:
        """Bit operations a byte."""
        return self.work / self.moved

    @property
    def attained(self) -> np.ndarray:
        """Bit operations a clock."""
        return self.work / self.cycles

    @property
    def roof(self) -> np.ndarray:
        """The most that is attainable at each point's intensity, in bit operations a clock."""
        return np.minimum(self.peak, self.intensity * self.bandwidth)

    @property
    def waited(self) -> np.ndarray:
        """Clocks that each point takes where it stands alone: its own and, if those are fewer,
        those that its bytes need at the level."""
        return np.maximum(self.cycles, self.moved / self.bandwidth)


def of_table(table: dict, level: str = "bus") -> Points:
    """Whole designs: the points of a table that fit. Raises HfnError for an unknown level, and at
    the mask buffer for a table without the column `tile_rows`."""
    if level not in LEVELS:
        raise HfnError(f"the level of a roofline is one of {', '.join(LEVELS)}, not {level!r}")
    if level == "mask buffer" and "tile_rows" not in table:
        raise HfnError("a roofline at the mask buffer needs the column tile_rows")
    fits = ~np.isnan(table["cycles"].astype(float))

    def column(name: str) -> np.ndarray:
        return table[name][fits].astype(float)

    cycles, columns = column("cycles"), column("columns_channels")
    peak = column("rows_lanes") * columns
    work = np.rint(column("utilisation_ratio") * cycles * peak)
    if level == "bus":
        bandwidth = column("bus_bits") / 8
        moved = _busier(column("total_moved_bytes"), column("activation_write_moved_bytes"))
    else:
        bandwidth = columns / 8
        moved = column("tile_rows") * bandwidth
    return Points(work, moved, cycles, peak, bandwidth)


def of_rows(report: dict, rows: list[dict]) -> Points:
    """Rows of a `design_report.report`, or the report itself, at the bus."""
    peak = report["config"]["rows"] * report["config"]["columns"]
    bandwidth = report["config"]["axi_data_width"] / 8
    cycles = np.array([row["cycles"] for row in rows], float)
    work = np.rint([row["utilisation"] for row in rows] * cycles * peak)
    moved = [_busier(row["bytes"]["total"], row["bytes"]["activation_write"]) for row in rows]
    return Points(work, np.array(moved, float), cycles, np.full(len(rows), float(peak)),
                  np.full(len(rows), bandwidth))  # fmt: skip


def _busier(total, written):
    return np.maximum(total - written, written)


def roofline_of_report(report: dict) -> Figure:
    """The layers or blocks of a run, and the whole run (the star), at the bus.

    A part whose bytes came in while others computed may take fewer clocks than its own bytes
    need: it is drawn hollow, where it would be by itself, on the roof.
    """
    rows = [row for row in bars(report) if row["utilisation"]]
    points, whole = of_rows(report, rows), of_rows(report, [report])
    figure, axes = new(9, 6)
    _roof(axes, points, points, BLACK, "-")
    ahead = points.waited > points.cycles
    stages = np.array([row["name"].split(".")[0] for row in rows])
    for stage, (colour, marker, _) in series(stages, "the network").items():
        for some, inside in ((~ahead, colour), (ahead, "none")):
            mine = (stages == stage) & some
            axes.scatter(points.intensity[mine], (points.work / points.waited)[mine], s=36,
                         marker=marker, edgecolors=colour, facecolors=inside, zorder=3)  # fmt: skip
        axes.scatter([], [], marker=marker, color=colour, label=stage)
    axes.plot(whole.intensity, whole.attained, "*", color=BLACK, markersize=14,
              markeredgecolor="white", zorder=4, label="whole run")  # fmt: skip
    if ahead.any():
        axes.scatter([], [], marker="o", edgecolors=BLACK, facecolors="none",
                     label="fetched ahead, while others computed")  # fmt: skip
    _finish(figure, axes, points, "bus")
    title(axes, f"{report['network']} on {report['pe']}: {whole.attained[0]:,.1f} of "
          f"{whole.roof[0]:,g} attainable bit operations a clock")  # fmt: skip
    annotate(figure, axes, [_knee(points)])
    return figure


def roofline_plot(table: dict, level: str = "bus") -> Figure:
    """Whole designs, the points of a table, each below the roof of its array and of the level."""
    points = of_table(table, level)
    if not len(points.work):
        raise HfnError("no point fits: there is nothing to draw")
    figure, axes = new(9, 6)
    roofs = np.array([f"{p:,.0f} positions, {b:g} B a clock"
                      for p, b in zip(points.peak, points.bandwidth, strict=True)])  # fmt: skip
    knees = []
    for name, (colour, marker, line) in series(roofs, "the array and its level").items():
        mine = Points(*(column[roofs == name] for column in points))
        _roof(axes, mine, points, colour, line)
        axes.scatter(mine.intensity, mine.attained, s=14, color=colour, marker=marker, alpha=0.5,
                     linewidths=0, rasterized=len(roofs) > MANY_POINTS)  # fmt: skip
        axes.plot([], [], color=colour, marker=marker, linestyle=line, label=name)
        knees.append(_knee(mine))
    _finish(figure, axes, points, level)
    title(axes, f"{len(roofs):,} designs below their rooflines at the {level}")
    annotate(figure, axes, knees)
    return figure


def _roof(axes, points: Points, everything: Points, colour: str, line: str):
    """The roof of points that share it, wide enough for everything."""
    x = [*everything.intensity, *(everything.peak / everything.bandwidth)]
    ends = np.array([min(x) / 2, max(x) * 2])
    x = np.insert(ends, 1, points.peak[0] / points.bandwidth[0])
    axes.plot(x, np.minimum(points.peak[0], x * points.bandwidth[0]), color=colour, linestyle=line,
              linewidth=1.2)  # fmt: skip


def _knee(points: Points) -> tuple[str, float, float]:
    peak, knee = points.peak[0], points.peak[0] / points.bandwidth[0]
    return f"knee: {knee:,g} a byte", knee, peak


def _finish(figure: Figure, axes, points: Points, level: str):
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(np.min(points.work / points.waited) / 2, points.peak.max() * 2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.grid(color=LIGHT, linewidth=0.6)
    busier = ", its busier direction" if level == "bus" else ""
    axes.set_xlabel(f"intensity (bit operations a byte at the {level}{busier})")
    axes.set_ylabel("attained (bit operations a clock)")
    legend(figure)
