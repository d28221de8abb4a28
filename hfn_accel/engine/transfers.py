"""Descriptors that move bands of maps between memory and banks: IMAGE, LOAD and STORE."""

from ..program import Opcode
from . import fields
from .compiled import compiled
from .places import hold, view
from .rounds import band_of, new_job, source_band


@compiled
def load(t, jobs, accesses, this, least, most):
    """Load what a round needs and is not there, of spilled operands with so many slots."""
    if least <= t.source.slots <= most:
        band = source_band(t, this)
        if hold(t.source, band):
            opcode = Opcode.IMAGE if t.source_map.image else Opcode.LOAD
            transfer(t, jobs, accesses, t.source, t.source_map, band, opcode)
    if least <= t.residual.slots <= most:
        band = band_of(this)
        if hold(t.residual, band):
            transfer(t, jobs, accesses, t.residual, t.residual_map, band, Opcode.LOAD)


@compiled
def transfer(t, jobs, accesses, operand, m, band, opcode):
    """IMAGE, LOAD or STORE of a band; one a row where not all rows are read."""
    inside = view(operand, m, band, band.group_first, band.group_end)
    first, rows, pieces, apart = band.row_first, band.row_end - band.row_first, 1, 0
    if t.packed and operand.map == t.source.map:
        first, rows, pieces, apart = first * t.step.stride, 1, rows, t.step.stride
    for piece in range(pieces):
        new = new_job(t, jobs, accesses, band.image, band.row_first, band.row_end)
        job, access = jobs[new], accesses[new]
        job.opcode, job.map, job.bank = opcode, operand.map, operand.bank
        job.address = operand.address + band.image * operand.image_bytes
        base = inside.base + piece * m.row_words
        if opcode == Opcode.IMAGE:
            fields.image(job, m, t.step, t.design, first, first + rows, base, inside.stride)
        else:
            fields.transfer(job, m, t.design, first, first + rows, band.group_first,
                            band.group_end, base, inside.stride)  # fmt: skip
            access.map, access.row_first, access.row_end = operand.map, first, first + rows
            access.group_first, access.group_end = band.group_first, band.group_end
        if opcode == Opcode.STORE:
            access.source_bank = operand.bank
            access.source_first, access.source_end = inside.first, inside.end
        else:
            access.output_bank = operand.bank
            access.output_first, access.output_end = inside.first, inside.end
        first += apart
