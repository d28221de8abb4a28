"""The rounds of a step: what is in the banks, and computed, at a time."""

from typing import NamedTuple

import numpy as np

from .bands import window
from .compiled import compiled
from .places import Band
from .records import Design
from .tiling import groups_of


class Task(NamedTuple):
    """A step, its number and its rows of the tables; of what it has not, any row. Rows, unlike
    arrays, cost a call nothing.

    words: mask buffer beats of an output tile; packed: whether rows of a spilled source are loaded
    one by one; rounds: how many.
    """

    at: int
    design: Design
    step: np.record
    placed: np.record
    tensor: np.record
    source: np.record
    source_map: np.record
    residual: np.record
    residual_map: np.record
    output: np.record
    output_map: np.record
    here: np.record
    kept: np.record
    masks: np.record
    parameters: np.record
    words: int
    packed: bool
    rounds: int


class Round(NamedTuple):
    """Some chunks of one band of output rows of an image of the batch. item: number of the band and
    image; groups: those of residual and output that are in the bank. Ends are exclusive."""

    item: int
    image: int
    row_first: int
    row_end: int
    chunk_first: int
    chunk_end: int
    group_first: int
    group_end: int


@compiled
def round_of(t, chunks, number):
    """The round of this number."""
    step, p = t.step, t.placed
    bands = -(-step.rows // p.height)
    items = t.design.batch * bands
    item = number % items
    first = item % bands * p.height
    end = min(first + p.height, step.rows)
    if p.chunk_outer:
        at = p.first_chunk + number // items
        low, high = groups_of(t.design, chunks[at].first, chunks[at].tiles)
        return Round(item, item // bands, first, end, at, at + 1, low, high)
    high = t.output_map.groups if step.output >= 0 else 0
    return Round(item, item // bands, first, end, p.first_chunk, p.first_chunk + p.chunks, 0, high)


@compiled
def band_of(this):
    """Of residual and output in a round."""
    return Band(this.image, this.row_first, this.row_end, this.group_first, this.group_end)


@compiled
def source_band(t, this):
    """Of the source in a round."""
    first, end = 0, t.source_map.height
    if t.packed:
        first, end = this.row_first, this.row_end
    elif t.source.slots:
        first, end = window(t.step, t.source_map, this.row_first, this.row_end)
    return Band(this.image, first, end, 0, t.source_map.groups)


@compiled
def new_job(t, jobs, accesses, image, row_first, row_end):
    """The number of a new descriptor, which touches nothing yet."""
    number = t.here.jobs
    t.here.jobs += 1
    job, access = jobs[number], accesses[number]
    job.step, job.image, job.row_first, job.row_end = t.at, image, row_first, row_end
    job.map = access.source_bank = access.residual_bank = access.output_bank = access.map = -1
    access.image = image
    return number
