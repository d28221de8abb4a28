"""What the columns of a table of points are called, with their units, in pictures and pages.

A table of points is a dict of columns, name -> array with an entry a point; the unit of a figure is
in its column's name. The figures are of a run, which classifies `batch_images` images.
"""

from ..exploration.columns import POINT, REASON

MAXIMISED = ("utilisation_ratio", "accuracy_ratio")
"""Figures of which more is better; of every other, less is."""

_UNITS = {  # by the end of a column's name, the first that matches
    "_moved_bytes": "bytes moved", "_bytes": "bytes", "_cycles": "clock cycles",
    "_uj": "µJ", "_ms": "ms", "_mhz": "MHz", "_ratio": "0 to 1", "_lanes": "lanes",
    "_channels": "channels", "_pixels": "pixels", "_bits": "bits", "_words": "words",
    "_images": "images", "_sixteenths": "sixteenths", "_beats": "beats", "_lut4": "LUT4",
    "_ff": "flip-flops", "_bram_18kib": "18 Kibit block RAMs", "_dsp": "DSP blocks",
}  # fmt: skip
_LABELS = {  # text and unit of columns whose names leave one of them open
    "activation_bits": ("activations", "bits"),
    "accumulator_bits": ("partial sum", "bits"),
    "array_planes": ("planes into the array", "bit-planes"),
    "bank_write_words": ("activations written to banks", "words"),
    "bus_bits": ("memory bus", "bits"),
    "coats": ("coats", "masks a weight"),
    "coded": ("coded masks", "0 no, 1 yes"),
    "integrity": ("integrity checked", "0 no, 1 yes"),
    "columns_channels": ("array columns C", "channels"),
    "cycles": ("cycles", "clock cycles"),
    "energy_high_uj": ("energy, upper end", "µJ"),
    "energy_low_uj": ("energy, lower end", "µJ"),
    "folding": ("folded", "stages"),
    "latency_cycles": ("memory latency", "clock cycles"),
    "macs": ("work", "multiply-accumulates"),
    "network": ("network", ""),
    "parameter_channels": ("parameter buffer", "channels"),
    "parameter_reads": ("parameters read", "channels"),
    "pool_words": ("read by max-pooling", "words"),
    "psum_depth_pixels": ("partial-sum buffer", "pixels"),
    "psum_updates": ("updates of partial sums", "words of C sums"),
    "requantised": ("requantised", "activations"),
    "requantisers": ("requantisers", "channels a clock"),
    "signs": ("signs", "where from"),
    "residual_words": ("residuals read", "words"),
    "rows_lanes": ("array rows R", "lanes"),
    "tile_rows": ("weights built", "rows of C weights"),
    POINT: ("point", "number in the sweep"),
    REASON: ("why it does not fit", ""),
}


def unit(column: str) -> str:
    """The unit of a column's entries, "" if it has none."""
    return _text_and_unit(column)[1]


def label(column: str) -> str:
    """The column in words, its unit in brackets: "mask buffer (bytes)"."""
    text, unit = _text_and_unit(column)
    return f"{text} ({unit})" if unit else text


def _text_and_unit(column: str) -> tuple[str, str]:
    if column in _LABELS:
        return _LABELS[column]
    for end, unit in _UNITS.items():
        if column.endswith(end):
            return column.removesuffix(end).replace("_", " "), unit
    return column.replace("_", " "), ""
