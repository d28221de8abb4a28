"""Descriptor layouts of hfn_accel.program as Amaranth structures, and what the RTL can execute."""

from amaranth.hdl import Cat, Signal
from amaranth.lib import data

from hfn_accel.config import Config
from hfn_accel.images import MAX_TAPS, PIXEL_BYTES
from hfn_accel.program import (
    DESCRIPTOR_BYTES,
    FIELDS,
    MAGIC,
    PARAMETER_BYTES,
    VERSION,
    Opcode,
    Signs,
    available,
    shape_fields,
)
from hfn_accel.registers import ErrorCode

BITS = 8 * DESCRIPTOR_BYTES


def layout(opcode: Opcode) -> data.StructLayout:
    """The fields of an opcode, first field in the lowest bits; padded to a whole descriptor."""
    fields = {f.name: f.bits for f in FIELDS[opcode]}
    fields["padding"] = BITS - sum(fields.values())
    return data.StructLayout(fields)


CONV = layout(Opcode.CONV)
"""A layer's descriptor, as it reaches every block that executes a part of it."""

IMAGE, POOL = layout(Opcode.IMAGE), layout(Opcode.POOL)

TRANSFER = layout(Opcode.STORE)
"""LOAD and STORE."""


def faults(opcode: Opcode, f, config: Config, register=lambda value: value) -> list:
    """Conditions of which none may hold in a legal descriptor; BEGIN and END have none.

    `f[name]` are a descriptor's fields: numbers, or the values of a structure in hardware, where
    `register` gives a value of fields that stand still one clock later. What is refused would make
    a block hang, collide with another or leave its buffer.
    """
    table = {Opcode.IMAGE: _image, Opcode.POOL: _pool,
             Opcode.LOAD: _transfer, Opcode.STORE: _transfer}  # fmt: skip
    if opcode == Opcode.CONV:
        return _conv(f, config, register)
    return table[opcode](f, config) if opcode in table else []


def _zero(f, *names):
    return [f[name] == 0 for name in names]


def _bits(value):
    return (value == 0) | (value > 8)


def _stride(value):
    return (value == 0) | (value > 2)


def _unaligned(address, config: Config):
    """Not at a whole bus beat."""
    return address & (config.bus_bytes - 1) != 0


def _image(f, config):
    return [
        *_zero(f, "channels", "taps", "width", "rows", "out_width", "granules"),
        f["bank"] == 3, f["channels"] > PIXEL_BYTES, f["taps"] > MAX_TAPS,
        f["granules"] > PIXEL_BYTES * MAX_TAPS, _stride(f["stride"]),
        _unaligned(f["address"], config),
    ]  # fmt: skip


def _transfer(f, config):
    return [
        *_zero(f, "groups", "beats"), f["bank"] == 3,
        _unaligned(f["address"] | f["memory_stride"], config),
    ]  # fmt: skip


def _pool(f, config):
    return [
        *_zero(f, "kernel", "in_height", "in_width", "out_height", "out_width", "granules"),
        f["src_bank"] == 3, f["dst_bank"] == 3, f["src_bank"] == f["dst_bank"],
        _bits(f["bits"]), _stride(f["stride"]),
    ]  # fmt: skip


def _conv(f, config, register):
    raw, mapped = f["raw"] == 1, f["raw"] == 0  # accumulators to memory; planes to a bank
    residual, frozen = f["residual"] == 1, (f["pruned"] != 0) | (f["locked"] != 0)
    beats = f["plane_beats"]
    coats = register(sum((f["coats"] >> i & 1 == 1) * (beats << i) for i in range(3)))
    signs = register(f["mask_base"] + (f["signs"] != Signs.SEQUENCE) * beats)
    whole = max(config.columns, config.bus_bytes // PARAMETER_BYTES)  # channels of a place
    return [
        *_zero(f, "kernel_height", "kernel_width", "in_height", "in_width", "out_width",
               "in_tiles", "out_tiles", "out_channels", "strips", "strip_rows",
               "last_strip_rows", "fan_in", "last_rows"),
        # banks and bits
        f["src_bank"] == 3, _bits(f["in_bits"]),
        mapped & ((f["dst_bank"] == 3) | (f["dst_bank"] == f["src_bank"])),
        mapped & (_bits(f["out_bits"]) | (f["shift"] == 0)), f["shift"] > 47,
        residual & (raw | _bits(f["res_bits"]) | (f["res_bank"] == 3)
                    | (f["res_bank"] == f["src_bank"]) | (f["res_bank"] == f["dst_bank"])),
        (f["bipolar"] == 1) & (f["in_bits"] != 1),
        # shape
        _stride(f["stride"]), _stride(f["stride_x"]), f["last_rows"] > config.rows,
        f["first_part"] >= config.group // config.columns, f["pool"] != f["raw"],
        # mask
        f["coats"] == 0, f["signs"] > Signs.EXPLICIT, f["plane_beats"] == 0,
        signs + coats > config.mask_words,
        (f["fetch_mask"] == 1) & (f["mask_beats"] == 0),
        frozen & ((f["coats"] != 1) | (f["code"] != 0)), f["pruned"] + f["locked"] > 16,
        *([(f["code"] | f["sign_code"]) != 0] if config.columns < 8 else []),
        # parameters and logits
        raw & ((f["fetch_parameters"] == 1) | (f["out_channels"] > config.result_words)),
        mapped & ((f["parameter_base"] + f["out_channels"] > config.parameter_channels)
                  | (f["parameter_base"] & (whole - 1) != 0)),
        _unaligned(f["mask_address"] | f["parameter_address"], config),
    ]  # fmt: skip


JUDGE_CYCLES = 3
"""From a word that stands still to the verdict on it."""


def judge(m, word, first, damaged, config: Config):
    """ErrorCode of the descriptor in `word`, JUDGE_CYCLES later; `first`: it is the program's
    first; `damaged`: its CRC is wrong, known a clock before the verdict."""
    begin = layout(Opcode.BEGIN)(word)

    def register(value):
        later = Signal(value.shape())
        m.d.sync += later.eq(value)
        return later

    def any_of(conditions):
        """Whether one holds, a clock later."""
        return Cat(register(condition) for condition in conditions).any()

    opcodes = list(Opcode)
    foreign = any_of(begin[n] != v for n, v in shape_fields(config).items())
    unfit = any_of(begin[n] > v for n, v in available(config).items())
    wrong = Cat(
        register(begin.opcode == code) & any_of(faults(code, layout(code)(word), config, register))
        for code in opcodes
    ).any()
    unknown = register(~Cat(begin.opcode == code for code in opcodes).any())
    begins = register(begin.opcode == Opcode.BEGIN)
    foreign_memory, foreign_version = (
        register(value) for value in (begin.magic != MAGIC, begin.version != VERSION)
    )
    code = Signal(8)
    with m.If(foreign_memory):
        m.d.sync += code.eq(ErrorCode.BAD_MAGIC)
    with m.Elif(foreign_version):
        m.d.sync += code.eq(ErrorCode.BAD_VERSION)
    with m.Elif(damaged):
        m.d.sync += code.eq(ErrorCode.DESCRIPTOR_CRC)
    with m.Elif(unknown | (first != begins)):
        m.d.sync += code.eq(ErrorCode.BAD_OPCODE)
    with m.Elif(begins & foreign):
        m.d.sync += code.eq(ErrorCode.BAD_SHAPE)
    with m.Elif(begins & unfit):
        m.d.sync += code.eq(ErrorCode.TOO_LARGE)
    with m.Elif(wrong):
        m.d.sync += code.eq(ErrorCode.BAD_FIELD)
    with m.Else():
        m.d.sync += code.eq(ErrorCode.NONE)
    return code
