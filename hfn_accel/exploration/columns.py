"""Columns of a table of points, a dict of a column's name to an array with one entry a point.

Units are in the names. Figures are of a run, of `batch_images` images; where a point is
infeasible they are NaN, and `infeasible_reason` says why.
"""

from dataclasses import fields

from ..config import Config
from ..estimator import CAUSES, CLASSES

POINT = "point"  # number of the point in the whole sweep, counted from 0
REASON = "infeasible_reason"
WORKLOAD = {
    "network": "network", "folding": "folding", "coats": "coats", "pruned": "pruned_sixteenths",
    "locked": "locked_sixteenths", "signs": "signs", "density": "density_ratio",
    "activation_bits": "activation_bits",
}  # fmt: skip
"""Axis of a workload -> column; `ticket` and `dataset` are in the column `network`."""

DESIGN: dict = {
    "pe": ("rows_lanes", "columns_channels"), "activation_bytes": "activation_bank_bytes",
    "mask_bytes": "mask_buffer_bytes", "parameter_channels": "parameter_channels",
    "psum_depth": "psum_depth_pixels", "axi_data_width": "bus_bits",
    "requantisers": "requantisers", "accumulator_bits": "accumulator_bits",
    "result_words": "result_words", "integrity": "integrity", "coded": "coded",
    "latency": "latency_cycles", "batch": "batch_images",
}  # fmt: skip
"""Axis of a design -> column, or columns."""

_AXES = DESIGN | dict(zip(("rows", "columns"), DESIGN["pe"], strict=True))
FIELDS: dict[str, str] = {_AXES[f.name]: f.name for f in fields(Config)}
"""Column -> field of `Config`, the rest of a design being of a run."""

MOVED = tuple(f"{name}_moved_bytes" for name in (*CLASSES, "activation", "total"))
FIGURES = (
    "cycles", *(f"{cause}_cycles" for cause in CAUSES), "full_array_cycles", "full_bus_cycles",
    "macs", "utilisation_ratio", *MOVED, "compulsory_bytes", "model_bytes", "bank_used_bytes",
    "mask_used_bytes", "psum_used_pixels", "parameter_used_channels", "result_used_words",
    "array_planes", "tile_rows", "psum_updates", "requantised", "bank_write_words",
    "residual_words", "pool_words", "mask_write_beats", "parameter_reads", "energy_low_uj",
    "energy_high_uj", "area_lut4", "area_ff", "area_bram_18kib", "area_dsp", "clock_mhz",
    "time_ms", "accuracy_ratio",
)  # fmt: skip
"""docs/exploration.md says what each is."""

DESIGN_COLUMNS = (*DESIGN["pe"], *(c for axis, c in DESIGN.items() if axis != "pe"))
COLUMNS = (POINT, *WORKLOAD.values(), *DESIGN_COLUMNS, *FIGURES, REASON)
"""Of `points.csv`, in this order."""

TEXT = {"network", "folding", "signs", "activation_bits", REASON}
"""Columns that are not numbers."""
