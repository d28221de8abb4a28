"""Units of a mask plane: neighbouring bits of a row, the grains of the mask stream."""

import numpy as np

from .config import Config

UNIT = 8
"""Bits of a unit where the array is that wide; Huffman codes are for whole units of 8 bits."""

ONES = np.bitwise_count(np.arange(256, dtype=np.uint8))
"""uint8 [byte]: its number of ones."""


def _gather() -> tuple[np.ndarray, np.ndarray]:
    under, byte = np.indices((256, 256))
    extract, deposit, place = (np.zeros_like(under) for _ in range(3))
    for bit in range(8):
        chosen = under >> bit & 1
        extract |= (byte >> bit & chosen) << place
        deposit |= (byte >> place & chosen) << bit
        place += chosen
    return extract.astype(np.uint8), deposit.astype(np.uint8)


EXTRACT, DEPOSIT = _gather()
"""uint8 [under, byte]: the byte's bits under a mask, side by side from the lowest; the inverse."""


def unit_bits(config: Config) -> int:
    """Columns of a unit."""
    return min(UNIT, config.columns)


def to_units(rows: np.ndarray, config: Config) -> np.ndarray:
    """uint8 (out_tiles, fan_in, C / unit) of bool (cout, fan_in): column c of a unit in bit c.

    Channels beyond cout of the last output tile have 0.
    """
    columns, unit, (cout, fan_in) = config.columns, unit_bits(config), rows.shape
    padded = np.zeros((-(-cout // columns) * columns, fan_in), bool)
    padded[:cout] = rows
    parts = padded.reshape(-1, columns // unit, unit, fan_in).transpose(0, 3, 1, 2)
    return np.packbits(parts, axis=3, bitorder="little")[..., 0]


def to_rows(units: np.ndarray, cout: int, config: Config) -> np.ndarray:
    """The inverse of `to_units`, as uint8."""
    bits = np.unpackbits(units[..., None], axis=3, count=unit_bits(config), bitorder="little")
    return bits.transpose(0, 2, 3, 1).reshape(-1, units.shape[1])[:cout]
