import re
import zlib
from pathlib import Path

import numpy as np
import pytest

from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.listing import field_tables
from hfn_accel.network import Architecture
from hfn_accel.program import (
    CRC_BYTES,
    DESCRIPTOR_BYTES,
    FIELDS,
    PARAMETER_BYTES,
    Opcode,
    Program,
    available,
    decode,
    encode,
    offsets,
    seal,
    with_crc,
)
from tests.tickets import random_ticket

DOCS = Path(__file__).parents[2] / "docs"
CONFIG = Config(rows=8, columns=4)


@pytest.fixture(scope="module")
def program():
    arch = Architecture.parse("6x1,9x3f", classes=5, image_size=6)
    return compile(random_ticket(np.random.default_rng(5), arch), CONFIG)


def test_document_equals_the_table():
    text = (DOCS / "program.md").read_text()
    assert field_tables().strip() in text


@pytest.mark.parametrize("opcode", list(Opcode))
def test_round_trip(opcode):
    rng = np.random.default_rng(int(opcode))
    for _ in range(20):
        values = {f.name: int.from_bytes(rng.bytes(8), "little") % (1 << f.bits)
                  for f in FIELDS[opcode][3:]}  # fmt: skip
        code, fields = decode(encode(opcode, **values))
        assert code == opcode
        assert {name: fields[name] for name in values} == values


@pytest.mark.parametrize("opcode", list(Opcode))
def test_fields_do_not_cross_the_descriptor(opcode):
    end = max(bit + bits for bit, bits in offsets(opcode).values())
    assert end <= 8 * (DESCRIPTOR_BYTES - CRC_BYTES)


def test_places_that_a_change_must_not_move_unnoticed():
    """Another layout needs another version."""
    table = offsets(Opcode.CONV)
    want = {"wait_executed": 32, "src_bank": 80, "src_base": 307, "sign_state": 459,
            "mask_address": 667, "parameter_address": 731, "mask_crc32": 763}  # fmt: skip
    assert {name: table[name][0] for name in want} == want
    assert offsets(Opcode.LOAD)["memory_stride"] == offsets(Opcode.STORE)["memory_stride"]


@pytest.mark.parametrize("value", [-1, 16])
def test_a_value_must_fit(value):
    with pytest.raises(HfnError, match=f"field taps must be 0 to 15, not {value}"):
        encode(Opcode.IMAGE, taps=value)


def test_decode_refuses_foreign_descriptors():
    good = encode(Opcode.END)
    for bad, message in (
        (good[:-1], "magic"),
        (bytes(DESCRIPTOR_BYTES), "magic"),
        (good[:1] + b"\x01" + good[2:], "version must be 3, not 1"),
        (with_crc(b"\x09" + good[1:]), "unknown descriptor opcode 9"),
        (b"\x09" + good[1:], "damaged"),
        (good[:-1] + bytes([good[-1] ^ 1]), "damaged"),
    ):
        with pytest.raises(HfnError, match=message):
            decode(bad)


def test_parse_returns_the_program(program):
    again = Program.parse(program.image)
    assert again == program
    assert [code for code, _ in again.descriptors][:3] == [Opcode.BEGIN, Opcode.IMAGE, Opcode.CONV]


def test_parse_refuses_damage(program):
    image = program.image
    for cut in (0, DESCRIPTOR_BYTES - 1, DESCRIPTOR_BYTES, 150, len(image) - 1):
        with pytest.raises(HfnError):
            Program.parse(image[:cut])
    rng = np.random.default_rng(0)
    for at in rng.integers(DESCRIPTOR_BYTES, len(image), 50):
        bad = bytearray(image)
        bad[at] ^= 1 << int(rng.integers(8))
        with pytest.raises(HfnError, match="damaged"):
            Program.parse(bytes(bad))
    with pytest.raises(HfnError, match="does not start with a BEGIN"):
        Program.parse(image[DESCRIPTOR_BYTES:])
    with pytest.raises(HfnError, match="magic"):
        Program.parse(b"\x89PNG" + image)


def test_everything_that_is_fetched_has_its_crc(program):
    image, bus = program.image, CONFIG.bus_bytes
    fetched = 0
    for index, (opcode, f) in enumerate(program.descriptors):
        descriptor = image[index * DESCRIPTOR_BYTES :][:DESCRIPTOR_BYTES]
        assert int.from_bytes(descriptor[-4:], "little") == zlib.crc32(descriptor[:-4])
        if opcode == Opcode.CONV:
            mask = image[f["mask_address"] :][: f["fetch_mask"] * f["mask_beats"] * bus]
            size = -(-f["out_channels"] * PARAMETER_BYTES // bus) * bus
            records = image[f["parameter_address"] :][: f["fetch_parameters"] * size]
            assert f["mask_crc32"] == zlib.crc32(mask)
            assert f["parameter_crc32"] == zlib.crc32(records)
            fetched += 2
    assert fetched and seal(image) == image


def test_seal_mends_what_does_not_fit(program):
    """Of streams and of the whole, not of descriptors."""
    image = bytearray(program.image)
    image[-1] ^= 1  # parameters
    with pytest.raises(HfnError, match="damaged"):
        Program.parse(bytes(image))
    mended = seal(bytes(image))
    assert Program.parse(mended).image[-1] == image[-1]
    whole = bytearray(mended)
    for index, (opcode, f) in enumerate(program.descriptors):
        if opcode == Opcode.CONV and f["fetch_mask"]:  # a wrong CRC in an intact descriptor
            at = slice(index * DESCRIPTOR_BYTES, (index + 1) * DESCRIPTOR_BYTES)
            whole[at] = encode(opcode, **{n: v for n, v in f.items() if n != "opcode"}
                               | {"mask_crc32": f["mask_crc32"] ^ 1})  # fmt: skip
            break
    header = {n: v for n, v in program.header.items() if n != "opcode"}
    header["image_crc32"] = zlib.crc32(whole[DESCRIPTOR_BYTES:])
    whole[:DESCRIPTOR_BYTES] = encode(Opcode.BEGIN, **header)
    with pytest.raises(HfnError, match="fetched stream"):
        Program.parse(bytes(whole))
    image[DESCRIPTOR_BYTES + 40] ^= 1
    with pytest.raises(HfnError, match="descriptor is damaged"):
        seal(bytes(image))


@pytest.mark.parametrize(
    "config, message",
    [
        (CONFIG.replace(rows=4), "compiled for --pe 8x4, not 4x4"),
        (CONFIG.replace(columns=8), "compiled for --pe 8x4, not 8x8"),
        (CONFIG.replace(axi_data_width=128), "axi_data_width 64, not 128"),
        (CONFIG.replace(accumulator_bits=12), "accumulator_bits"),
        (CONFIG.replace(activation_bytes=256), "bank_words"),
        (CONFIG.replace(mask_bytes=256), "mask_words"),
    ],
)
def test_check_refuses_another_configuration(program, config, message):
    program.check(CONFIG)
    with pytest.raises(HfnError, match=re.escape(message)):
        program.check(config)


def test_every_requirement_is_checked(program):
    """A configuration that has exactly what the header asks is enough; one less is not."""
    have = available(CONFIG)
    for name in have:
        assert 0 < program.header[name] <= have[name]
