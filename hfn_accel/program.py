"""The program: 112-byte descriptors in memory, their fields in one table.

The RTL's decoder, the compiler, the functional simulator, the listing and docs/program.md all
derive from `FIELDS`. A program image is: descriptors (BEGIN, IMAGE, CONV..., END), then masks, then
parameters; addresses in descriptors are byte offsets from the image's start, so that an image can
lie anywhere in memory at a multiple of 4096 bytes. Little-endian. Everything that the core fetches
carries a CRC-32 (that of zlib): a descriptor in its last 4 bytes, which `encode` adds; streams of
masks and parameters in the CONV that fetches them, which `seal` fills in.
"""

import struct
import zlib
from dataclasses import dataclass, field
from enum import IntEnum

from .config import Config, log2
from .errors import HfnError

MAGIC = 0x4846
VERSION = 3
DESCRIPTOR_BYTES = 112
CRC_BYTES = 4
PARAMETER_BYTES = 8
ALIGNMENT = 4096
BANKS = 3


class Opcode(IntEnum):
    """First byte of a descriptor."""

    BEGIN = 1
    IMAGE = 2
    CONV = 3
    END = 4
    LOAD = 5
    STORE = 6
    POOL = 7


class Signs(IntEnum):
    """Where a layer's weights have their signs from: CONV's `signs`."""

    SEQUENCE = 0
    EXCEPTIONS = 1
    EXPLICIT = 2


@dataclass(frozen=True)
class Field:
    """`bits` wide, unsigned; documented in units of the hardware."""

    name: str
    bits: int
    doc: str


_COMMON = (
    Field("opcode", 8, "1 BEGIN, 2 IMAGE, 3 CONV, 4 END, 5 LOAD, 6 STORE, 7 POOL"),
    Field("version", 8, f"program format version, {VERSION}"),
    Field("magic", 16, f"{MAGIC:#x}"),
)
_TOKENS = (
    Field("wait_executed", 16, "CONVs and POOLs that must be complete before anything is fetched"),
    Field("wait_stored", 16, "STOREs that must be complete before anything is fetched"),
    Field("hold_stored", 16, "STOREs that must be complete before it is executed"),
)
_TRANSFER = (*_COMMON, *_TOKENS,
    Field("bank", 2, "activation bank 0-2"),
    Field("reserved", 14, "0"),
    Field("address", 32, "byte offset from the workspace's start; whole bus beats"),
    Field("bank_beat", 24, "place in the bank, in bus beats"),
    Field("groups", 12, "channel groups"),
    Field("beats", 24, "bus beats of a group"),
    Field("bank_stride", 24, "beats from group to group in the bank"),
    Field("memory_stride", 32, "bytes from group to group in memory; whole bus beats"),
)  # fmt: skip

FIELDS: dict[Opcode, tuple[Field, ...]] = {
    Opcode.BEGIN: _COMMON + (
        Field("log2_rows", 8, "array lanes R that the program was compiled for"),
        Field("log2_columns", 8, "array columns C"),
        Field("log2_bus_bytes", 8, "memory bus width"),
        Field("reserved", 8, "0"),
        Field("bank_words", 32, "words in use in a bank"),
        Field("mask_words", 32, "bus beats of mask buffer in use"),
        Field("psum_depth", 32, "pixels of the largest strip"),
        Field("parameter_channels", 32, "channels of parameter buffer in use"),
        Field("result_words", 32, "logits, in whole column tiles"),
        Field("accumulator_bits", 32, "accumulator width that the program needs"),
        Field("image_bytes", 32, "length of the whole program image"),
        Field("image_crc32", 32, "CRC-32 of everything after this descriptor"),
        Field("input_bytes", 32, "bytes from the input address on that a run reads"),
        Field("output_bytes", 32, "bytes from the output address on that a run writes"),
        Field("workspace_bytes", 32, "bytes from the workspace address on that a run uses"),
        Field("descriptors", 32, "descriptors in the image, this one included"),
        Field("batch", 16, "images that a run classifies"),
        Field("classes", 16, "logits of an image"),
    ),
    Opcode.IMAGE: _COMMON + _TOKENS + (
        Field("bank", 2, "activation bank 0-2"),
        Field("channels", 3, "channels of a pixel 1-4; a pixel is 4 bytes in memory"),
        Field("taps", 4, "neighbouring pixels of a row side by side in the lanes"),
        Field("stride", 3, "pixels from one word's first tap to the next's: 1 or 2"),
        Field("pad", 4, "zero pixels before a row's first"),
        Field("address", 32, "byte offset from the input address; whole bus beats"),
        Field("width", 12, "pixels of a row in memory"),
        Field("rows", 12, "rows to load"),
        Field("out_width", 12, "words' pixels of a row in the bank"),
        Field("granules", 12, "column tiles of a pixel: ceil(taps * channels / C)"),
        Field("base", 24, "bank word of the first pixel's first plane"),
        Field("group_stride", 24, "words from one channel group to the next"),
    ),
    Opcode.CONV: _COMMON + _TOKENS + (
        Field("src_bank", 2, "bank of the input"),
        Field("dst_bank", 2, "bank of the output; differs from the others"),
        Field("res_bank", 2, "bank of the residual"),
        Field("residual", 1, "add the residual"),
        Field("raw", 1, "write accumulators to the result buffer, then to memory"),
        Field("pool", 1, "sum over all pixels (global average pooling, scale folded away)"),
        Field("fetch_mask", 1, "fetch the mask; 0: it is still in the mask buffer"),
        Field("fetch_parameters", 1, "fetch the parameters; 0: still in their buffer"),
        Field("bipolar", 1, "a 1-bit input means -1 and +1; padding stays 0"),
        Field("signs", 2, "0 sequence; 1 sequence with exceptions; 2 explicit: a plane has them"),
        Field("coats", 3, "coats N of the mask, 1-7"),
        Field("in_bits", 4, "activation bits 1-8 of the input"),
        Field("out_bits", 4, "activation bits 1-8 of the output"),
        Field("res_bits", 4, "activation bits 1-8 of the residual"),
        Field("shift", 6, "S of the requantisation, 1-47"),
        Field("kernel_height", 4, "taps in a column"),
        Field("kernel_width", 4, "taps in a row"),
        Field("stride", 2, "output pixels are so many input pixels apart: 1 or 2"),
        Field("stride_x", 2, "the same within a row"),
        Field("pad_x", 4, "zero pixels before a row's first"),
        Field("y_first", 16, "row of the first output pixel's first tap, two's complement"),
        Field("in_height", 12, "input rows; rows before 0 and from here on are zero"),
        Field("in_width", 12, "input columns"),
        Field("out_width", 12, "output columns"),
        Field("in_tiles", 12, "input-channel tiles: ceil(Cin / R)"),
        Field("last_rows", 8, "lanes in use in a tap's last input tile, 1-R"),
        Field("out_tiles", 12, "output-channel tiles: ceil(channels / C)"),
        Field("out_channels", 16, "output channels: parameters to fetch, logits to write"),
        Field("strips", 12, "strips of output rows"),
        Field("strip_rows", 12, "output rows of every strip but the last"),
        Field("last_strip_rows", 12, "output rows of the last strip"),
        Field("row_stride", 16, "words from one input row to the next"),
        Field("strip_stride", 24, "input words from strip to strip"),
        Field("src_base", 24, "word of the first output pixel's first tap, modulo 2^24"),
        Field("in_group_stride", 24, "words from one input channel group to the next"),
        Field("dst_base", 24, "word of the first output pixel, first group"),
        Field("out_group_stride", 24, "words from one output channel group to the next"),
        Field("res_base", 24, "word of the first residual pixel, first group"),
        Field("res_group_stride", 24, "words from one residual channel group to the next"),
        Field("first_part", 6, "column tile within its group at which output and residual begin"),
        Field("open", 1, "pool: sums start from zero; 0: from what the CONV before left"),
        Field("close", 1, "pool: sums leave; 0: they stay for the next CONV"),
        Field("sign_state", 64, "LFSR state at the first weight of these output channels"),
        Field("pattern_state", 64, "LFSR state of the frozen pattern, each 2^18th bit, there"),
        Field("fan_in", 20, "weights of an output channel: kernel_height * kernel_width * Cin"),
        Field("mask_base", 20, "mask buffer beat at which the first plane begins"),
        Field("plane_beats", 20, "beats of a plane in the mask buffer"),
        Field("mask_beats", 20, "beats of the mask stream in memory"),
        Field("mask_address", 32, "byte offset of the mask stream in the program image"),
        Field("code", 4, "code of the mask's first plane: 0 raw, else a table"),
        Field("sign_code", 4, "the same of the sign plane; 0: raw under the mask"),
        Field("pruned", 5, "sixteenths of the weights that are frozen as absent"),
        Field("locked", 5, "sixteenths of the weights that are frozen as present"),
        Field("parameter_base", 14, "parameter buffer channel of the first record"),
        Field("parameter_address", 32, "byte offset of the parameters in the program image; "
              "of a raw layer: of its logits from the output address"),
        Field("mask_crc32", 32, "CRC-32 of the mask stream's beats, if they are fetched"),
        Field("parameter_crc32", 32, "CRC-32 of the parameters' beats, if they are fetched"),
    ),
    Opcode.POOL: _COMMON + _TOKENS + (
        Field("src_bank", 2, "bank of the input"),
        Field("dst_bank", 2, "bank of the output; differs from the input's"),
        Field("bits", 4, "activation bits 1-8"),
        Field("kernel", 4, "kernel height and width"),
        Field("stride", 2, "1 or 2"),
        Field("pad_x", 4, "zero pixels before a row's first"),
        Field("y_first", 16, "row of the first output pixel's first tap, two's complement"),
        Field("in_height", 12, "input rows; rows before 0 and from here on are zero"),
        Field("in_width", 12, "input columns"),
        Field("out_height", 12, "output rows"),
        Field("out_width", 12, "output columns"),
        Field("granules", 12, "column tiles"),
        Field("row_stride", 16, "words from one input row to the next"),
        Field("src_base", 24, "word of the first output pixel's first tap, modulo 2^24"),
        Field("in_group_stride", 24, "words from one input channel group to the next"),
        Field("dst_base", 24, "word of the first output pixel"),
        Field("out_group_stride", 24, "words from one output channel group to the next"),
    ),
    Opcode.LOAD: _TRANSFER,
    Opcode.STORE: _TRANSFER,
    Opcode.END: _COMMON + _TOKENS,
}  # fmt: skip


def offsets(opcode: Opcode) -> dict[str, tuple[int, int]]:
    """Field name -> (first bit, bits) within the descriptor."""
    table, bit = {}, 0
    for f in FIELDS[opcode]:
        table[f.name] = (bit, f.bits)
        bit += f.bits
    assert bit <= 8 * (DESCRIPTOR_BYTES - CRC_BYTES)
    return table


def encode(opcode: Opcode, **values: int) -> bytes:
    """One descriptor with its CRC; unnamed fields are 0. Raises HfnError for a value that does not
    fit."""
    values = {"opcode": int(opcode), "version": VERSION, "magic": MAGIC, **values}
    table, word = offsets(opcode), 0
    for name, value in values.items():
        bit, bits = table[name]
        if not 0 <= value < 1 << bits:
            raise HfnError(f"descriptor field {name} must be 0 to {(1 << bits) - 1}, not {value}")
        word |= int(value) << bit
    return with_crc(word.to_bytes(DESCRIPTOR_BYTES, "little"))


def with_crc(descriptor: bytes) -> bytes:
    """The descriptor with the CRC that fits its other bytes."""
    body = descriptor[:-CRC_BYTES]
    return body + zlib.crc32(body).to_bytes(CRC_BYTES, "little")


def decode(data: bytes) -> tuple[Opcode, dict[str, int]]:
    """Opcode and fields of one descriptor. Raises HfnError if it is not one of this version."""
    word = int.from_bytes(data, "little")
    if len(data) != DESCRIPTOR_BYTES or (word >> 16) & 0xFFFF != MAGIC:
        raise HfnError("not an hfn-accel descriptor (wrong magic number)")
    if (word >> 8) & 0xFF != VERSION:
        raise HfnError(f"descriptor version must be {VERSION}, not {(word >> 8) & 0xFF}")
    if data != with_crc(data):
        raise HfnError("descriptor is damaged (CRC-32 differs)")
    if word & 0xFF not in list(Opcode):
        raise HfnError(f"unknown descriptor opcode {word & 0xFF}")
    opcode = Opcode(word & 0xFF)
    return opcode, {n: (word >> b) & ((1 << w) - 1) for n, (b, w) in offsets(opcode).items()}


def pack_parameters(multiplier, residual, bias) -> bytes:
    """Per-channel records: int16 M, int16 Mr, int32 B, little-endian, 8 bytes a channel."""
    return b"".join(
        struct.pack("<hhi", *map(int, r)) for r in zip(multiplier, residual, bias, strict=True)
    )


def seal(image: bytes) -> bytes:
    """The program image with the CRCs that fit it: of what its CONVs fetch, and of the whole.

    Its descriptors must be intact, but for these fields: HfnError says what is not."""
    _, header = decode(image[:DESCRIPTOR_BYTES])
    bus, sealed = 1 << header["log2_bus_bytes"], bytearray(image)

    def crc(address, size):
        return zlib.crc32(image[address : address + -(-size // bus) * bus])

    for at in range(DESCRIPTOR_BYTES, header["descriptors"] * DESCRIPTOR_BYTES, DESCRIPTOR_BYTES):
        opcode, f = decode(image[at : at + DESCRIPTOR_BYTES])
        if opcode == Opcode.CONV:
            masks = f["mask_address"], f["fetch_mask"] * f["mask_beats"] * bus
            records = (f["parameter_address"],
                       f["fetch_parameters"] * f["out_channels"] * PARAMETER_BYTES)  # fmt: skip
            sealed[at : at + DESCRIPTOR_BYTES] = _changed(
                opcode, f, mask_crc32=crc(*masks), parameter_crc32=crc(*records)
            )
    whole = zlib.crc32(sealed[DESCRIPTOR_BYTES:])
    return _changed(Opcode.BEGIN, header, image_crc32=whole) + bytes(sealed[DESCRIPTOR_BYTES:])


def _changed(opcode: Opcode, fields: dict[str, int], **values: int) -> bytes:
    """A descriptor from the fields that `decode` gave, some of them changed."""
    return encode(opcode, **{n: v for n, v in (fields | values).items() if n != "opcode"})


@dataclass(frozen=True)
class Origin:
    """What part of which layer a CONV or POOL computes.

    layer: index in the architecture's layers; pooled: the POOL behind that layer; image: of the
    batch; row, channel: the first of the output map.
    """

    layer: int
    pooled: bool = False
    image: int = 0
    row: int = 0
    channel: int = 0


@dataclass(frozen=True)
class Program:
    """A program image for one configuration.

    `image`: the bytes to place in memory. `notes`: one human-readable line a descriptor (the
    compiler's plan), and `origins`: one a descriptor, None but for CONV and POOL; neither is part
    of the image.
    """

    image: bytes
    notes: tuple[str, ...] = field(default=(), compare=False)
    origins: tuple[Origin | None, ...] = field(default=(), compare=False)

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
        if zlib.crc32(data[DESCRIPTOR_BYTES:]) != header["image_crc32"]:
            raise HfnError("program image is damaged (CRC-32 differs)")
        if header["descriptors"] * DESCRIPTOR_BYTES > len(data):
            raise HfnError(
                f"program image is {len(data)} bytes, too short for {header['descriptors']} "
                "descriptors"
            )
        if seal(data) != data:
            raise HfnError("program image is damaged (CRC-32 of a fetched stream differs)")
        return cls(data)

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
