"""Plots of estimates and explorations. Figures without pyplot: no global state, no display."""

import io
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator

from .files import atomic_write

# Okabe and Ito's colours, told apart by colour-blind readers too.
BLUE, ORANGE, GREEN, YELLOW = "#0072b2", "#d55e00", "#009e73", "#f0b800"
SKY, PINK, GREY, BLACK, LIGHT = "#56b4e9", "#cc79a7", "#8a8a8a", "#222222", "#d9d9d9"
BROWN = "#7a4a1e"  # not theirs, but darker than all but black

CAUSE_COLOURS = {
    "compute": BLUE, "pool": BROWN, "fill": SKY, "stall": ORANGE, "drain": PINK, "mask": GREEN,
    "parameter": YELLOW, "descriptor": BLACK, "load": GREY, "store": LIGHT,
}  # fmt: skip
CLASS_COLOURS = {
    "mask": ("masks", GREEN), "weight": ("explicit weights", ORANGE),
    "parameter": ("normalisation parameters", YELLOW),
    "activation_read": ("activations read", BLUE),
    "activation_write": ("activations written", SKY), "descriptor": ("descriptors", BLACK),
}  # fmt: skip
MOST_BARS = 32  # of a figure: more layers than that are drawn block by block
BITS_COLOURS = (BLUE, ORANGE, GREEN, PINK, BLACK, YELLOW, SKY, GREY)


def save(figure: Figure, path: str | Path):
    """Write a PNG, at once or not at all."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=150)
    atomic_write(path, data.getvalue())


def save_all(report: dict, folder: Path) -> list[Path]:
    """Every figure of an `estimate.report`, written into `folder`; their paths."""
    figures = {"cycles": cycles_plot, "bytes": bytes_plot, "traffic": traffic_plot}
    paths = {folder / f"{name}.png": draw(report) for name, draw in figures.items()}
    for path, figure in paths.items():
        save(figure, path)
    return list(paths)


def _figure(width: float, height: float):
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    return figure, axes


def _stacked(axes, labels: list[str], parts: dict[str, tuple[str, np.ndarray]]):
    """Horizontal bars, the first label on top; `parts`: name -> (colour, one value a bar)."""
    left = np.zeros(len(labels))
    for name, (colour, values) in parts.items():
        axes.barh(labels, values, left=left, color=colour, label=name, height=0.72)
        left += values
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(0, left.max() * 1.12)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=LIGHT, linewidth=0.6)
    return left


def _kib(value, _position=None) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def _bars(report: dict) -> list[dict]:
    """The layers, or the blocks where there are too many, without what belongs to no layer."""
    fewest = report["layers"] if len(report["layers"]) <= MOST_BARS else report["blocks"]
    return [row for row in fewest if row["name"] not in ("begin", "end")]


def _run(report: dict) -> str:
    """What the figures are of."""
    return "an image" if report["batch"] == 1 else f"a run of {report['batch']} images"


def cycles_plot(report: dict) -> Figure:
    """Where the cycles go: by cause, a bar a layer or block, from `hfn_accel.estimate.report`."""
    parts = {cause: (cause, colour) for cause, colour in CAUSE_COLOURS.items()}
    figure, axes = _where(report, "cycles_by_cause", parts, 1, lambda r: f"{r['utilisation']:.1%}")
    axes.set_xlabel(f"clock cycles {_run(report)}")
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    axes.set_title(
        f"{report['network']}: {report['cycles']:,} cycles {_run(report)} on {report['pe']}\n"
        f"(utilisation {report['utilisation']:.1%}, and at each bar)", loc="left", fontsize=11,
    )  # fmt: skip
    return figure


def bytes_plot(report: dict) -> Figure:
    """Where the bytes go: by class, a bar a layer or block, from `hfn_accel.estimate.report`."""
    figure, axes = _where(report, "bytes", CLASS_COLOURS, 1024,
                          lambda row: _kib(row["bytes"]["total"] / 1024))  # fmt: skip
    axes.set_xlabel(f"memory traffic {_run(report)} (KiB)")
    axes.xaxis.set_major_formatter(FuncFormatter(_kib))
    axes.set_title(
        f"{report['network']}: {_kib(report['bytes']['total'] / 1024)} KiB moved {_run(report)} on "
        f"{report['pe']}", loc="left", fontsize=11,
    )  # fmt: skip
    return figure


def _where(report: dict, figures: str, parts: dict[str, tuple[str, str]], unit: int, label):
    """Stacked bars of `figures` in each row of the report, `label(row)` at its end; `parts`:
    key -> (name, colour)."""
    rows = _bars(report)
    figure, axes = _figure(9, 1.5 + 0.27 * len(rows))
    values = {key: np.array([row[figures][key] for row in rows]) / unit for key in parts}
    bars = {parts[k][0]: (parts[k][1], v) for k, v in values.items() if v.any()}
    total = _stacked(axes, [row["name"] for row in rows], bars)
    _at_ends(axes, total, map(label, rows))
    _legend(figure)
    return figure, axes


def _at_ends(axes, ends, texts):
    for y, (end, text) in enumerate(zip(ends, texts, strict=True)):
        axes.annotate(text, (end, y), (4, 0), textcoords="offset points", va="center", fontsize=9)


def _legend(figure: Figure):
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=9)


def traffic_plot(report: dict) -> Figure:
    """Bytes moved by class, this design against the baselines, from `estimate.report`."""
    rows, moved = report["baselines"], report["bytes"]
    figure, axes = _figure(9, 1.6 + 0.45 * len(rows))
    fixed = (("parameter", "normalisation parameters", YELLOW), ("activation", "activations", BLUE),
             ("descriptor", "descriptors", BLACK))  # fmt: skip
    weights = np.array([b["moved"] for b in rows.values()])
    parts = {"weights or masks": (GREEN, weights / 1024)}
    for name, label, colour in fixed:
        parts[label] = (colour, np.full(len(rows), moved[name] / 1024))
    total = _stacked(axes, list(rows), parts)
    ours = moved["total"] / 1024
    _at_ends(axes, total, (f"{value:,.0f} KiB ({value / ours:.2f}×)" for value in total))
    axes.set_xlim(0, total.max() * 1.25)
    axes.set_xlabel(f"memory traffic {_run(report)} (KiB)")
    axes.xaxis.set_major_formatter(FuncFormatter(_kib))
    buffer = _kib(report["config"]["mask_bytes"] / 1024)
    axes.set_title(f"bytes moved {_run(report)} on {report['pe']} with {buffer} KiB of mask buffer",
                   loc="left", fontsize=11)  # fmt: skip
    _legend(figure)
    return figure


def pareto_plot(table: dict) -> Figure:
    """Cycles against area of a `dse.sweep`; dominated points faded, a front for each act_bits."""
    figure, axes = _figure(9, 6)
    area, cycles = table["area_proxy_bytes"] / 1024, table["cycles"] / 1e6
    values = sorted(set(table["act_bits"]), key=lambda b: (b != "own", str(b)))
    fits = ~np.isnan(cycles.astype(float))
    labels = {}
    for bits, colour in zip(values, BITS_COLOURS, strict=False):
        mine = (table["act_bits"] == bits) & fits
        front = mine & table["pareto"]
        if not mine.any():
            continue
        axes.scatter(area[mine & ~front], cycles[mine & ~front], s=14, color=colour, alpha=0.22,
                     linewidths=0)  # fmt: skip
        order = np.argsort(area[front])
        x, y = area[front][order], cycles[front][order]
        name = "the ticket's own" if bits == "own" else bits
        axes.plot(x, y, "o-", drawstyle="steps-post", color=colour, markersize=5, linewidth=1.2,
                  label=f"activation bits: {name}")  # fmt: skip
        for i in np.flatnonzero(front):
            shape = f"{table['rows_lanes'][i]:.0f}×{table['columns_channels'][i]:.0f}"
            low = labels.get(shape)
            if low is None or cycles[i] < low[1]:
                labels[shape] = (area[i], cycles[i])
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(LogLocator(base=2, subs=(1, 1.25, 1.5, 1.75)))
    axes.xaxis.set_major_formatter(FuncFormatter(_kib))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axes.margins(x=0.06, y=0.1)
    axes.grid(color=LIGHT, linewidth=0.6)
    axes.set_xlabel("area proxy: buffers + array positions (KiB of buffer)")
    axes.set_ylabel("million clock cycles an image")
    axes.set_title(f"{fits.sum()} designs that fit, {len(fits) - fits.sum()} that do not; "
                   "dominated designs faded", loc="left", fontsize=11)  # fmt: skip
    _legend(figure)
    _label(figure, axes, labels)
    return figure


def _label(figure: Figure, axes, labels: dict[str, tuple[float, float]]):
    """Texts under their points, moved down until they do not overlap."""
    figure.draw_without_rendering()  # settles the layout
    placed = []
    for text, at in sorted(labels.items(), key=lambda item: -item[1][1]):
        x, y = axes.transData.transform(at) * 72 / figure.dpi
        y -= 14
        while any(abs(x - a) < 34 and abs(y - b) < 10 for a, b in placed):
            y -= 2
        placed.append((x, y))
        below = y - axes.transData.transform(at)[1] * 72 / figure.dpi
        axes.annotate(text, at, (0, below), textcoords="offset points", fontsize=8, ha="center",
                      color=BLACK)  # fmt: skip
