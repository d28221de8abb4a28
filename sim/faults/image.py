"""Program images whose fields nobody checked: set, moved, sealed."""

import zlib

from hfn_accel.config import Config
from hfn_accel.program import DESCRIPTOR_BYTES, Opcode, Program, encode, offsets

SET = ("opcode",)  # `encode` sets it
SPILL = {"address": 64, "groups": 2, "beats": 12, "bank_stride": 16, "memory_stride": 320}
WORKSPACE = 768  # bytes


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


def reworked(program: Program, config: Config, room: int) -> Program:
    """The program with every map stored to the workspace and loaded back where it was, and with
    room for so many descriptors before its masks and parameters.

    For small programs, whose own maps all stay in a bank: this shows LOAD and STORE at work too.
    """
    old = program.descriptors
    distance = (room - len(old)) * DESCRIPTOR_BYTES
    parts, executed, stored = [], 0, 0
    for opcode, fields in old[1:]:
        changes = {"hold_stored": stored} if opcode in (Opcode.CONV, Opcode.POOL) else {}
        if opcode == Opcode.CONV:
            names = ["mask_address"] + ["parameter_address"] * (not fields["raw"])
            changes |= {name: fields[name] + distance for name in names}
        parts.append(
            encode(opcode, **{k: v for k, v in (fields | changes).items() if k not in SET})
        )
        if opcode not in (Opcode.CONV, Opcode.POOL):
            continue
        executed += 1
        if fields.get("raw"):
            continue
        place = {"bank": fields["dst_bank"], **SPILL}
        stored += 1
        parts.append(encode(Opcode.STORE, **place))
        parts.append(encode(Opcode.LOAD, wait_executed=executed, wait_stored=stored, **place))
    begin = old[0][1] | {"descriptors": len(parts) + 1, "workspace_bytes": WORKSPACE}
    rest = program.image[len(old) * DESCRIPTOR_BYTES :]
    parts.append(bytes((room - len(parts) - 1) * DESCRIPTOR_BYTES))
    begin |= {"bank_words": config.bank_words, "image_bytes": room * DESCRIPTOR_BYTES + len(rest)}
    image = encode(Opcode.BEGIN, **{k: v for k, v in begin.items() if k not in SET})
    return Program.parse(sealed(image + b"".join(parts) + rest, begin["descriptors"]))


def sealed(image: bytes, count: int) -> bytes:
    """The image with CRCs that fit: of its first `count` descriptors, of what its CONVs fetch, and
    of the whole."""
    rest = image[DESCRIPTOR_BYTES:]
    return put(image[:DESCRIPTOR_BYTES], Opcode.BEGIN, crc32=zlib.crc32(rest)) + rest
