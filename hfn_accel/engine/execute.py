"""Descriptors that compute: CONV and POOL."""

from ..images import BATCH_ALIGNMENT, LOGIT_BYTES
from ..program import Opcode
from . import fields
from .compiled import compiled
from .places import hold, take, view
from .regions import aligned
from .rounds import band_of, source_band
from .tiling import groups_of

PASSES, STAYS, ON_CHIP = range(3)
"""What happens to a CONV's masks: `mask_state`."""


@compiled
def execute(t, this, chunk, job, access):
    """The CONV or POOL of a chunk of a round."""
    step, m, design = t.step, t.source_map, t.design
    job.first_tile, job.tiles = chunk.first, chunk.tiles
    band = source_band(t, this)
    inside = view(t.source, m, band, 0, m.groups)
    stride, y_first = step.stride, this.row_first * step.stride - step.pad - band.row_first
    if t.packed:
        stride, y_first = 1, 0
    fields.source(job, m, step, band.row_end - band.row_first, stride, y_first, inside)
    job.src_bank = access.source_bank = t.source.bank
    access.source_first, access.source_end = inside.first, inside.end

    band, groups = band_of(this), groups_of(design, chunk.first, chunk.tiles)
    if step.residual >= 0:
        inside = view(t.residual, t.residual_map, band, groups[0], groups[1])
        job.residual, job.res_bits = 1, t.residual_map.bits
        job.res_base, job.res_group_stride = inside.base, inside.stride
        job.res_bank = access.residual_bank = t.residual.bank
        access.residual_first, access.residual_end = inside.first, inside.end
    if step.output >= 0:
        if t.output.slots:
            hold(t.output, band)
        inside = view(t.output, t.output_map, band, groups[0], groups[1])
        job.dst_base, job.out_group_stride = inside.base, inside.stride
        job.dst_bank = access.output_bank = t.output.bank
        access.output_first, access.output_end = inside.first, inside.end

    height = this.row_end - this.row_first
    if step.pooled:
        job.opcode = Opcode.POOL
        fields.pool(job, m, step, design, height)
        return
    job.opcode = Opcode.CONV
    fields.conv(job, m, step, t.tensor, design, height)
    _masks(t, this, chunk, job, access)
    if step.classifier:
        job.open, job.close = this.row_first == 0, this.row_end == step.rows
        logits = this.image * aligned(step.cout * LOGIT_BYTES, BATCH_ALIGNMENT)
        job.parameter_address = logits + chunk.first * design.columns * LOGIT_BYTES
    else:
        job.out_bits = t.output_map.bits
        _parameters(t, this, chunk, job, access)


@compiled
def _masks(t, this, chunk, job, access):
    """Where in the buffer a CONV's masks are, and whether they are fetched."""
    size = chunk.tiles * t.words
    job.mask_state = PASSES
    if chunk.stays:
        t.here.mask_base = t.here.kept_base + t.kept.base + chunk.first * t.words
        job.mask_state = STAYS if chunk.first >= t.kept.tiles else ON_CHIP
        t.kept.tiles = max(t.kept.tiles, chunk.first + chunk.tiles)
    elif t.placed.chunk_outer and this.item:
        job.mask_state = ON_CHIP
    else:
        t.here.mask_base = take(t.masks, size)
    job.mask_base, job.fetch_mask = t.here.mask_base, job.mask_state != ON_CHIP
    job.plane_beats = size // t.tensor.planes
    access.mask_first, access.mask_end = job.mask_base, job.mask_base + size
    access.mask_fetched = job.fetch_mask


@compiled
def _parameters(t, this, chunk, job, access):
    """The same of its parameters. Those of a chunk that all bands pass before the next stay for
    them; else those of the whole step stay, if there are several rounds and all fit."""
    columns, here = t.design.columns, t.here
    size, behind, fetch, new = chunk.tiles * columns, 0, True, True
    place, whole = size, -(-t.step.cout // columns) * columns
    if t.placed.chunk_outer:
        fetch = new = this.item == 0
    elif t.rounds > 1 and whole <= t.design.parameter_channels:
        place, behind, fetch = whole, chunk.first * columns, this.item == 0
        new = fetch and behind == 0
    if new:
        here.parameter_base = take(t.parameters, place)
    job.parameter_base, job.fetch_parameters = here.parameter_base + behind, fetch
    access.parameter_first, access.parameter_end = job.parameter_base, job.parameter_base + size
    access.parameter_fetched = fetch
