"""How a search went: loss and accuracy by epoch, and how much of each layer its mask keeps."""

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from .style import BLACK, BLUE, GREY, LIGHT, ORANGE, legend, new, title

_SHADES = LinearSegmentedColormap.from_list("density", ["white", BLUE, BLACK])


def training_plots(rows: list[Mapping], densities: list[Mapping], recipe) -> dict[str, Figure]:
    """Both pictures of a search by name: `rows` of metrics, and of kept fractions, an epoch each,
    as golden.training gives them."""
    return {"learning": learning_plot(rows, recipe), "density": densities_plot(densities, recipe)}


def learning_plot(rows: list[Mapping], recipe) -> Figure:
    """Loss (left axis) and accuracies (right axis) by epoch, and where quantisation starts."""
    figure, axes = new(8, 4.5)
    epochs = np.array([float(row["epoch"]) for row in rows])
    marks = {"markersize": 4, "markevery": max(1, len(rows) // 12)}
    axes.plot(epochs, [float(row["loss"]) for row in rows], color=BLACK, ls="-", marker="o",
              label="loss", **marks)  # fmt: skip
    axes.set_xlabel("epoch")
    axes.set_ylabel("cross-entropy loss")
    axes.set_ylim(0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    right = axes.twinx()
    right.set_zorder(axes.get_zorder() - 1)  # its grid lies behind the loss
    axes.patch.set_visible(False)
    right.spines["top"].set_visible(False)
    right.set_ylabel("accuracy")
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    right.grid(axis="y", color=LIGHT, linewidth=0.6)
    for column, name, colour, line, marker in (
        ("train_accuracy", "accuracy, training images", BLUE, "--", "s"),
        ("validation_accuracy", "accuracy, held-out images", ORANGE, "-.", "^"),
    ):
        if all(row[column] not in (None, "") for row in rows):
            values = [float(row[column]) for row in rows]
            right.plot(epochs, values, color=colour, ls=line, marker=marker, label=name, **marks)
    right.set_ylim(0, 1)
    if 0 < recipe.quantise_from < recipe.epochs:
        axes.axvline(recipe.quantise_from + 0.5, color=GREY, ls=":", lw=1.5,
                     label="activations become integers")  # fmt: skip
    title(axes, f"{recipe.method} on {recipe.dataset}: {recipe.arch}")
    legend(figure)
    return figure


def densities_plot(densities: list[Mapping], recipe) -> Figure:
    """Kept fraction of every weight tensor (a row each, the last epoch's at its end) by epoch."""
    names = [name for name in densities[0] if name != "epoch"]
    kept = np.array([[float(row[name]) for row in densities] for name in names])
    epochs = np.array([float(row["epoch"]) for row in densities])
    figure, axes = new(9, 1.6 + 0.22 * len(names))
    edges = np.append(epochs, epochs[-1] + 1) - 0.5
    mesh = axes.pcolormesh(edges, np.arange(len(names) + 1) - 0.5, kept, cmap=_SHADES, vmin=0,
                           vmax=1, rasterized=True)  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    for y, last in enumerate(kept[:, -1]):
        axes.annotate(f"{last:.1%}", (edges[-1], y), (4, 0), textcoords="offset points",
                      va="center", fontsize=8)  # fmt: skip
    bar = figure.colorbar(mesh, ax=axes, pad=0.1, format=PercentFormatter(1, decimals=0))
    bar.set_label("weights that the mask keeps")
    bar.outline.set_visible(False)
    title(axes, f"{recipe.method} on {recipe.dataset}: density of each mask, and in the last epoch")
    return figure
