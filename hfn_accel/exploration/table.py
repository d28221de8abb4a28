"""Tables of points as CSV (RFC 4180): integers without a point, nothing where a figure is NaN.

Numbers are written such that they are read again exactly. No text has a line break, so a line is a
row.
"""

import csv
import io
from collections.abc import Iterable
from itertools import compress, islice
from pathlib import Path

import numpy as np

from .columns import COLUMNS, TEXT

_LINES = 4096  # converted at once


def rows(table: dict[str, np.ndarray]) -> bytes:
    """The lines of a table that has all `COLUMNS`."""
    out = io.StringIO()
    csv.writer(out).writerows(zip(*(_cells(table[column]) for column in COLUMNS), strict=True))
    return out.getvalue().encode()


def header() -> bytes:
    return ",".join(COLUMNS).encode() + b"\r\n"


def _cells(values: np.ndarray) -> list:
    if values.dtype.kind == "f":
        return [_number(value) for value in values.tolist()]
    if values.dtype.kind in "iub":
        return values.astype(int).tolist()
    return [" ".join(str(value).split()) for value in values]


def _number(value: float):
    if value.is_integer():
        return int(value)
    return "" if value != value else value


def read(path: Path, columns: Iterable[str] = COLUMNS,
         where: np.ndarray | None = None) -> dict[str, np.ndarray]:  # fmt: skip
    """Those columns of a table: float64, or object (str) of `TEXT`; all rows, or those for which
    `where` (bool) is true."""
    at = {column: COLUMNS.index(column) for column in columns}
    parts = {c: [np.empty(0, object if c in TEXT else float)] for c in at}
    texts = {}
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        next(lines)
        kept = lines if where is None else compress(lines, where)
        while batch := list(islice(kept, _LINES)):
            for column, i in at.items():
                if column in TEXT:
                    part = [texts.setdefault(row[i], row[i]) for row in batch]  # each text once
                    parts[column].append(np.array(part, object))
                else:
                    parts[column].append(np.array([row[i] or "nan" for row in batch], float))
    return {column: np.concatenate(part) for column, part in parts.items()}


def sound(lines: list[bytes]) -> bool:
    """Whether lines are rows that `read` can take."""
    try:
        found = list(csv.reader(line.decode() for line in lines))
        for row in found:
            for column, text in zip(COLUMNS, row, strict=True):
                if column not in TEXT:
                    float(text or "nan")
    except (ValueError, csv.Error):
        return False
    return len(found) == len(lines)


def take(path: Path, where: np.ndarray) -> bytes:
    """The header, and the lines of the rows for which `where` (bool) is true."""
    with path.open("rb") as file:
        return next(file) + b"".join(compress(file, where))
