"""Bands: how a step's output rows are cut, and which source rows each band reads."""

from .steps import Map, Step


def packed(step: Step, source: Map) -> bool:
    """Whether a spilled source's rows are loaded one by one, since not all are read."""
    return step.kernel < step.stride and source.grain == 1


def window(step: Step, source: Map, first: int, end: int) -> tuple[int, int]:
    """Source rows (first, end) that output rows first...end - 1 read, from a whole beat on."""
    low = max(0, first * step.stride - step.pad)
    high = (end - 1) * step.stride - step.pad + max(step.kernel, step.stride)
    return low - low % source.grain, min(high, source.height)


def least_rows(step: Step, source: Map) -> int:
    """Source rows of a band of one output row, wherever it is."""
    return max(step.kernel, step.stride) + -step.pad % source.grain


def bands(rows: int, height: int) -> list[tuple[int, int]]:
    """Output rows (first, end) of every band."""
    return [(y, min(y + height, rows)) for y in range(0, rows, height)]


def source_beats(step: Step, source: Map, height: int) -> int:
    """Beats of memory that the bands of a spilled source take, with the rows that several read."""
    if packed(step, source):
        return source.memory_groups * source.beats(step.rows)
    windows = (window(step, source, *band) for band in bands(step.rows, height))
    return source.memory_groups * sum(source.beats(high - low) for low, high in windows)


def height(step: Step, shape, spilled, slots: tuple[int, int], groups: int, bank: int) -> int:
    """Rows of equal bands, of which each spilled operand's fit its bank; 0 if none do.

    shape, spilled: of source, residual, output: the map or None, and whether it is spilled. slots:
    bands in a bank of so many words, of the source and of the others; groups: of the others.
    """
    source, *others = shape
    rows, grain = step.rows, 1
    if spilled[0]:
        have = source.rows_in(bank // slots[0], source.groups)
        if packed(step, source):
            rows = min(rows, have)
        elif have < source.height:
            grain = _source_grain(step, source)
            rows = min(rows, (have - least_rows(step, source)) // step.stride + 1)
    for m, out in zip(others, spilled[1:], strict=True):
        if out:
            grain = max(grain, m.grain)
            rows = min(rows, m.rows_in(bank // slots[1], groups))
    if rows >= step.rows:
        return step.rows
    rows = max(rows, 0) // grain * grain
    if rows == 0:
        return 0
    count = -(-step.rows // rows)
    return -(-step.rows // (count * grain)) * grain


def least_words(step: Step, shape, spilled, groups: int) -> int:
    """Words of the smallest bank in which `height` with one band in a bank is not 0."""
    source, *others = shape
    others = [m for m, out in zip(others, spilled[1:], strict=True) if out]
    grain = max([1, *(m.grain for m in others)])

    def words(grain, source_rows):
        """Of bands of `grain` rows, or the step's if those are fewer."""
        rows = min(grain, step.rows)
        read = source.groups * source.stride(source_rows(rows)) if spilled[0] else 0
        return max([read, *(groups * m.stride(rows) for m in others)])

    if not spilled[0] or packed(step, source):
        return words(grain, lambda rows: rows)
    banded = words(max(grain, _source_grain(step, source)),
                   lambda rows: (rows - 1) * step.stride + least_rows(step, source))  # fmt: skip
    return min(banded, words(grain, lambda rows: source.height))


def _source_grain(step: Step, source: Map) -> int:
    """Bands of a source that comes in bands are multiples of so many output rows."""
    return max(1, source.grain // step.stride)
