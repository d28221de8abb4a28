"""The core's memories as the RTL makes them, and the block RAMs that they become on an ECP5.

t: columns of `hfn_accel.area.COLUMNS`, as arrays with one entry a design.
"""

import numpy as np

from .program import BANKS, PARAMETER_BYTES
from .units import UNIT

BLOCK_RAMS = ((1, 1, 16384), (1, 2, 8192), (1, 4, 4096), (1, 9, 2048), (2, 9, 1024), (4, 9, 512))
"""Lanes that are written each by itself, bits of a lane, words: the shapes of a DP16KD (Lattice
FPGA-TN-02204), as Yosys has them in `techlibs/lattice/brams_16kd.txt`."""

PARAMETER, RESULT = 8 * PARAMETER_BYTES, 32  # bits of a channel's record, of a logit


def ceil_div(a, b):
    return -(-a // b)


def memory_blocks(width, depth, granule) -> np.ndarray:
    """DP16KD that a memory becomes: Yosys takes the shape that needs the fewest.

    width: bits of a word, each `granule` of which (a divisor) is written by itself; depth: words.
    Integers or arrays.
    """
    width, depth, granule = (np.asarray(a, np.int64) for a in (width, depth, granule))
    return np.min([
        ceil_div(width // granule * ceil_div(granule, bits), lanes) * ceil_div(depth, words)
        for lanes, bits, words in BLOCK_RAMS
    ], axis=0)  # fmt: skip


def units(t: dict) -> np.ndarray:
    """Requantisers that exist, as `Config.units`."""
    return np.minimum(t["requantisers"], t["columns_channels"])


def memories(t: dict) -> list[tuple]:
    """(number, width, depth, granule) of the core's memories, as `rtl` makes them: activation
    banks, masks, parameters, results, partial sums. t: columns of COLUMNS, as arrays."""
    c, bus, u = t["columns_channels"], t["bus_bits"], units(t)
    sums = c * t["accumulator_bits"]

    def split(number, bits, granule, *others):
        """As rtl.memory.SplitMemory: a word is as wide as the widest access."""
        width = np.maximum.reduce(np.broadcast_arrays(granule, *others))
        return number, width, np.maximum(2, ceil_div(bits, width)), granule

    return [
        split(BANKS, 8 * t["activation_bank_bytes"], c, bus, t["rows_lanes"]),
        split(1, 8 * t["mask_buffer_bytes"], np.minimum(UNIT, c), bus, c),
        split(1, PARAMETER * t["parameter_channels"], bus, PARAMETER * u),
        split(1, RESULT * np.maximum(t["result_words"], u), RESULT * u, bus),
        (1, sums, t["psum_depth_pixels"], sums),
    ]


def core_blocks(t: dict) -> np.ndarray:
    """DP16KD of the whole core."""
    return sum(number * memory_blocks(*shape) for number, *shape in memories(t))
