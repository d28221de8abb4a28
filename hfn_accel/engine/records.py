"""What the engine reads and writes: tables of 64-bit integers with named columns.

Every table is a `numpy.recarray`, of which a row's columns are attributes, in Python as in machine
code. -1 stands for "none" where a column holds a number of something.
"""

from typing import NamedTuple

import numpy as np

from ..config import Config
from ..program import FIELDS


def dtype(*names: str) -> np.dtype:
    """64-bit integer columns of those names."""
    return np.dtype([(name, np.int64) for name in names])


def table(kind: np.dtype, rows: int) -> np.recarray:
    """`rows` rows of zeros."""
    return np.zeros(rows, kind).view(np.recarray)


class Design(NamedTuple):
    """What of `Config`, and of a run, counts for plan and time: integers all.

    units: requantisers that exist (U); group: channels of a bank word; bank_words, mask_words:
    depth of the buffers in words of `group` bits and in bus beats; latency: clocks of the memory.
    """

    rows: int
    columns: int
    units: int
    group: int
    bus_bits: int
    bus_bytes: int
    bank_words: int
    mask_words: int
    psum_depth: int
    parameter_channels: int
    result_words: int
    latency: int
    batch: int

    @classmethod
    def of(cls, config: Config, latency: int, batch: int = 1) -> "Design":
        """A configuration, with a memory of this latency, for runs of `batch` images."""
        return cls(
            rows=config.rows, columns=config.columns, units=config.units, group=config.group,
            bus_bits=config.axi_data_width, bus_bytes=config.bus_bytes,
            bank_words=config.bank_words, mask_words=config.mask_words,
            psum_depth=config.psum_depth, parameter_channels=config.parameter_channels,
            result_words=config.result_words, latency=latency, batch=batch,
        )  # fmt: skip


DESIGN = dtype(*Design._fields)
"""Designs, one a row."""

MAP = dtype(
    # given: of one image's activations. image: the network's input, its taps side by side; outside:
    # lives in the workspace before or after the run, so that it is spilled whatever its size;
    # image_width: pixels of an image's row in memory
    "channels", "height", "width", "bits", "image", "outside", "image_width",
    # derived for a design (`maps.derive`): channel groups, bank words of a bus beat; a row in
    # memory is memory_row / memory_beat beats; bands begin at multiples of `grain` rows; alike:
    # the first map that is like this one in every other column
    "groups", "beat_words", "memory_row", "memory_beat", "grain", "row_words", "memory_groups",
    "size", "alike",
)  # fmt: skip
"""Activations between steps; docs/architecture.md, Memory layouts. size: beats in memory."""

STEP = dtype(
    "layer", "tensor", "pooled", "source", "residual", "output", "kernel", "kernel_width", "stride",
    "pad", "rows", "width", "classifier", "folded", "bipolar", "run", "cin", "cout", "fan_in",
    "image_pad",
)  # fmt: skip
"""A convolution or the pooling behind one (`pooled`), in order of execution. layer: index in the
architecture; source, residual, output: maps; rows, width: of its output in pixels, of the
classifier those that it sums over; bipolar: of its source. run: number of the steps that share
masks, the iterations of a folded block; every other step has one of its own. pad: zero pixels above
and left.
"""

TENSOR = dtype(
    "fan_in", "cout", "coats", "signs", "pruned", "locked", "code", "sign_code", "planes",
    "first_end", "alike",
)  # fmt: skip
"""Weights and their mask stream; `ends[first_end + n]`: bits of its first n output tiles. alike:
the first tensor that is like this one in all of it."""

PLACED = dtype(
    "spilled_source", "spilled_residual", "spilled_output", "resident", "area",
    "height", "source_slots", "other_slots", "chunk_outer", "kept", "passing", "first_chunk",
    "chunks",
)  # fmt: skip
"""Decisions about a step, see `tiling`: its chunks are `chunks` rows of the table of them, of
`kept` tiles those that stay, of `passing` tiles the others (the last of each may have fewer)."""

CHUNK = dtype("first", "tiles", "stays")
"""Output tiles first... of a step; stays: their masks do, in the buffer."""

_FIELD_NAMES = dict.fromkeys(f.name for fields in FIELDS.values() for f in fields)

JOB = dtype(
    *_FIELD_NAMES,
    # where it comes from: step; image of the batch; output rows; first output tile and tiles; for
    # listings: a CONV's mask stays (1), passes (0) or is on chip still (2); a transfer's map
    "step", "image", "row_first", "row_end", "first_tile", "tiles", "mask_state", "map",
)  # fmt: skip
"""A descriptor: every field of every opcode, 0 where it has none."""


def jobs(descriptors) -> np.recarray:
    """The JOB table of descriptors, each an opcode and its fields by name, as far as these say:
    without the LFSR's states, which are unsigned and count for no time."""
    rows = [f | {"opcode": op, "sign_state": 0, "pattern_state": 0} for op, f in descriptors]
    values = [tuple(row.get(name, 0) for name in JOB.names) for row in rows]
    return np.array(values, JOB).view(np.recarray)


ACCESS = dtype(
    "source_bank", "source_first", "source_end", "residual_bank", "residual_first", "residual_end",
    "output_bank", "output_first", "output_end", "map", "image", "group_first", "group_end",
    "row_first", "row_end", "mask_first", "mask_end", "mask_fetched", "parameter_first",
    "parameter_end", "parameter_fetched",
)  # fmt: skip
"""What a descriptor touches, ends exclusive: parts of banks in words (bank -1: none; a STORE reads
its source, a LOAD or IMAGE writes its output); of LOAD and STORE the part of the workspace's map
(-1: none); parts of the mask buffer in beats and of the parameter buffer in channels."""


class Network(NamedTuple):
    """A network as the engine wants it: tables STEP, MAP (given columns), TENSOR, and `ends`."""

    steps: np.recarray
    maps: np.recarray
    tensors: np.recarray
    ends: np.ndarray


class Refusal(NamedTuple):
    """Why there is no plan: `reason` is one of the constants, 0 if there is one; the rest are its
    figures: `step` -1 is BEGIN or the run, `field` the column of JOB of a FIELD, else -1."""

    reason: int
    step: int
    figure: int
    limit: int
    field: int


FITS, MASKS, ACTIVATIONS, PARTIAL_SUMS, FIELD, FAN_IN, BATCH = range(7)
