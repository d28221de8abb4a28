"""Descriptor layouts of hfn_accel.program as Amaranth structures."""

from amaranth.lib import data

from hfn_accel.program import DESCRIPTOR_BYTES, FIELDS, Opcode

BITS = 8 * DESCRIPTOR_BYTES


def layout(opcode: Opcode) -> data.StructLayout:
    """The fields of an opcode, first field in the lowest bits; padded to a whole descriptor."""
    fields = {f.name: f.bits for f in FIELDS[opcode]}
    fields["padding"] = BITS - sum(fields.values())
    return data.StructLayout(fields)


CONV = layout(Opcode.CONV)
"""A layer's descriptor, as it reaches every block that executes a part of it."""
