"""Runs of a comparison: each of them, and their mean with its interval of confidence."""

from textwrap import wrap

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from .style import BLACK, LIGHT, legend, new, series, title

_SPREAD = 0.16  # of a group's runs around its place
_BESIDE = 0.3  # where its mean stands
_WIDEST = 24  # letters of a value in a line


def study_plot(result: dict) -> Figure:
    """Test accuracies of a study (see `hfn_accel.study`), a row for each value of its field.

    Raises HfnError if there are more values than a picture tells apart.
    """
    values = list(result["groups"])
    looks = series(values, result["field"])
    figure, axes = new(8, 1.9 + 0.75 * len(values))
    for place, value in enumerate(values):
        runs = [run["accuracy"] for run in result["runs"] if run["value"] == value]
        colour, marker, _ = looks[value]
        axes.plot(runs, place + np.linspace(-_SPREAD, _SPREAD, len(runs)), marker, color=colour,
                  markersize=6, alpha=0.8, markeredgewidth=0)  # fmt: skip
        group = result["groups"][value]
        reach = abs(np.array(group["interval"]) - group["mean"])[:, None]
        axes.errorbar(group["mean"], place + _BESIDE, xerr=reach, fmt="|", color=BLACK,
                      markersize=11, capsize=4, linewidth=1.3,
                      label="mean and its 95 % interval" if place == 0 else None)  # fmt: skip
    axes.plot([], [], "o", color=BLACK, alpha=0.8, label="a run, from the first seed downwards")
    axes.set_yticks(range(len(values)), ["\n".join(wrap(v, _WIDEST)) for v in values])
    axes.set_ylim(len(values) - 0.4, -0.5)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlabel("accuracy on the test images")
    axes.set_ylabel(result["field"])
    axes.margins(x=0.08)
    axes.grid(axis="x", color=LIGHT, linewidth=0.6)
    p = result["variance"]["p"]
    title(axes, f"{result['dataset']}, {result['arch']}\n{len(result['seeds'])} seeds each; one-way"
          f" analysis of variance: {'no spread' if p is None else f'p = {p:.2g}'}")  # fmt: skip
    legend(figure)
    return figure
