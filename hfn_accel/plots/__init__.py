"""Pictures of estimates and explorations, for papers: PNG and SVG, readable in grey."""

from pathlib import Path

from .buffer import buffer_plot, folded_masks
from .labels import label
from .pareto import pareto_plot
from .precision import precision_plot, sensitivity_plot
from .roofline import roofline_of_report, roofline_plot
from .study import study_plot
from .style import save, save_figures
from .tickets import channels_plot, density_plot, overlap_plot
from .training import training_plots
from .where import bytes_plot, cycles_plot, traffic_plot

__all__ = [
    "buffer_plot", "bytes_plot", "channels_plot", "cycles_plot", "density_plot", "folded_masks",
    "label", "overlap_plot", "pareto_plot", "precision_plot", "roofline_of_report", "roofline_plot",
    "save", "save_all", "save_figures", "sensitivity_plot", "study_plot", "traffic_plot",
    "training_plots",
]  # fmt: skip


def save_all(report: dict, folder: Path) -> list[Path]:
    """Every figure of a `design_report.report`, as PNG and SVG in `folder`; their paths."""
    figures = {"cycles": cycles_plot, "bytes": bytes_plot, "traffic": traffic_plot,
               "roofline": roofline_of_report}  # fmt: skip
    return save_figures({name: draw(report) for name, draw in figures.items()}, folder)
