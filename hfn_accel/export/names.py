"""What all forms of the register map share: names and numbers."""

from .. import program, registers
from ..images import BATCH_ALIGNMENT
from ..registers import Field, Register

LICENCE = "SPDX-License-Identifier: Apache-2.0"


def origin(form: str) -> str:
    """Where a file comes from, for its head."""
    return f"Made by `python -m hfn_accel.registers --format {form}`: do not edit."


def fields(register: Register) -> tuple[Field, ...]:
    """A register's fields; one without any is a single field `value` of 32 bits."""
    return register.fields or (Field("value", 0, 32, register.doc),)


def access(register: Register, field: Field) -> str:
    """RO, RW, W1C or W1P."""
    return field.access or register.access


def reset(register: Register, field: Field) -> int:
    """What a field that can be written holds after a reset of the core."""
    return (register.reset & mask(field)) >> field.bit


def mask(field: Field) -> int:
    """The field's bits within the register."""
    return ((1 << field.bits) - 1) << field.bit


def counters() -> dict[str, int]:
    """Name -> offset of the low word of every 64-bit counter."""
    return {name: registers.OFFSETS[f"{name}_LO"] for name in registers.COUNTERS}


def header() -> dict[str, tuple[int, int]]:
    """Name -> (byte offset, bytes) of the fields of a program's BEGIN descriptor."""
    placed = program.offsets(program.Opcode.BEGIN)
    assert not any(n % 8 for place in placed.values() for n in place), "BEGIN has whole bytes"
    return {name: (bit // 8, bits // 8) for name, (bit, bits) in placed.items()}


def numbers() -> dict[str, int]:
    """Name -> value of every constant of the map: versions, offsets (REG_*), fields, errors."""
    listed = {
        "ID_VALUE": registers.ID,
        "MAP_VERSION": registers.MAP_VERSION,
        "PROGRAM_VERSION": program.VERSION,
        "PROGRAM_MAGIC": program.MAGIC,
        "PROGRAM_BEGIN": int(program.Opcode.BEGIN),
        "PROGRAM_ALIGNMENT": program.ALIGNMENT,
        "DATA_ALIGNMENT": BATCH_ALIGNMENT,
        "DESCRIPTOR_BYTES": program.DESCRIPTOR_BYTES,
        "COUNTER_BITS": registers.COUNTER_BITS,
    }
    listed |= {f"REG_{name}": offset for name, offset in registers.OFFSETS.items()}
    for register in registers.REGISTERS:
        for field in register.fields:
            name = f"{register.name}_{field.name}".upper()
            listed |= {f"{name}_MASK": mask(field), f"{name}_SHIFT": field.bit}
    return listed | {f"ERROR_{code.name}": int(code) for code in registers.ErrorCode}
