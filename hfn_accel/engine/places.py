"""Places that descriptors use one after the other: in buffers, in banks and in the workspace."""

from typing import NamedTuple

import numpy as np

from .compiled import compiled
from .maps import stride
from .records import dtype

_REGION = 64  # bytes that a map in the workspace is a multiple of

RING = dtype("low", "high", "unit", "at")
"""A buffer from `low` to `high` whose places are taken in turn, in multiples of `unit`, so that
what is fetched next seldom waits for what is in use."""

REGION = dtype("address", "end")
"""Bytes of the workspace that belong to a map; end 0: none do."""


class Band(NamedTuple):
    """Rows and channel groups of an image's map, ends exclusive. Rows are counted in the map, or
    of a source of which not all are read, in those that are."""

    image: int
    row_first: int
    row_end: int
    group_first: int
    group_end: int


OPERAND = np.dtype([
    *dtype("map", "address", "image_bytes", "bank", "slots", "size", "turn").descr,
    ("held", np.int64, (2, len(Band._fields))),
])  # fmt: skip
"""Where a step has its source, residual or output; map -1: it has none.

Bands of a spilled map pass through the bank, each in the next of `slots` slots of `size` words;
held[slot]: the band that is in it; address, image_bytes: in memory, of the first image's map, and
from image to image. slots 0: the bank holds the map of every image from birth to death, one behind
the other."""


class View(NamedTuple):
    """Of a bank: the word of the first row of a group, words from group to group, and the words
    first...end - 1 that may be in use."""

    base: int
    stride: int
    first: int
    end: int


@compiled
def open_ring(ring, low, high, unit):
    """Make `ring`, a row of RING, an empty one."""
    ring.low, ring.high, ring.unit, ring.at = low, high, unit, low


@compiled
def take(ring, size):
    """The next place of so many units of the buffer, at most all of it."""
    size = -(-size // ring.unit) * ring.unit
    if ring.at + size > ring.high:
        ring.at = ring.low
    ring.at += size
    return ring.at - size


@compiled
def slot_of(operand, band):
    """The slot that holds the band, -1 if none does."""
    for slot in range(operand.slots):
        same = True
        for i in range(len(band)):
            same &= operand.held[slot, i] == band[i]
        if same:
            return slot
    return -1


@compiled
def hold(operand, band):
    """Give the band a slot of the operand's; False if it is in one still."""
    if slot_of(operand, band) >= 0:
        return False
    for i in range(len(band)):
        operand.held[operand.turn, i] = band[i]
    operand.turn = (operand.turn + 1) % operand.slots
    return True


@compiled
def view(operand, m, band, first, end):
    """Where groups first...end - 1 of a band of the operand's map `m` lie; of a spilled one, `hold`
    has given the band a slot."""
    if operand.slots:
        apart = stride(m, band.row_end - band.row_first)
        base = slot_of(operand, band) * operand.size + (first - band.group_first) * apart
        return View(base, apart, base, base + (end - first) * apart)
    apart = stride(m, m.height)
    image = band.image * m.groups * apart
    base = image + first * apart + band.row_first * m.row_words
    return View(base, apart, image, image + m.groups * apart)


@compiled
def settle(regions, number, size):
    """Give map `number` the first gap of `size` bytes between the REGIONs; its end."""
    address, moved = 0, True
    while moved:
        moved = False
        for n in range(len(regions)):
            if regions[n].address < address + size and address < regions[n].end:
                address, moved = regions[n].end, True
    regions[number].address = address
    regions[number].end = address + -(-size // _REGION) * _REGION
    return regions[number].end
