"""What lies where in the image and in memory: masks, parameters, and what BEGIN says of it all."""

import numpy as np

from ..images import BATCH_ALIGNMENT, LOGIT_BYTES, PIXEL_BYTES
from ..program import DESCRIPTOR_BYTES, PARAMETER_BYTES, Opcode
from .compiled import compiled
from .tiling import mask_beats

REGION_ALIGNMENT = 64  # of masks and parameters in the image


@compiled
def aligned(size, unit):
    """The next multiple of `unit`."""
    return -(-size // unit) * unit


@compiled
def lay_out(jobs, accesses, network, design):
    """Give masks and parameters their addresses: each CONV's chunk of a tensor's masks lies in the
    image once, then every layer's parameters follow; and complete BEGIN, jobs[0]."""
    size = _masks(jobs, aligned(len(jobs) * DESCRIPTOR_BYTES, REGION_ALIGNMENT), network, design)
    jobs[0].image_bytes = _parameters(jobs, size, network, design)
    _needs(jobs, accesses, design)
    _begin(jobs[0], len(jobs), network, design)


@compiled
def _masks(jobs, size, network, design):
    """Beats of the streams, and addresses from `size` on, in order of use; where those end."""
    last = np.full(len(network.tensors), -1)  # CONV that first uses a chunk of the tensor
    before = np.full(len(jobs), -1)  # the one before of the same tensor
    for n in range(len(jobs)):
        job = jobs[n]
        if job.opcode != Opcode.CONV:
            continue
        tensor = network.steps[job.step].tensor
        same = last[tensor]
        while same >= 0 and not (
            jobs[same].first_tile == job.first_tile and jobs[same].tiles == job.tiles
        ):
            same = before[same]
        if same >= 0:
            job.mask_address, job.mask_beats = jobs[same].mask_address, jobs[same].mask_beats
        else:
            before[n], last[tensor] = last[tensor], n
            job.mask_address = size
            job.mask_beats = mask_beats(network, design, tensor, job.first_tile, job.tiles)
            size += aligned(job.mask_beats * design.bus_bytes, REGION_ALIGNMENT)
    return size


@compiled
def _parameters(jobs, size, network, design):
    """The same of parameters, in order of the layers."""
    addresses = np.zeros(len(network.steps), np.int64)
    for n in range(len(network.steps)):
        step = network.steps[n]
        if not (step.pooled or step.classifier):
            addresses[n] = size
            size += aligned(step.cout * PARAMETER_BYTES, REGION_ALIGNMENT)
    for n in range(len(jobs)):
        job = jobs[n]
        if job.opcode == Opcode.CONV and not job.raw:
            first = job.first_tile * design.columns * PARAMETER_BYTES
            job.parameter_address = addresses[job.step] + first
    return size


@compiled
def parameter_unit(design):
    """Channels that parameters are fetched in: whole column tiles and beats."""
    return max(8, design.columns)


@compiled
def _needs(jobs, accesses, design):
    """BEGIN's requirement fields but for the accumulators."""
    words = masks = sums = channels = tiles = 0
    for n in range(1, len(jobs)):
        job, a = jobs[n], accesses[n]
        words = max(words, a.source_end, a.residual_end, a.output_end)
        masks, channels = max(masks, a.mask_end), max(channels, a.parameter_end)
        if job.raw:
            tiles = max(tiles, job.out_tiles)
        else:
            sums = max(sums, job.strip_rows * job.out_width)  # 0 but of a CONV
    begin = jobs[0]
    begin.bank_words, begin.mask_words, begin.psum_depth = words, masks, max(tiles, sums)
    begin.parameter_channels = aligned(channels, parameter_unit(design))
    begin.result_words = tiles * design.columns


@compiled
def _begin(begin, descriptors, network, design):
    """The rest of BEGIN: shape of the array, and what a run reads and writes."""
    begin.log2_rows, begin.log2_columns = _log2(design.rows), _log2(design.columns)
    begin.log2_bus_bytes = _log2(design.bus_bytes)
    begin.descriptors, begin.batch = descriptors, design.batch
    for m in network.maps:
        if m.image:
            pixels = m.height * m.image_width * PIXEL_BYTES
            begin.input_bytes = (design.batch - 1) * aligned(pixels, BATCH_ALIGNMENT)
            begin.input_bytes += aligned(pixels, design.bus_bytes)
    for step in network.steps:
        if step.classifier:
            begin.classes, logits = step.cout, step.cout * LOGIT_BYTES
            begin.output_bytes = (design.batch - 1) * aligned(logits, BATCH_ALIGNMENT) + logits


@compiled
def _log2(value):
    log2 = 0
    while value >> log2 > 1:
        log2 += 1
    return log2
