"""Where cycles and bytes go: stacked bars of a `hfn_accel.design_report.report`, a bar a layer, a
block or a way of holding the weights. Parts are told apart by hatches too."""

from collections.abc import Callable

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter

from .style import (
    BLACK,
    BLUE,
    BROWN,
    GREEN,
    GREY,
    LIGHT,
    ORANGE,
    PINK,
    SKY,
    YELLOW,
    kib,
    legend,
    new,
    title,
)

CAUSES = {  # cause -> name, colour, hatch
    "compute": ("compute", BLUE, ""), "pool": ("pool", BROWN, "xx"), "fill": ("fill", SKY, "///"),
    "stall": ("stall", ORANGE, "\\\\\\"), "drain": ("drain", PINK, "oo"),
    "mask": ("mask", GREEN, "//"), "parameter": ("parameter", YELLOW, ".."),
    "descriptor": ("descriptor", BLACK, ""), "load": ("load", GREY, "--"),
    "store": ("store", LIGHT, ""),
}  # fmt: skip
CLASSES = {  # class -> name, colour, hatch
    "mask": ("masks", GREEN, "//"), "weight": ("explicit weights", ORANGE, "\\\\\\"),
    "parameter": ("normalisation parameters", YELLOW, ".."),
    "activation_read": ("activations read", BLUE, ""),
    "activation_write": ("activations written", SKY, "///"),
    "descriptor": ("descriptors", BLACK, ""),
}  # fmt: skip
MOST_BARS = 32  # of a figure: more layers than that are drawn block by block


def cycles_plot(report: dict) -> Figure:
    """Where the cycles go: by cause, a bar a layer or block, its utilisation at the end."""
    figure, axes = _where(report, "cycles_by_cause", CAUSES, 1, lambda r: f"{r['utilisation']:.1%}")
    axes.set_xlabel(f"clock cycles {_run(report)}")
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    title(
        axes,
        f"{report['network']}: {report['cycles']:,} cycles {_run(report)} on {report['pe']}\n"
        f"(utilisation {report['utilisation']:.1%}, and at each bar)",
    )
    return figure


def bytes_plot(report: dict) -> Figure:
    """Where the bytes go: by class, a bar a layer or block."""
    figure, axes = _where(report, "bytes", CLASSES, 1024, lambda r: kib(r["bytes"]["total"] / 1024))
    axes.set_xlabel(f"memory traffic {_run(report)} (KiB)")
    axes.xaxis.set_major_formatter(FuncFormatter(kib))
    title(axes, f"{report['network']}: {kib(report['bytes']['total'] / 1024)} KiB moved "
          f"{_run(report)} on {report['pe']}")  # fmt: skip
    return figure


def traffic_plot(report: dict) -> Figure:
    """Bytes moved by class, this design against the baselines."""
    rows, moved = report["baselines"], report["bytes"]
    figure, axes = new(9, 1.6 + 0.45 * len(rows))
    weights = np.array([b["moved"] for b in rows.values()]) / 1024
    parts = [("weights or masks", *CLASSES["mask"][1:], weights)]
    for key, alike in (("parameter", "parameter"), ("activation", "activation_read"),
                       ("descriptor", "descriptor")):  # fmt: skip
        name, *look = CLASSES[alike]
        name = "activations" if key == "activation" else name
        parts.append((name, *look, np.full(len(rows), moved[key] / 1024)))
    ends = _stacked(axes, list(rows), parts)
    ours = moved["total"] / 1024
    _at_ends(axes, ends, (f"{value:,.0f} KiB ({value / ours:.2f}×)" for value in ends))
    axes.set_xlim(0, ends.max() * 1.25)
    axes.set_xlabel(f"memory traffic {_run(report)} (KiB)")
    axes.xaxis.set_major_formatter(FuncFormatter(kib))
    buffer = kib(report["config"]["mask_bytes"] / 1024)
    title(axes, f"bytes moved {_run(report)} on {report['pe']} with {buffer} KiB of mask buffer")
    legend(figure)
    return figure


def bars(report: dict) -> list[dict]:
    """The layers, or the blocks where there are too many, without what belongs to no layer."""
    fewest = report["layers"] if len(report["layers"]) <= MOST_BARS else report["blocks"]
    return [row for row in fewest if row["name"] not in ("begin", "end")]


def _run(report: dict) -> str:
    """What the figures are of."""
    return "an image" if report["batch"] == 1 else f"a run of {report['batch']} images"


def _where(report: dict, figures: str, parts: dict, scale: int, text: Callable[[dict], str]):
    """Stacked bars of `figures` / `scale` in each row of the report, `text(row)` at its end;
    parts: key -> name, colour, hatch."""
    rows = bars(report)
    figure, axes = new(9, 1.5 + 0.27 * len(rows))
    values = {key: np.array([row[figures][key] for row in rows]) / scale for key in parts}
    ends = _stacked(axes, [row["name"] for row in rows],
                    [(*parts[key], v) for key, v in values.items() if v.any()])  # fmt: skip
    _at_ends(axes, ends, map(text, rows))
    legend(figure)
    return figure, axes


def _stacked(axes, labels: list[str], parts: list[tuple[str, str, str, np.ndarray]]) -> np.ndarray:
    """Horizontal bars, the first label on top; parts: name, colour, hatch, one value a bar.
    Returns where the bars end."""
    left = np.zeros(len(labels))
    for name, colour, hatch, values in parts:
        edge = "white" if np.mean(to_rgb(colour)) < 0.5 else BLACK
        axes.barh(labels, values, left=left, facecolor=colour, edgecolor=edge, linewidth=0,
                  hatch=hatch, label=name, height=0.72)  # fmt: skip
        left += values
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(0, left.max() * 1.12)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=LIGHT, linewidth=0.6)
    return left


def _at_ends(axes, ends, texts):
    for y, (end, text) in enumerate(zip(ends, texts, strict=True)):
        axes.annotate(text, (end, y), (4, 0), textcoords="offset points", va="center", fontsize=9)
