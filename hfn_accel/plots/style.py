"""What all pictures share: marks that survive print in grey, texts that do not meet, and files.

Figures without pyplot: no global state, no display.
"""

import io
from collections.abc import Iterable
from pathlib import Path as FilePath

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cbook import STEP_LOOKUP_MAP
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.ticker import (
    EngFormatter,
    FuncFormatter,
    LogLocator,
    MultipleLocator,
    NullFormatter,
)
from matplotlib.transforms import Bbox

from ..errors import HfnError
from ..files import atomic_write
from .labels import label, unit

# Okabe and Ito's colours, told apart by colour-blind readers too.
BLUE, ORANGE, GREEN, YELLOW = "#0072b2", "#d55e00", "#009e73", "#f0b800"
SKY, PINK, GREY, BLACK, LIGHT = "#56b4e9", "#cc79a7", "#8a8a8a", "#222222", "#d9d9d9"
BROWN = "#7a4a1e"  # not theirs, but darker than all but black

SERIES = tuple(zip(
    (BLUE, ORANGE, GREEN, PINK, BLACK, YELLOW, SKY, GREY) * 2,
    ("o", "s", "^", "D", "v", "P", "X", "<", "s", "o", "D", "^", "P", "v", "<", "X"),
    ("-", "--", "-.", ":") * 4, strict=True,
))  # fmt: skip
"""Colour, marker and line style of each series of a picture; colour is never alone."""

MANY_POINTS = 2000
"""More than these are drawn as an image within an SVG, which stays small."""

_CLEAR = 8  # pixels between a point and its text
_AROUND = np.array([
    place for n in range(1, 9)
    for place in ((0, -n), (0, n), (1, 1 - n), (-1, n - 1), (1, n - 1), (-1, 1 - n))
])  # fmt: skip
"""Where a text may go from its point, in its own half sizes, the nearest first."""

_SVG = {"svg.hashsalt": "hfn_accel"}  # so that the same picture is the same file
_FORMATS = {".png": {"Software": None}, ".svg": {"Date": None, "Creator": None}}


def save(figure: Figure, path: str | FilePath):
    """Write a PNG or an SVG, as the path ends, at once or not at all; the same bytes every time.

    Raises HfnError for another ending, or if the place is unwritable.
    """
    ending = FilePath(path).suffix.lower()
    if ending not in _FORMATS:
        raise HfnError(f"a picture's file must end in {' or '.join(_FORMATS)}: {path}")
    data = io.BytesIO()
    with rc_context(_SVG):
        figure.savefig(data, format=ending[1:], dpi=150, metadata=_FORMATS[ending])
    atomic_write(path, data.getvalue())


def save_figures(figures: dict[str, Figure], folder: FilePath) -> list[FilePath]:
    """Every figure as PNG and as SVG; the files' paths."""
    paths = []
    for name, figure in figures.items():
        for ending in _FORMATS:
            paths.append(folder / f"{name}{ending}")
            save(figure, paths[-1])
    return paths


def new(width: float, height: float):
    """An empty figure, in inches, and its axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    return figure, axes


def title(axes, text: str):
    axes.set_title(text, loc="left", fontsize=11)


def legend(figure: Figure):
    """Below the axes, where it covers nothing, in as many columns as its texts leave room for."""
    longest = max(len(text) for text in figure.axes[0].get_legend_handles_labels()[1])
    columns = max(1, int(figure.get_figwidth() * 13 / (longest + 7)))
    figure.legend(loc="outside lower center", ncols=min(columns, 5), frameon=False, fontsize=9)


def kib(value: float, _position=None) -> str:
    """A number of KiB without a needless digit."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def bytes_text(value: float, _position=None) -> str:
    """A size with its binary unit: "96 KiB"."""
    for power, name in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if value >= 1024**power:
            return f"{value / 1024**power:.3g} {name}"
    return f"{value:g} B"


def scale(axes, which: str, column: str, values: np.ndarray):
    """The axis "x" or "y" for a column: its label with the unit, ticks in that unit, logarithmic
    where the values are positive and span more than a factor of 20."""
    axis = getattr(axes, f"{which}axis")
    low, high = np.min(values), np.max(values)
    size = unit(column).startswith("bytes")
    axis.set_label_text(label(column))
    if low > 0 and high > 20 * low:
        binary = size or not np.any(np.log2(values) % 1)
        getattr(axes, f"set_{which}scale")("log", base=2 if binary else 10)
        if binary:
            axis.set_major_locator(LogLocator(base=2, numticks=10))
        axis.set_minor_formatter(NullFormatter())
    elif size and high > low:
        axis.set_major_locator(MultipleLocator(2 ** np.ceil(np.log2((high - low) / 8))))
    if size:
        axis.set_major_formatter(FuncFormatter(bytes_text))
    elif high >= 10_000:
        axis.set_major_formatter(EngFormatter(sep=" "))
    else:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def series(values: Iterable[str], what: str) -> dict[str, tuple[str, str, str]]:
    """Each distinct value with its colour, marker and line style; short ones first, so that
    numbers are in order. Raises HfnError if there are more than can be told apart."""
    distinct = sorted(set(values), key=lambda value: (len(value), value))
    if len(distinct) > len(SERIES):
        raise HfnError(f"{what} has {len(distinct)} values, and a picture tells {len(SERIES)} "
                       "apart: choose another column or fewer points")  # fmt: skip
    return dict(zip(distinct, SERIES, strict=False))


def annotate(figure: Figure, axes, texts: Iterable[tuple[str, float, float]], size: float = 8):
    """Each text beside its point (x, y in data): never over another text, and where it crosses the
    fewest lines and covers the fewest points; left out where there is no place. Call it last: it
    settles the layout."""
    texts = list(texts)
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    inside = axes.get_window_extent(renderer)
    to_pixels = axes.transData.transform
    lines = [Path(to_pixels(np.transpose(STEP_LOOKUP_MAP[line.get_drawstyle()](*line.get_data()))))
             for line in axes.lines if len(line.get_xdata())]  # fmt: skip
    marks = np.concatenate([np.zeros((0, 2)), *(line.get_xydata() for line in axes.lines),
                            *(points.get_offsets() for points in axes.collections)])  # fmt: skip
    marks = to_pixels(marks)
    taken = [other.get_window_extent(renderer) for other in axes.texts]

    def cost(box: Bbox) -> float:
        outside = not (inside.contains(*box.min) and inside.contains(*box.max))
        if outside or box.count_overlaps(taken):
            return np.inf
        wide = box.padded(_CLEAR / 2)
        covered = np.all((wide.min < marks) & (marks < wide.max), axis=1).sum()
        return covered + 1000 * sum(line.intersects_bbox(box, filled=False) for line in lines)

    for text, *data in texts:
        at = to_pixels(data)
        probe = figure.text(0, 0, text, fontsize=size)
        half = probe.get_window_extent(renderer).size / 2
        probe.remove()
        centres = at + _AROUND * (half + _CLEAR)
        box = min((Bbox([c - half, c + half]) for c in centres), key=cost)
        if cost(box) == np.inf:
            continue
        taken.append(box)
        offset = ((box.min + box.max) / 2 - at) * 72 / figure.dpi
        axes.annotate(text, data, offset, textcoords="offset points", fontsize=size, color=BLACK,
                      ha="center", va="center",
                      arrowprops={"arrowstyle": "-", "lw": 0.5, "color": GREY})  # fmt: skip
