"""The points of a sweep: which there are, their numbers, and the chunks that they come in.

Points are numbered workload by workload, and those of a workload by columns, bus, codec (which say
the sizes of its mask streams) and then the other axes, the last of which counts fastest. A sample
keeps the numbers that its points have in the whole.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, product

import numpy as np

from ..errors import HfnError
from ..workload import Workload, resolve
from .axes import FIT, FITTING, WORKLOAD_AXES, fitting, shape
from .columns import DESIGN, DESIGN_COLUMNS, WORKLOAD
from .goals import Constraint

CHUNK = 1000  # points that a worker computes at once: what an interrupt can cost it
MOST_POINTS = 10**8  # of a sweep that is no sample
ORDER = ("columns_channels", "bus_bits", "coded")  # the slowest axes of a workload's points
_COLUMNS = (*ORDER, *(c for c in DESIGN_COLUMNS if c not in ORDER))


@dataclass(frozen=True)
class Variant:
    """A workload of the sweep. axes: what `workload.resolve` takes; columns: its part of a row."""

    axes: dict
    workload: Workload
    columns: dict


@dataclass(frozen=True)
class Block:
    """Points from number `first` on: a variant's, every combination of a value of each column."""

    variant: int
    first: int
    values: dict[str, list]

    @property
    def size(self) -> int:
        return math.prod(map(len, self.values.values()))

    def designs(self, numbers: np.ndarray) -> dict[str, np.ndarray]:
        at = np.unravel_index(numbers - self.first, [len(v) for v in self.values.values()])
        return {c: np.array(v, np.int64)[i] for (c, v), i in zip(self.values.items(), at,
                                                                 strict=True)}  # fmt: skip


@dataclass(frozen=True)
class Chunk:
    """Neighbouring points of one variant, at `start` to `stop` of those of the sweep."""

    variant: int
    start: int
    stop: int


@dataclass(frozen=True)
class Space:
    """All points: `blocks`, or the points of them that `sample` numbers, in ascending order."""

    variants: tuple[Variant, ...]
    blocks: tuple[Block, ...]
    sample: np.ndarray | None = None
    chunks: tuple[Chunk, ...] = field(init=False)

    def __post_init__(self):
        firsts = [block.first for block in self.blocks]
        starts = firsts if self.sample is None else np.searchsorted(self.sample, firsts).tolist()
        edges = [*starts, self.size]
        chunks = []
        for variant, group in groupby(range(len(firsts)), lambda i: self.blocks[i].variant):
            mine = list(group)
            start, stop = edges[mine[0]], edges[mine[-1] + 1]
            chunks += [Chunk(variant, at, min(at + CHUNK, stop))
                       for at in range(start, stop, CHUNK)]  # fmt: skip
        object.__setattr__(self, "chunks", tuple(chunks))

    @property
    def size(self) -> int:
        """Points of the sweep."""
        whole = self.blocks[-1].first + self.blocks[-1].size
        return whole if self.sample is None else len(self.sample)

    def numbers(self, chunk: Chunk) -> np.ndarray:
        """int64 (points,): those of a chunk, ascending."""
        if self.sample is None:
            return np.arange(chunk.start, chunk.stop)
        return self.sample[chunk.start : chunk.stop]

    def variant(self, number: int) -> Variant:
        """That a point is of."""
        return self.variants[self.blocks[int(self._blocks(number))].variant]

    def _blocks(self, numbers):
        return np.searchsorted([b.first for b in self.blocks], numbers, side="right") - 1

    def designs(self, numbers: np.ndarray) -> dict[str, np.ndarray]:
        """Columns of the designs of points, int64, one entry a point."""
        which = self._blocks(numbers)
        parts = [self.blocks[i].designs(numbers[which == i]) for i in np.unique(which)]
        return {c: np.concatenate([part[c] for part in parts]) for c in DESIGN_COLUMNS}


def space(axes: dict[str, list], constraints: Sequence[Constraint] = (),
          sample: tuple[int, int] | None = None) -> Space:  # fmt: skip
    """The points of axes (`axes.parse_axes`) that constraints on their columns allow.

    sample: so many of them, drawn by that seed; all if there are fewer. Raises HfnError for
    contradictions: workloads that do not exist, or that nothing is left.
    """
    found = variants(axes)
    blocks, first = [], 0
    for number, variant in enumerate(found):
        if not all(_allowed(c, [v], constraints) for c, v in variant.columns.items()):
            continue
        for values in _blocks(axes, variant.workload, constraints):
            block = Block(number, first, values)
            if block.size:
                blocks.append(block)
                first += block.size
    if not first:
        said = ", ".join(map(str, constraints))
        raise HfnError(f"no point is left: no combination of the axes meets {said}")
    if sample is None or sample[0] >= first:
        if first > MOST_POINTS:
            raise HfnError(f"the axes say {first:,} points, the limit is {MOST_POINTS:,}: "
                           "draw some with [sample] points = N")  # fmt: skip
        return Space(found, tuple(blocks))
    points, seed = sample
    drawn = np.random.default_rng(seed).choice(first, points, replace=False, shuffle=False)
    return Space(found, tuple(blocks), np.sort(drawn))


def variants(axes: dict[str, list]) -> tuple[Variant, ...]:
    """Every combination of the workload axes, each workload once."""
    given = {axis: axes[axis] for axis in WORKLOAD_AXES if axis in axes}
    found = {}
    for values in product(*given.values()):
        spec = dict(zip(given, values, strict=True))
        w = resolve(spec)
        if "ticket" in spec and os.path.exists(spec["ticket"]):  # a worker may run elsewhere
            spec["ticket"] = os.path.abspath(spec["ticket"])
        key = w.name, w.arch, w.bits, w.bipolar, w.modes, w.density
        found.setdefault(key, Variant(spec, w, workload_columns(w)))
    return tuple(found.values())


def workload_columns(w: Workload) -> dict:
    """Column -> value; NaN, or `own`, for what differs from layer to layer."""
    folded = [str(i) for i, stage in enumerate(w.arch.stages, 1) if stage.folded]
    kinds = {"none": [], "all": [str(i + 1) for i in range(len(w.arch.stages))]}
    row = {
        "network": w.name, "density_ratio": w.density,
        "folding": next((k for k, v in kinds.items() if v == folded), ",".join(folded)),
        "signs": "own", "activation_bits": "own",
    }  # fmt: skip
    for axis in ("coats", "pruned", "locked"):
        values = {getattr(mode, axis) for mode in w.modes}
        row[WORKLOAD[axis]] = values.pop() if len(values) == 1 else math.nan
    if len(signs := {mode.signs for mode in w.modes}) == 1:
        row["signs"] = signs.pop().name.lower()
    if len(set(w.bits)) == 1:
        row["activation_bits"] = str(w.bits[0])
    return {column: row[column] for column in WORKLOAD.values()}


def _blocks(axes: dict[str, list], w: Workload, constraints):
    """For every number of columns, the allowed values of each column of a design."""
    lists = {DESIGN[axis]: axes[axis] for axis in DESIGN if axis != "pe"}
    for axis in FITTING:
        expanded = (fitting(w)[axis] if value == FIT else [value] for value in axes[axis])
        lists[DESIGN[axis]] = list(dict.fromkeys(v for values in expanded for v in values))
    shapes = [shape(text) for text in axes["pe"]]
    for columns in dict.fromkeys(c for _, c in shapes):
        rows = [r for r, c in shapes if c == columns]
        values = lists | {"rows_lanes": rows, "columns_channels": [columns]}
        yield {c: _allowed(c, values[c], constraints) for c in _COLUMNS}


def _allowed(column: str, values: list, constraints) -> list:
    """Those of the values that every constraint on the column allows."""
    mine = [c for c in constraints if c.column == column]
    return [v for v in values if all(c.allows(v) for c in mine)]
