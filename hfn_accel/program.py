"""The program: 64-byte descriptors in memory, their fields in one table.

The RTL's decoder, the compiler, the functional simulator, the listing and docs/program.md all
derive from `FIELDS`. A program image is: descriptors (BEGIN, LOAD, CONV..., END), then masks, then
parameters; addresses in descriptors are byte offsets from the image's start, so that an image can
lie anywhere in memory at a multiple of 4096 bytes. Little-endian.
"""

import struct
import zlib
from dataclasses import dataclass, field
from enum import IntEnum

from .config import Config, log2
from .errors import HfnError

MAGIC = 0x4846
VERSION = 1
DESCRIPTOR_BYTES = 64
PARAMETER_BYTES = 8
ALIGNMENT = 4096


class Opcode(IntEnum):
    """First byte of a descriptor."""

    BEGIN = 1
    LOAD = 2
    CONV = 3
    END = 4


@dataclass(frozen=True)
class Field:
    """`bits` wide, unsigned; documented in units of the hardware."""

    name: str
    bits: int
    doc: str


_COMMON = (
    Field("opcode", 8, "1 BEGIN, 2 LOAD, 3 CONV, 4 END"),
    Field("version", 8, "program format version, 1"),
    Field("magic", 16, "0x4846"),
)

FIELDS: dict[Opcode, tuple[Field, ...]] = {
    Opcode.BEGIN: _COMMON + (
        Field("log2_rows", 8, "array lanes R that the program was compiled for"),
        Field("log2_columns", 8, "array columns C"),
        Field("log2_bus_bytes", 8, "memory bus width"),
        Field("reserved", 8, "0"),
        Field("bank_words", 32, "words that the largest tensor takes in a bank"),
        Field("mask_words", 32, "bus beats of mask buffer in use"),
        Field("psum_depth", 32, "pixels of the largest strip"),
        Field("parameter_channels", 32, "channels of the widest layer, in whole column tiles"),
        Field("result_words", 32, "logits, in whole column tiles"),
        Field("accumulator_bits", 32, "accumulator width that the program needs"),
        Field("image_bytes", 32, "length of the whole image"),
        Field("crc32", 32, "CRC-32 of everything after this descriptor"),
        Field("input_bytes", 32, "bytes read from the input address a run"),
        Field("output_bytes", 32, "bytes written to the output address a run"),
        Field("descriptors", 32, "descriptors in the image, this one included"),
    ),
    Opcode.LOAD: _COMMON + (
        Field("dst_bank", 8, "activation bank 0-2 that receives the image, 8 bits a channel"),
        Field("channels", 8, "channels 1-4; a pixel is 4 bytes in memory whatever its channels"),
        Field("granules", 8, "column tiles a pixel spans: ceil(channels / C)"),
        Field("reserved", 8, "0"),
        Field("pixels", 32, "pixels to load"),
        Field("group_stride", 32, "words from one channel group to the next: pixels * 8"),
    ),
    Opcode.CONV: _COMMON + (
        Field("src_bank", 2, "bank of the input"),
        Field("dst_bank", 2, "bank of the output; differs from the others"),
        Field("res_bank", 2, "bank of the residual"),
        Field("residual", 1, "add the residual"),
        Field("raw", 1, "write accumulators to the result buffer, then to memory"),
        Field("pool", 1, "sum over all pixels (global average pooling, scale folded away)"),
        Field("fetch_mask", 1, "fetch the mask; 0: it is still in the mask buffer"),
        Field("in_bits", 4, "activation bits 1-8 of the input"),
        Field("out_bits", 4, "activation bits 1-8 of the output"),
        Field("res_bits", 4, "activation bits 1-8 of the residual"),
        Field("shift", 6, "S of the requantisation, 1-47"),
        Field("kernel", 4, "kernel height and width"),
        # the next field begins at bit 64
        Field("sign_state", 64, "LFSR state at the tensor's first weight"),
        Field("stride", 4, "1 or 2"),
        Field("pad", 4, "zero padding on every side"),
        Field("in_height", 12, "input rows"),
        Field("in_width", 12, "input columns"),
        Field("out_width", 12, "output columns"),
        Field("last_rows", 8, "lanes in use in a tap's last input tile, 1-R"),
        Field("in_tiles", 12, "input-channel tiles: ceil(Cin / R)"),
        # bit 192
        Field("out_tiles", 12, "output-channel tiles: ceil(Cout / C)"),
        Field("strips", 12, "strips of output rows"),
        Field("strip_rows", 12, "output rows of every strip but the last"),
        Field("last_strip_rows", 12, "output rows of the last strip"),
        Field("row_stride", 16, "words from one input row to the next: width * in_bits"),
        # bit 256
        Field("origin", 16, "pad * (row_stride + in_bits): words before the first pixel"),
        Field("mask_base", 20, "mask buffer word at which the layer's mask begins"),
        Field("mask_beats", 20, "length of the layer's mask in bus beats"),
        Field("reserved", 8, "0"),
        # bit 320
        Field("in_group_stride", 20, "words from one input channel group to the next"),
        Field("out_group_stride", 20, "the same of the output"),
        Field("strip_stride", 24, "input words from strip to strip: strip_rows*stride*row_stride"),
        # bit 384
        Field("mask_address", 32, "byte offset of the mask in the image"),
        Field("parameter_address", 32, "byte offset of the parameters in the image"),
        # bit 448
        Field("res_group_stride", 20, "words from one residual channel group to the next"),
        Field("out_channels", 16, "Cout: parameters to fetch, logits to write"),
    ),
    Opcode.END: _COMMON,
}  # fmt: skip


def offsets(opcode: Opcode) -> dict[str, tuple[int, int]]:
    """Field name -> (first bit, bits) within the 512-bit descriptor."""
    table, bit = {}, 0
    for f in FIELDS[opcode]:
        table[f.name] = (bit, f.bits)
        bit += f.bits
    assert bit <= 8 * DESCRIPTOR_BYTES
    return table


def encode(opcode: Opcode, **values: int) -> bytes:
    """One descriptor; unnamed fields are 0. Raises HfnError for a value that does not fit."""
    values = {"opcode": int(opcode), "version": VERSION, "magic": MAGIC, **values}
    table, word = offsets(opcode), 0
    for name, value in values.items():
        bit, bits = table[name]
        if not 0 <= value < 1 << bits:
            raise HfnError(f"descriptor field {name} must be 0 to {(1 << bits) - 1}, not {value}")
        word |= int(value) << bit
    return word.to_bytes(DESCRIPTOR_BYTES, "little")


def decode(data: bytes) -> tuple[Opcode, dict[str, int]]:
    """Opcode and fields of one descriptor. Raises HfnError if it is not one of this version."""
    word = int.from_bytes(data, "little")
    if len(data) != DESCRIPTOR_BYTES or (word >> 16) & 0xFFFF != MAGIC:
        raise HfnError("not an hfn-accel descriptor (wrong magic number)")
    if (word >> 8) & 0xFF != VERSION:
        raise HfnError(f"descriptor version must be {VERSION}, not {(word >> 8) & 0xFF}")
    if word & 0xFF not in list(Opcode):
        raise HfnError(f"unknown descriptor opcode {word & 0xFF}")
    opcode = Opcode(word & 0xFF)
    return opcode, {n: (word >> b) & ((1 << w) - 1) for n, (b, w) in offsets(opcode).items()}


def pack_parameters(multiplier, residual, bias) -> bytes:
    """Per-channel records: int16 M, int16 Mr, int32 B, little-endian, 8 bytes a channel."""
    return b"".join(
        struct.pack("<hhi", *map(int, r)) for r in zip(multiplier, residual, bias, strict=True)
    )


@dataclass(frozen=True)
class Program:
    """A program image for one configuration.

    `image`: the bytes to place in memory. `notes`: one human-readable line a descriptor (the
    compiler's plan), not part of the image.
    """

    image: bytes
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def header(self) -> dict[str, int]:
        return decode(self.image[:DESCRIPTOR_BYTES])[1]

    @property
    def descriptors(self) -> list[tuple[Opcode, dict[str, int]]]:
        size = DESCRIPTOR_BYTES
        return [decode(self.image[i * size : (i + 1) * size])
                for i in range(self.header["descriptors"])]  # fmt: skip

    @classmethod
    def parse(cls, data: bytes) -> "Program":
        """From bytes. Raises HfnError for a damaged, truncated or foreign image."""
        if len(data) < DESCRIPTOR_BYTES:
            raise HfnError("program image is shorter than one descriptor")
        opcode, header = decode(data[:DESCRIPTOR_BYTES])
        if opcode != Opcode.BEGIN:
            raise HfnError("program image does not start with a BEGIN descriptor")
        if len(data) != header["image_bytes"]:
            raise HfnError(
                f"program image is {len(data)} bytes, its header says {header['image_bytes']}"
            )
        if zlib.crc32(data[DESCRIPTOR_BYTES:]) != header["crc32"]:
            raise HfnError("program image is damaged (CRC-32 differs)")
        program = cls(data)
        program.descriptors  # noqa: B018  (decodes every one: raises for what is illegal)
        return program

    def check(self, config: Config):
        """Raise HfnError if the program was compiled for another configuration."""
        h = self.header
        for name, want, have in (
            ("--pe", f"{1 << h['log2_rows']}x{1 << h['log2_columns']}", config.name),
            ("axi_data_width", 8 << h["log2_bus_bytes"], config.axi_data_width),
        ):
            if want != have:
                raise HfnError(f"program was compiled for {name} {want}, not {have}")
        for name, have in available(config).items():
            if h[name] > have:
                raise HfnError(f"program needs {name} {h[name]}, the configuration has {have}")


def available(config: Config) -> dict[str, int]:
    """What BEGIN's requirement fields are compared with, in Python and in the RTL."""
    return {
        "bank_words": config.bank_words,
        "mask_words": config.mask_words,
        "psum_depth": config.psum_depth,
        "parameter_channels": config.parameter_channels,
        "result_words": config.result_words,
        "accumulator_bits": config.accumulator_bits,
    }


def shape_fields(config: Config) -> dict[str, int]:
    """BEGIN fields that must equal the configuration's."""
    return {
        "log2_rows": log2(config.rows),
        "log2_columns": log2(config.columns),
        "log2_bus_bytes": log2(config.bus_bytes),
    }
