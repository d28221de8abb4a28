"""How long every part of a descriptor takes, in clocks: closed forms over a row of JOB.

The benches of the RTL's blocks call the same functions. `latency`: clocks from an address to its
first beat (of a write: from a burst's last beat to the response), at most LONGEST_LATENCY. A
transfer's time holds for a memory, or a consumer, that never makes it wait.
"""

import numpy as np

from .. import timing
from ..images import LOGIT_BYTES
from ..program import PARAMETER_BYTES, Opcode, Signs
from ..registers import Cause
from ..timing import (
    BANK_CYCLES,
    CHECK_CYCLES,
    CODED_CYCLES,
    FILL_CYCLES,
    LOAD_CYCLES,
    PHASE_CYCLES,
    PLAIN_CYCLES,
    PLANE_CYCLES,
    POOL_CYCLES,
    PSUM_CYCLES,
    READ_CYCLES,
    REQUANTISE_CYCLES,
    RESIDUAL_CYCLES,
    SETUP_CYCLES,
    WRITE_CYCLES,
)
from ..units import UNIT
from .compiled import compiled

CAUSE_COUNT = len(Cause)
"""Length of arrays that a `Cause` indexes; nothing is spent on IDLE."""

array_latency = compiled(timing.array_latency)


@compiled
def durations(jobs, design):
    """int64 (jobs, CAUSE_COUNT): how long the parts of every descriptor take.

    LOAD, PARAMETER, MASK: the fetcher's phases behind the descriptor's own. FILL, COMPUTE, STALL
    and DRAIN of a CONV, or POOL: of the executor, from the clock of `setup` or `pool_start` to that
    of the last write, both included. STORE: the transfers of a STORE by the storer, or of a CONV's
    logits by the executor.
    """
    clocks = np.zeros((len(jobs), CAUSE_COUNT), np.int64)
    for i in range(len(jobs)):
        job, spent = jobs[i], clocks[i]
        if job.opcode == Opcode.CONV:
            if job.fetch_parameters:
                spent[Cause.PARAMETER] = parameter_cycles(job, design)
            if job.fetch_mask:
                spent[Cause.MASK] = mask_cycles(job, design)
            parts = conv_cycles(job, design)
            spent[Cause.FILL], spent[Cause.COMPUTE], spent[Cause.STALL], spent[Cause.DRAIN] = parts
            if job.raw and job.close:
                spent[Cause.STORE] = result_cycles(job, design)
        elif job.opcode == Opcode.POOL:
            spent[Cause.POOL] = pool_cycles(job)
        elif job.opcode == Opcode.IMAGE:
            spent[Cause.LOAD] = image_cycles(job, answer(design)) + PHASE_CYCLES
        elif job.opcode == Opcode.LOAD:
            spent[Cause.LOAD] = load_cycles(job, design.latency)
        elif job.opcode == Opcode.STORE:
            spent[Cause.STORE] = store_cycles(job, design.latency)
    return clocks


@compiled
def beats(size, design):
    """Bus beats of so many bytes."""
    return -(-size // design.bus_bytes)


@compiled
def read_cycles(beats, latency):
    """Clocks of a `ReadDma` from start to the first with `busy` low."""
    return beats + latency + READ_CYCLES


@compiled
def answer(design):
    """The latency that a block sees whose beats begin to come so many clocks and one more after the
    start of the `ReadDma` and of itself."""
    return design.latency + READ_CYCLES - 1


@compiled
def write_cycles(beats, latency):
    """Clocks of a `WriteDma` from start to the first with `busy` low."""
    return beats + latency + WRITE_CYCLES


@compiled
def load_cycles(job, latency):
    """Of a LOAD's phase: one transfer a group."""
    return job.groups * (read_cycles(job.beats, latency) + PHASE_CYCLES)


@compiled
def store_cycles(job, latency):
    """Of a STORE in the storer: one transfer a group."""
    return job.groups * (write_cycles(job.beats, latency) + PHASE_CYCLES)


@compiled
def parameter_cycles(job, design):
    """Of the phase of a CONV's parameters."""
    count = beats(job.out_channels * PARAMETER_BYTES, design)
    return read_cycles(count, design.latency) + PHASE_CYCLES + CHECK_CYCLES


@compiled
def result_cycles(job, design):
    """Of a CONV's logits on their way to memory."""
    count = beats(job.out_channels * LOGIT_BYTES, design)
    return write_cycles(count, design.latency) + PHASE_CYCLES


@compiled
def image_cycles(job, latency):
    """Clocks of `ReadDma` and `ImageLoader`, started together, until both are idle, of an IMAGE.

    A word's pixel takes 8 clocks a granule; so many pixels (zeros beside the row included) enter
    the window one a clock, one of them in the last clock of each word's pixel but a row's last.
    """
    used = (job.out_width - 1) * job.stride + job.taps
    row = max(job.pad + job.width, used) + job.out_width * (8 * job.granules - 1) + 1
    return LOAD_CYCLES + latency + job.rows * row


@compiled
def mask_planes(job):
    """Planes of a CONV's masks: one a coat, and one of signs unless they are generated."""
    return job.coats + (job.signs != Signs.SEQUENCE)


@compiled
def decode_cycles(units, planes, latency):
    """Clocks of `MaskDecoder` and DMA, started together, until both are idle, at a coded stream.

    units: of one plane, out_tiles * fan_in * C / unit.
    """
    return units * planes + latency + CODED_CYCLES


@compiled
def plain_cycles(beats, latency):
    """The same of a plain stream."""
    return beats + latency + PLAIN_CYCLES


@compiled
def mask_cycles(job, design):
    """Of the phase of a CONV's mask stream, plain or coded (docs/architecture.md, Mask stream)."""
    planes = mask_planes(job)
    if planes > 1 or job.code > 0 or job.pruned + job.locked > 0:
        units = job.out_tiles * job.fan_in * (design.columns // min(UNIT, design.columns))
        return decode_cycles(units, planes, answer(design)) + PHASE_CYCLES + CHECK_CYCLES
    return plain_cycles(job.mask_beats, answer(design)) + PHASE_CYCLES + CHECK_CYCLES


@compiled
def period(job, design):
    """Clocks of a pixel of a CONV in the last pass."""
    written = 0 if job.raw else job.out_bits
    residual = job.res_bits if job.residual else 0
    return max(job.in_bits, written, residual, design.columns // design.units)


@compiled
def conv_pixels(job):
    """Output pixels of a CONV; of a pooled layer, the pixels that it sums over."""
    return ((job.strips - 1) * job.strip_rows + job.last_strip_rows) * job.out_width


@compiled
def conv_cycles(job, design):
    """(fill, compute, stall, drain) of a CONV (docs/architecture.md, Time of a tile).

    A strip holds coats * taps * in_tiles tiles. Its tiles but the last stream X pixels of in_bits
    clocks, and the tile after each has `last_rows` rows at the end of a tap and R rows elsewhere;
    its last tile streams X pixels of `period` clocks, and is followed by the first tile of the next
    strip, except at the very end. Waiting is by how much a stream falls short of the clocks that
    tiles begin apart at least, which is what the fill of the next one takes.
    """
    taps = job.coats * job.kernel_height * job.kernel_width
    last = period(job, design)
    a_row = 1 if job.signs == Signs.SEQUENCE else 2
    full, short = design.rows * a_row + FILL_CYCLES, job.last_rows * a_row + FILL_CYCLES
    single = job.in_tiles == 1
    first = short if single else full  # fill of a strip's first tile
    to_short = taps - single  # followers within a strip with last_rows rows, and with R rows
    to_full = taps * job.in_tiles - 1 - to_short
    stall = after = 0
    for strips, rows in ((job.strips - 1, job.strip_rows), (1, job.last_strip_rows)):
        pixels = rows * job.out_width
        stream = pixels * job.in_bits
        after = max(first - pixels * last, 0)  # behind a strip's last tile
        within = to_full * max(full - stream, 0) + to_short * max(short - stream, 0)
        stall += strips * (within + after)
    compute = conv_pixels(job) * ((taps * job.in_tiles - 1) * job.in_bits + last)
    return (
        SETUP_CYCLES + first,
        job.out_tiles * compute,
        job.out_tiles * stall - after,
        drain_cycles(job, design),
    )


@compiled
def drain_cycles(job, design):
    """Clocks from a CONV's last pixel slot to its last write, inclusive. A raw layer whose sums
    stay (`pool` without `close`) takes as long."""
    groups = design.columns // design.units
    sums = BANK_CYCLES + array_latency(design.rows) + PLANE_CYCLES + PSUM_CYCLES
    if job.raw:
        behind = groups
    else:
        behind = RESIDUAL_CYCLES + groups + REQUANTISE_CYCLES - 1 + job.out_bits
    return sums + behind - (period(job, design) - job.in_bits)


@compiled
def pool_cycles(job):
    """Clocks of a POOL from `start` to its last write, both included."""
    pixels = job.out_height * job.out_width
    return job.granules * pixels * job.kernel**2 * job.bits + POOL_CYCLES
