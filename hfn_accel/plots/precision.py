"""What a precision search found: cycles against accuracy, and what fewer bits a layer cost."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import EngFormatter, PercentFormatter

from .style import BLACK, BLUE, GREY, LIGHT, ORANGE, legend, new, title


def precision_plot(result: dict) -> Figure:
    """Cycles and accuracies of a search (see `hfn_accel.precision`): every network that was
    measured, the way of the search, the bits of the training, and what was chosen."""
    points, trained, chosen = result["points"], result["trained"], result["chosen"]
    way = [p for p in points if p["step"] is not None]
    figure, axes = new(8, 5)
    for some, marks, label in (
        ([p for p in points if p["step"] is None], {"marker": ".", "color": GREY, "alpha": 0.5,
                                                    "linestyle": ""}, "measured, not taken"),
        (way, {"marker": "o", "color": BLUE, "markersize": 4, "linewidth": 1.2}, "taken"),
        ([trained], {"marker": "D", "color": BLACK, "markersize": 7, "linestyle": ""},
         "bits of the training"),
        ([chosen], {"marker": "*", "color": ORANGE, "markersize": 15, "linestyle": ""}, "chosen"),
    ):  # fmt: skip
        axes.plot([p["cycles"] for p in some], [p["accuracy"] for p in some], label=label, **marks)
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlabel(f"clock cycles an image on {result['pe']}")
    axes.set_ylabel(f"accuracy on {result['images']:,} {result['which']}")
    axes.margins(0.06)
    axes.grid(color=LIGHT, linewidth=0.6)
    fewer = 1 - chosen["cycles"] / way[0]["cycles"]
    title(axes, f"{result['dataset']}, {result['arch']}: {fewer:.0%} fewer cycles than with "
          "the most bits everywhere")  # fmt: skip
    legend(figure)
    return figure


def sensitivity_plot(result: dict) -> Figure:
    """Accuracy, in points, that each layer loses with fewer bits while the others have the most;
    what the search chose is framed. Empty where fewer bits save no cycles."""
    way = [p for p in result["points"] if p["step"] is not None]
    widest = way[0]["act_bits"].split(",")
    losses = {}
    for p in result["points"]:
        different = [i for i, b in enumerate(p["act_bits"].split(",")) if b != widest[i]]
        if len(different) == 1:
            (layer,) = different
            width = int(p["act_bits"].split(",")[layer])
            losses[layer, width] = 100 * (way[0]["accuracy"] - p["accuracy"])
    names, chosen = result["layers"], result["chosen"]["act_bits"].split(",")
    widths = sorted({w for _, w in losses} | {int(b) for b in (*widest, *chosen) if b != "b"})
    widths = widths or [1]  # all layers are bipolar
    table = np.full((len(names), len(widths)), np.nan)
    for (layer, width), loss in losses.items():
        table[layer, widths.index(width)] = loss
    figure, axes = new(2.6 + 0.75 * len(widths), 1.5 + 0.27 * len(names))
    top = max(np.nanmax(table, initial=0), 1)
    axes.imshow(table, cmap="Oranges", vmin=0, vmax=top, aspect="auto")
    for layer, width in losses:
        loss, across = losses[layer, width], widths.index(width)
        axes.text(across, layer, f"{loss:.1f}", ha="center", va="center", fontsize=8,
                  color="white" if loss > 0.6 * top else BLACK)  # fmt: skip
    for layer, bits in enumerate(chosen):
        if bits != "b":
            corner = widths.index(int(bits)) - 0.46, layer - 0.43
            axes.add_patch(Rectangle(corner, 0.92, 0.86, fill=False, edgecolor=BLUE, linewidth=2))
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(range(len(widths)), map(str, widths))
    axes.tick_params(length=0)
    axes.set_xlabel("bits of the layer's output; framed: chosen")
    title(axes, "points of accuracy lost, one layer at a time")
    return figure
