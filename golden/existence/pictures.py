"""Pictures of the law and of the tickets."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from hfn_accel.plots.style import BLACK, LIGHT, SERIES, legend, new, title


def law(points: list[dict], fits: list[dict]) -> Figure:
    """Candidates against epsilon: what was measured, the fitted lines, and the least that any
    candidates need: 2^n sums cover [-1, 1] with intervals of 2 epsilon only if 2^n >= 1/epsilon."""
    figure, axes = new(8, 5)
    for line, (colour, marker, dash) in zip(fits, SERIES, strict=False):
        mine = [p for p in points if all(p[k] == line[k] for k in ("source", "delta"))]
        x = np.array([p["epsilon"] for p in mine])
        axes.plot(x, [p["candidates"] for p in mine], marker, color=colour, markersize=5,
                  fillstyle="none")  # fmt: skip
        axes.plot(x, line["slope"] * np.log(1 / x) + line["intercept"], dash, color=colour,
                  linewidth=1.2, marker=marker, markevery=[-1], fillstyle="none",
                  label=f"{line['source']}, δ = {line['delta']:g}: "
                  f"{line['slope']:.2f} ln(1/ε) + {line['intercept']:.1f}")  # fmt: skip
    axes.plot(x, np.log2(1 / x), color=BLACK, linewidth=0.8, label="counting bound: 1.44 ln(1/ε)")
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MultipleLocator(2))
    axes.grid(color=LIGHT, linewidth=0.6)
    axes.set_xlabel("error ε of a weight in [-1, 1]")
    axes.set_ylabel("candidates n")
    title(axes, "Candidates for an error of at most ε with probability 1 - δ")
    legend(figure)
    return figure


def networks(rows: list[dict]) -> Figure:
    """Accuracy of ReLU tickets against copies a channel, and of their targets."""
    figure, axes = new(8, 5)
    rows = [row for row in rows if row["activation"] == "relu"]
    styles = iter(SERIES)
    for kind in dict.fromkeys(row["target"] for row in rows):
        for form in ("float", "accelerator"):
            mine = [r for r in rows if r["target"] == kind and r["form"] == form]
            colour, marker, dash = next(styles)
            axes.plot([r["copies"] for r in mine], [100 * r["accuracy"] for r in mine], dash,
                      color=colour, marker=marker, label=f"{kind}, {form}")  # fmt: skip
        top = 100 * mine[0]["target_accuracy"]
        axes.axhline(top, color=colour, linewidth=0.9, linestyle=dash,
                     label=f"{kind} target: {top:.1f} %")  # fmt: skip
    axes.grid(color=LIGHT, linewidth=0.6)
    axes.set_xlabel("copies of a channel (candidates of a weight)")
    axes.set_ylabel("accuracy on the test digits (%)")
    axes.set_ylim(0, 106)
    title(axes, "Untrained tickets against their trained ReLU targets")
    legend(figure)
    return figure
