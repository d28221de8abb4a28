"""What a descriptor moves and does, and what a network must at least move."""

import numpy as np

from ..images import LOGIT_BYTES, PIXEL_BYTES
from ..program import DESCRIPTOR_BYTES, PARAMETER_BYTES, Opcode, Signs
from .compiled import compiled
from .durations import beats, conv_pixels, mask_planes
from .records import dtype

FIGURE = dtype(
    # bytes on the bus, by class
    "descriptor_moved_bytes", "mask_moved_bytes", "parameter_moved_bytes",
    "activation_read_moved_bytes", "activation_write_moved_bytes", "weight_moved_bytes",
    # useful work
    "macs", "work",
    # activity
    "array_planes", "tile_rows", "mask_read_rows", "psum_updates", "requantised",
    "parameter_reads", "residual_words", "pool_words", "bank_write_words", "load_beats",
    "store_beats", "mask_write_beats",
    # occupancy, in a BEGIN
    "bank_used_bytes", "mask_used_bytes", "psum_used_pixels", "parameter_used_channels",
    "result_used_words", "descriptors",
)  # fmt: skip
"""Of a descriptor, or the sums of a run.

macs: multiply-accumulates of real channels and taps, a weight once however many coats it has; a
pooled layer counts as run on the pooled map, so only where its sums leave. work: bit-operations of
the array that they need, macs * in_bits * coats (each coat is a ternary pass of its own).

Bytes: reads move whole beats. weight: mask streams with explicit signs, which `mask` leaves out.

Activity counts what the RTL does, channels that do not exist included, in words of C bits:
array_planes: clocks with `Streamer.tag.valid`, a bit-plane of R lanes read from the source's bank.
tile_rows: `Array.row_en`, a row of C weights with C generated signs (unused if they are explicit).
mask_read_rows: rows that `TileFiller` reads of the mask buffer, two a tile row with a sign plane.
psum_updates: `PartialSums.i_valid`, C partial sums read and written, once a pixel of a tile.
requantised: channels through `Requantiser`; parameter_reads: their records, one each.
residual_words, pool_words: planes that `PostProcessor` and `MaxPool` read.
bank_write_words: planes that `PostProcessor`, `MaxPool` and `ImageLoader` write.
load_beats, store_beats: bus beats that LOADs write to a bank and STOREs read from one.
mask_write_beats: beats of the planes that `MaskDecoder` writes, beat by beat or unit by unit.
"""


@compiled
def figures(jobs, design):
    """FIGURE, a row a descriptor."""
    each = np.zeros(len(jobs), FIGURE)
    for i in range(len(jobs)):
        count(jobs[i], design, each[i])
    return each


@compiled
def count(job, design, total):
    """Add what a descriptor moves and does to `total`, a row of FIGURE."""
    total.descriptors += 1
    total.descriptor_moved_bytes += DESCRIPTOR_BYTES
    if job.opcode == Opcode.CONV:
        _conv(job, design, total)
    elif job.opcode == Opcode.POOL:
        pixels = job.granules * job.out_height * job.out_width
        total.pool_words += pixels * job.kernel**2 * job.bits
        total.bank_write_words += pixels * job.bits
    elif job.opcode == Opcode.IMAGE:
        size = job.rows * job.width * PIXEL_BYTES
        total.activation_read_moved_bytes += beats(size, design) * design.bus_bytes
        total.bank_write_words += job.rows * job.out_width * job.granules * 8
    elif job.opcode == Opcode.LOAD:
        total.activation_read_moved_bytes += job.groups * job.beats * design.bus_bytes
        total.load_beats += job.groups * job.beats
    elif job.opcode == Opcode.STORE:
        total.activation_write_moved_bytes += job.groups * job.beats * design.bus_bytes
        total.store_beats += job.groups * job.beats
    elif job.opcode == Opcode.BEGIN:
        total.bank_used_bytes += -(-job.bank_words * design.group // 8)
        total.mask_used_bytes += job.mask_words * design.bus_bytes
        total.psum_used_pixels += job.psum_depth
        total.parameter_used_channels += job.parameter_channels
        total.result_used_words += job.result_words


@compiled
def _conv(job, design, total):
    pixels, planes = conv_pixels(job), mask_planes(job)
    stream = job.fetch_mask * job.mask_beats * design.bus_bytes
    if job.signs == Signs.EXPLICIT:
        total.weight_moved_bytes += stream
    else:
        total.mask_moved_bytes += stream
    parameters = beats(job.out_channels * PARAMETER_BYTES, design) * design.bus_bytes
    total.parameter_moved_bytes += job.fetch_parameters * parameters
    macs = job.fan_in * job.out_channels * (job.close if job.pool else pixels)
    total.macs += macs
    total.work += macs * job.in_bits * job.coats

    passes = job.coats * job.kernel_height * job.kernel_width * job.in_tiles
    rows = job.out_tiles * job.strips * job.coats * job.fan_in
    written = job.out_tiles * pixels  # words of C channels
    total.psum_updates += written * passes
    total.array_planes += written * passes * job.in_bits
    total.tile_rows += rows
    total.mask_read_rows += rows if job.signs == Signs.SEQUENCE else 2 * rows
    total.mask_write_beats += job.fetch_mask * planes * job.plane_beats
    if job.raw:
        total.activation_write_moved_bytes += job.close * job.out_channels * LOGIT_BYTES
    else:
        total.requantised += written * design.columns
        total.parameter_reads += written * design.columns
        total.residual_words += job.residual * written * job.res_bits
        total.bank_write_words += written * job.out_bits


@compiled
def compulsory_bytes(network, design):
    """The least that any plan moves but for descriptors: every tensor's mask stream once, every
    executed layer's parameters once, and the images and logits of the batch."""
    moved = 0
    for tensor in network.tensors:
        end = tensor.first_end - (-tensor.cout // design.columns)
        bits = network.ends[end] - network.ends[tensor.first_end]
        moved += max(1, -(-bits // design.bus_bits)) * design.bus_bytes
    for step in network.steps:
        if step.classifier:
            moved += design.batch * step.cout * LOGIT_BYTES
        elif not step.pooled:
            moved += beats(step.cout * PARAMETER_BYTES, design) * design.bus_bytes
    for m in network.maps:
        if m.image:
            pixels = m.height * m.image_width
            moved += design.batch * beats(pixels * PIXEL_BYTES, design) * design.bus_bytes
    return moved
