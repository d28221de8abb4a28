"""The axes of a sweep: which there are, and which values each can have."""

import re

import numpy as np

from .. import workload
from ..config import Config
from ..errors import HfnError
from ..estimator import DEFAULT_LATENCY, MAX_BATCH, MAX_LATENCY
from ..ticket import IMAGE_BITS
from .columns import DESIGN
from .names import check_names

FIT = "fit"  # buffer sizes around what the workload needs, see `fitting`
FITTING = ("activation_bytes", "mask_bytes", "psum_depth")
WORKLOAD_AXES = tuple(workload.AXES)
DESIGN_AXES = tuple(DESIGN)
_TEXTS = ("ticket", "network", "dataset", "folding", "signs")
_RANGES = {"coded": (0, 1), "latency": (1, MAX_LATENCY), "batch": (1, MAX_BATCH)}


def defaults() -> dict[str, list]:
    """A value of every axis of a design: the default configuration's."""
    config = Config()
    own = {"pe": config.name, "coded": 1, "latency": DEFAULT_LATENCY, "batch": 1}
    return {axis: [own.get(axis, getattr(config, axis, None))] for axis in DESIGN_AXES}


def parse_axes(given: dict) -> dict[str, list]:
    """The values of every design axis, and of the workload axes that are given, each once.

    given: axis -> a value or a list of values. Values of workload axes are checked by
    `workload.resolve`. Raises HfnError, naming the axis, for unknown axes and for values that no
    design has.
    """
    check_names(given, (*WORKLOAD_AXES, *DESIGN_AXES), "axis")
    axes = defaults()
    for axis, values in given.items():
        values = values if isinstance(values, list) else [values]
        if not values:
            raise HfnError(f"axis {axis} has no value")
        axes[axis] = list(dict.fromkeys(_checked(axis, value) for value in values))
    return axes


def _checked(axis: str, value):
    """The value; Raises HfnError if no workload or design can have it."""
    if not isinstance(value, str | int | float):
        raise HfnError(f"{axis} must be a value or a list of values, not {value!r}")
    if axis in WORKLOAD_AXES:
        if axis in _TEXTS and not isinstance(value, str):
            raise HfnError(f"{axis} must be text, not {value!r}")
    elif axis == "pe":
        shape(value)
    elif axis in _RANGES:
        low, high = _RANGES[axis]
        kinds = (int, bool) if axis == "coded" else (int,)
        if type(value) not in kinds or not low <= value <= high:
            raise HfnError(f"{axis} must be an integer from {low} to {high}, not {value!r}")
        return int(value)
    elif value != FIT or axis not in FITTING:
        Config(**{axis: value})
    return value


def shape(text: str) -> tuple[int, int]:
    """Rows and columns of `RxC`. Raises HfnError if there is no such array."""
    match = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", str(text))
    if not match:
        raise HfnError(f"pe must be RxC such as 16x16, not {text!r}")
    config = Config(rows=int(match[1]), columns=int(match[2]))
    return config.rows, config.columns


def fitting(found: workload.Workload) -> dict[str, list[int]]:
    """Powers of two around what the workload needs on an array that pads nothing: of activation
    banks half the largest tensor (which is then spilled) and all of it, of the mask buffer from
    the largest mask to what a folded block may need, of partial sums a row of pixels and four."""
    arch, stem = found.arch, found.arch.layers[0]
    image = stem.kernel * stem.cin * stem.in_size * stem.out_size * IMAGE_BITS  # taps side by side
    tensors = (c.cout * c.out_size**2 * found.bits[c.norm] for c in arch.layers[:-1])
    least = {
        "activation_bytes": (max(image, *tensors) / 8, 256, 1 << 22, (0.5, 1)),
        "mask_bytes": (max(c.weights for c in arch.tensors) / 8, 256, 1 << 22, (1, 2, 4)),
        "psum_depth": (max(c.out_size for c in arch.layers), 16, 1 << 16, (1, 4)),
    }
    sizes = {}
    for axis, (size, low, high, factors) in least.items():
        size = 1 << int(np.ceil(np.log2(size)))
        sizes[axis] = sorted({min(max(int(size * f), low), high) for f in factors})
    return sizes
