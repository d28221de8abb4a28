"""What masks look like: densities of a ticket's tensors and channels, overlap of two tickets."""

import numpy as np
from matplotlib.figure import Figure

from ..ticket import Ticket
from .style import BLACK, BLUE, LIGHT, ORANGE, legend, new, title


def density_plot(report: dict) -> Figure:
    """The fraction of weights that each tensor keeps, the whole ticket's as a line; of a
    `hfn_accel.ticket.show.describe`."""
    rows, whole = report["tensors"], report["total"]["density"]
    figure, axes = _bars([row["name"] for row in rows], [row["density"] for row in rows],
                         [f"{row['density']:.3f} of {row['weights']:,}" for row in rows],
                         "the tensor's")  # fmt: skip
    axes.axvline(whole, color=BLACK, linestyle="--", linewidth=1,
                 label=f"the whole ticket's, {whole:.3f}")  # fmt: skip
    axes.set_xlabel("density: fraction of weights that the mask keeps")
    title(axes, f"{report['ticket']}: mask density of every weight tensor")
    legend(figure)
    return figure


def overlap_plot(report: dict) -> Figure:
    """The Jaccard index of each tensor's kept weights beside that of independent masks; of a
    `hfn_accel.ticket.diff.compare`."""
    rows = report["tensors"]
    values, chance = ([row[key] or 0 for row in rows] for key in ("jaccard", "jaccard_by_chance"))
    figure, axes = _bars([row["name"] for row in rows], values,
                         [f"{value:.3f}" for value in values], "of these masks",
                         marks=chance)  # fmt: skip
    axes.plot(chance, range(len(rows)), "|", color=ORANGE, markersize=15, markeredgewidth=2.5,
              label="of independent masks of the same densities")  # fmt: skip
    axes.set_xlabel("Jaccard index: kept by both, of the weights that either keeps")
    seeds = " and ".join(map(str, report["seeds"]))
    title(axes, f"{report['arch']}: common weights of seeds {seeds}")
    legend(figure)
    return figure


def channels_plot(ticket: Ticket) -> Figure:
    """The density of every output channel, a row a tensor; rows are as long as the largest tensor
    has channels, so that each fills the picture."""
    tensors = ticket.arch.tensors
    width = max(conv.cout for conv in tensors)
    rows = np.stack([
        (mask > 0).mean(1)[np.arange(width) * conv.cout // width]
        for conv, mask in zip(tensors, ticket.masks, strict=True)
    ])  # fmt: skip
    figure, axes = new(9, 1.6 + 0.27 * len(tensors))
    image = axes.imshow(rows, aspect="auto", interpolation="nearest", cmap="cividis",
                        vmin=0, extent=(0, 1, len(tensors) - 0.5, -0.5))  # fmt: skip
    figure.colorbar(image, label="density of the channel")
    axes.set_yticks(range(len(tensors)), [_name(c.name) for c in tensors])
    axes.set_xlabel("output channel, as a fraction of the tensor's channels")
    title(axes, f"{ticket.arch}, seed {ticket.seed}: mask density of every output channel")
    return figure


def _name(conv: str) -> str:
    return conv.partition("[")[0]


def _bars(names: list[str], values: list[float], texts: list[str], label: str, marks=()):
    """Horizontal bars, the first on top, with texts behind their ends and behind the marks."""
    figure, axes = new(9, 1.6 + 0.27 * len(names))
    axes.barh(range(len(names)), values, color=BLUE, height=0.72, label=label)
    for y, (value, text) in enumerate(zip(values, texts, strict=True)):
        end = max(value, marks[y]) if len(marks) else value
        axes.annotate(text, (end, y), (6, 0), textcoords="offset points", va="center",
                      fontsize=9)  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, 1.35 * max([*values, *marks, 1e-3]))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=LIGHT, linewidth=0.6)
    return figure, axes
