"""Lengths of maps: words of a bank, beats of the bus; docs/architecture.md, Memory layouts.

`m` is a row of the table MAP with its derived columns.
"""

from math import gcd

from ..images import PIXEL_BYTES
from .compiled import compiled


@compiled
def derive(maps, design):
    """Fill the derived columns for a design."""
    for n in range(len(maps)):
        m = maps[n]
        m.groups = -(-m.channels // design.group)
        m.beat_words = design.bus_bits // design.group
        m.row_words = m.width * m.bits
        if m.image:  # lies in memory pixel after pixel
            m.memory_row, m.memory_beat = m.image_width * PIXEL_BYTES, design.bus_bytes
            m.memory_groups = 1
        else:  # as a row of a group in a bank
            m.memory_row, m.memory_beat = m.row_words, m.beat_words
            m.memory_groups = m.groups
        m.grain = m.memory_beat // gcd(m.memory_beat, m.memory_row)
        m.size = m.memory_groups * beats(m, m.height)
        m.alike = n
        for first in range(n):
            if maps[first].alike == first and _equal(m, maps[first]):
                m.alike = first
                break


@compiled
def _equal(a, b):
    """Whether the given columns are equal."""
    return (
        a.channels == b.channels
        and a.height == b.height
        and a.width == b.width
        and a.bits == b.bits
        and a.image == b.image
        and a.outside == b.outside
        and a.image_width == b.image_width
    )


@compiled
def stride(m, rows):
    """Words from group to group of a band of so many rows: whole beats."""
    return -(-rows * m.row_words // m.beat_words) * m.beat_words


@compiled
def rows_in(m, words, groups):
    """Rows of so many groups that fit so many words."""
    return words // groups // m.beat_words * m.beat_words // m.row_words


@compiled
def beats(m, rows):
    """Beats of a group's rows in memory (of the image: of its rows)."""
    return -(-rows * m.memory_row // m.memory_beat)


@compiled
def words(m, batch):
    """Words of a bank that the maps of a batch take."""
    return batch * m.groups * stride(m, m.height)


@compiled
def always_spilled(m):
    """Whether a map is in no bank whatever its size."""
    return m.image or m.outside
