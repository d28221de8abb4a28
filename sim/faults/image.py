"""Program images whose fields nobody checked: set, moved, sealed."""

import zlib

from hfn_accel.config import Config
from hfn_accel.program import (
    DESCRIPTOR_BYTES,
    PARAMETER_BYTES,
    Opcode,
    Program,
    encode,
    offsets,
    with_crc,
)

SET = ("opcode",)  # `encode` sets it
FETCHED = ("fetch_mask", "mask_address", "mask_beats", "fetch_parameters", "parameter_address",
           "out_channels")  # fmt: skip
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
    return Program.parse(sealed(image + b"".join(parts) + rest, begin["descriptors"], config))


def sealed(image: bytes, count: int, config: Config, behind: bytes = b"") -> bytes:
    """The image with CRCs that fit: of its first `count` descriptors, of what their CONVs fetch
    from it and from what lies `behind` it in memory, and of the whole."""
    memory, sealed = image + behind, bytearray(image)

    def crc(address, size):
        return zlib.crc32(
            memory[address : address + -(-size // config.bus_bytes) * config.bus_bytes]
        )

    for at in range(0, count * DESCRIPTOR_BYTES, DESCRIPTOR_BYTES):
        part = image[at : at + DESCRIPTOR_BYTES]
        if part[0] == Opcode.CONV:
            f = {name: get(part, Opcode.CONV, name) for name in FETCHED}
            mask = f["fetch_mask"] * f["mask_beats"] * config.bus_bytes
            records = f["fetch_parameters"] * f["out_channels"] * PARAMETER_BYTES
            part = put(part, Opcode.CONV, mask_crc32=crc(f["mask_address"], mask),
                       parameter_crc32=crc(f["parameter_address"], records))  # fmt: skip
        sealed[at : at + DESCRIPTOR_BYTES] = with_crc(part)
    begin = bytes(sealed[:DESCRIPTOR_BYTES])
    if begin[0] == Opcode.BEGIN:
        whole = zlib.crc32(sealed[DESCRIPTOR_BYTES:])
        sealed[:DESCRIPTOR_BYTES] = with_crc(put(begin, Opcode.BEGIN, image_crc32=whole))
    return bytes(sealed)
