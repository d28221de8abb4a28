"""Bands: how a step's output rows are cut, and which source rows each band reads.

`step` is a row of STEP; `out` says which of its operands are spilled.
"""

from typing import NamedTuple

from .compiled import compiled
from .maps import always_spilled, beats, rows_in, stride, words


class Spilled(NamedTuple):
    """Which operands of a step are spilled: 1 or 0, of one that it has not 0."""

    source: int
    residual: int
    output: int


@compiled
def spilled(step, maps, batch, bank):
    """The operands that do not fit a bank of so many words."""
    return Spilled(
        _is_spilled(maps, step.source, batch, bank),
        _is_spilled(maps, step.residual, batch, bank),
        _is_spilled(maps, step.output, batch, bank),
    )


@compiled
def _is_spilled(maps, number, batch, bank):
    if number < 0:
        return 0
    return int(always_spilled(maps[number]) or words(maps[number], batch) > bank)


@compiled
def packed(step, source):
    """Whether a spilled source's rows are loaded one by one, since not all are read."""
    return step.kernel == 1 and step.stride > 1 and source.grain == 1


@compiled
def window(step, source, first, end):
    """Source rows (first, end) that output rows first...end - 1 read, from a whole beat on."""
    low = max(0, first * step.stride - step.pad)
    high = (end - 1) * step.stride - step.pad + max(step.kernel, step.stride)
    return low - low % source.grain, min(high, source.height)


@compiled
def least_rows(step, source):
    """Source rows of a band of one output row, wherever it is."""
    return max(step.kernel, step.stride) + -step.pad % source.grain


@compiled
def source_beats(step, source, height):
    """Beats of memory that the bands of a spilled source take, with the rows that several read."""
    if packed(step, source):
        return source.memory_groups * beats(source, step.rows)
    total = 0
    for first in range(0, step.rows, height):
        low, high = window(step, source, first, min(first + height, step.rows))
        total += beats(source, high - low)
    return source.memory_groups * total


@compiled
def height(step, maps, out, source_slots, other_slots, groups, bank):
    """Rows of equal bands, of which each spilled operand's fit its bank; 0 if none do.

    source_slots, other_slots: bands in a bank of so many words, of the source and of the others;
    groups: of the others.
    """
    rows, grain = step.rows, 1
    if out.source:
        source = maps[step.source]
        have = rows_in(source, bank // source_slots, source.groups)
        if packed(step, source):
            rows = min(rows, have)
        elif have < source.height:
            grain = _source_grain(step, source)
            rows = min(rows, (have - least_rows(step, source)) // step.stride + 1)
    for number, outside in ((step.residual, out.residual), (step.output, out.output)):
        if outside:
            grain = max(grain, maps[number].grain)
            rows = min(rows, rows_in(maps[number], bank // other_slots, groups))
    if rows >= step.rows:
        return step.rows
    rows = max(rows, 0) // grain * grain
    if rows == 0:
        return 0
    count = -(-step.rows // rows)
    return -(-step.rows // (count * grain)) * grain


@compiled
def least_words(step, maps, out, groups):
    """Words of the smallest bank in which `height` with one band in a bank is not 0."""
    grain = 1
    for number, outside in ((step.residual, out.residual), (step.output, out.output)):
        if outside:
            grain = max(grain, maps[number].grain)
    source, rows = maps[step.source], min(grain, step.rows)
    if not out.source:
        return _words(step, maps, out, groups, rows, 0)
    if packed(step, source):
        return _words(step, maps, out, groups, rows, rows)
    whole = _words(step, maps, out, groups, rows, source.height)
    rows = min(max(grain, _source_grain(step, source)), step.rows)
    read = (rows - 1) * step.stride + least_rows(step, source)
    return min(whole, _words(step, maps, out, groups, rows, read))


@compiled
def _words(step, maps, out, groups, rows, source_rows):
    """Words of the largest of the bands of a step's spilled operands."""
    source = maps[step.source]
    words = source.groups * stride(source, source_rows)
    for number, outside in ((step.residual, out.residual), (step.output, out.output)):
        if outside:
            words = max(words, groups * stride(maps[number], rows))
    return words


@compiled
def _source_grain(step, source):
    """Bands of a source that comes in bands are multiples of so many output rows."""
    return max(1, source.grain // step.stride)
