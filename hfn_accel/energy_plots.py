"""Plots of energy."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from .config import Config
from .energy import weight_energy
from .energy_tables import constant
from .plots.style import BLACK, BLUE, GREEN, LIGHT, SKY, bytes_text, legend, new, title

PLACES = {  # of `weight_energy`: colour, what the legend says
    "generated": (GREEN, "regenerated"),
    "on chip": (BLUE, "kept in the mask buffer"),
    "off chip": (SKY, "fetched through the mask buffer"),
}
MARKED = "lpddr4"  # the DRAM at which a bar is marked


def regenerate_or_store(config: Config, density: float = 0.3) -> Figure:
    """What bringing one weight to the array takes: a bar over all tables for each way to hold it,
    the least on top, with marks at both ends for LPDDR4 as the only DRAM. Arguments and errors as
    of `weight_energy`."""
    table = weight_energy(config, density)
    low, high = table["energy_low_pj"], table["energy_high_pj"]
    marked = weight_energy(config, density, MARKED)
    order = np.argsort(low, kind="stable")
    figure, axes = new(9, 1.6 + 0.34 * len(order))
    for place, (colour, label) in PLACES.items():
        rows = np.flatnonzero(table["place"][order] == place)
        begin, end = low[order][rows], high[order][rows]
        end = np.maximum(end, 1.06 * begin)  # a bar without length would not be seen
        axes.barh(rows, end - begin, left=begin, color=colour, height=0.62, label=label)
    for y, i in enumerate(order):
        axes.annotate(f"{_interval(low[i], high[i])} pJ", (max(high[i], 1.06 * low[i]), y), (5, 0),
                      textcoords="offset points", va="center", fontsize=9)  # fmt: skip
    fetched = np.flatnonzero(table["place"][order] == "off chip")
    ends = np.concatenate([marked[f"energy_{end}_pj"][order][fetched] for end in ("low", "high")])
    bit = constant(MARKED)
    axes.plot(ends, np.tile(fetched, 2), "|", color=BLACK, markersize=13,
              label=f"ends with LPDDR4, {bit.value:g} {bit.unit}")  # fmt: skip
    axes.set_yticks(range(len(order)), table["weight"][order])
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.set_xlim(low.min() / 1.6, high.max() * 6)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=LIGHT, linewidth=0.6)
    axes.set_xlabel("energy of one weight, once to the array (pJ, interval over the tables)")
    title(axes, f"regenerate or store: {config.name}, {bytes_text(config.mask_bytes)} of mask "
                f"buffer, masks of density {density:g}")  # fmt: skip
    legend(figure)
    return figure


def _interval(low: float, high: float) -> str:
    """Both ends, or the number that both are."""
    ends = [f"{end:,.0f}" if end >= 100 else f"{end:.2g}" for end in (low, high)]
    return " to ".join(ends if high > low else ends[:1])
