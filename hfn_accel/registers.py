"""The register map, in one table.

The RTL's decoder (`rtl/registers.py`), the drivers, the emitted JSON, docs/registers.md
(`python -m hfn_accel.registers > docs/registers.md`) and every other form of the map
(`hfn_accel.export`, `--format c|python|systemrdl|verilog`) all derive from `REGISTERS`.
"""

from dataclasses import dataclass
from enum import IntEnum

from . import program
from .config import Config, log2

ID = 0x48464E31  # "HFN1"
MAP_VERSION = 3
COUNTER_BITS = 48
COUNTER_BASE = 0x100


class _Documented(IntEnum):
    """An integer with a meaning, `doc`."""

    doc: str

    def __new__(cls, value, doc):
        member = int.__new__(cls, value)
        member._value_, member.doc = value, doc
        return member


class ErrorCode(_Documented):
    """Why a run stopped: STATUS.error_code."""

    NONE = 0, "no error"
    BAD_MAGIC = 1, "a descriptor lacks the magic number: no program at PROGRAM_ADDR"
    BAD_VERSION = 2, "the program's format version is not this core's"
    BAD_OPCODE = 3, "unknown opcode, or a program that does not start with BEGIN"
    BAD_SHAPE = 4, "the program was compiled for another array or bus width"
    TOO_LARGE = 5, "the program needs more than the buffers or the accumulators hold"
    BAD_FIELD = 6, "a descriptor field is out of range"
    READ_SLVERR = 7, "the bus answered a read with SLVERR"
    READ_DECERR = 8, "the bus answered a read with DECERR: nothing at that address"
    READ_PROTOCOL = 9, "read data broke the bus protocol (RLAST too early, missing, or EXOKAY)"
    WRITE_SLVERR = 10, "the bus answered a write with SLVERR"
    WRITE_DECERR = 11, "the bus answered a write with DECERR: nothing at that address"
    BAD_ADDRESS = 12, "PROGRAM_ADDR is no multiple of 4096, or another address none of 64"
    DEADLOCK = 13, "a descriptor waits for a CONV, POOL or STORE that never comes"
    TIMEOUT = 14, "nothing happened for WATCHDOG clocks: neither on the bus nor in the core"
    DESCRIPTOR_CRC = 15, "a descriptor is damaged: its CRC-32 differs"
    MASK_CRC = 16, "a mask stream is damaged: its CRC-32 differs"
    PARAMETER_CRC = 17, "parameters are damaged: their CRC-32 differs"
    WRITE_REGION = 18, "a transfer would write outside OUTPUT or WORKSPACE: it wrote nothing"
    MASK_LENGTH = 19, "a mask stream ends before the layer's last unit, or has beats left"


class Cause(_Documented):
    """What a clock of a run is spent on; counts CYCLES_(name).

    DESCRIPTOR to LOAD, and STORE in part, are what the fetcher is at while the executor waits for
    it; the others are what the executor is at.
    """

    IDLE = 0, "nothing runs"
    DESCRIPTOR = 1, "descriptors are fetched, decoded and handed over"
    PARAMETER = 2, "normalisation parameters are fetched"
    MASK = 3, "masks are fetched"
    LOAD = 4, "images or spilled activations are loaded"
    FILL = 5, "a layer's first tile is filled"
    COMPUTE = 6, "a tile is in the array"
    STALL = 7, "the array waits between tiles for a fill"
    DRAIN = 8, "the last results leave the pipeline"
    STORE = 9, "activations or logits are written to memory, or that is waited for"
    POOL = 10, "a max-pooling runs"


class ReadClass(IntEnum):
    """What a beat read from memory is."""

    DESCRIPTOR = 0
    MASK = 1
    PARAMETER = 2
    ACTIVATION = 3
    WEIGHT = 4


READ_COUNTERS = {
    ReadClass.DESCRIPTOR: "BYTES_DESCRIPTOR",
    ReadClass.MASK: "BYTES_MASK",
    ReadClass.PARAMETER: "BYTES_PARAMETER",
    ReadClass.ACTIVATION: "BYTES_ACTIVATION_READ",
    ReadClass.WEIGHT: "BYTES_WEIGHT",
}
"""The counter of each class of read beats."""

COUNTERS = {
    "CYCLES": "clocks of the run, the sum of the causes below",
    **{f"CYCLES_{c.name}": f"clocks in which {c.doc}" for c in Cause if c != Cause.IDLE},
    "BYTES_DESCRIPTOR": "bytes of descriptors read",
    "BYTES_MASK": "bytes of masks read",
    "BYTES_PARAMETER": "bytes of normalisation parameters read",
    "BYTES_ACTIVATION_READ": "bytes of images and spilled activations read",
    "BYTES_ACTIVATION_WRITE": "bytes of logits and spilled activations written",
    "BYTES_WEIGHT": "bytes of masks with explicit signs read",
    "PLANES": "clocks in which the array got a bit-plane",
}
"""Name -> meaning of every 64-bit counter, in address order."""


@dataclass(frozen=True)
class Field:
    """Bits of a register, from `bit` on. `access`: the register's own, where that is mixed; W1P:
    write 1 for a pulse, reads 0."""

    name: str
    bit: int
    bits: int
    doc: str
    access: str = ""


@dataclass(frozen=True)
class Register:
    """One 32-bit register. `access`: RO, RW, W1C (write 1 to clear) or mixed (see its fields).
    `reset`: value after a reset of the core, of RW."""

    name: str
    offset: int
    access: str
    doc: str
    fields: tuple[Field, ...] = ()
    reset: int = 0


def _counters(base: int) -> list[Register]:
    return [
        Register(f"{name}_{half}", base + 8 * i + 4 * j, "RO", f"{doc}, {words}")
        for i, (name, doc) in enumerate(COUNTERS.items())
        for j, (half, words) in enumerate((("LO", "low word"), ("HI", "high word")))
    ]


REGISTERS: tuple[Register, ...] = (
    Register("ID", 0x000, "RO", f'{ID:#010x}, "HFN1"'),
    Register("VERSION", 0x004, "RO", "versions that this core speaks", (
        Field("registers", 0, 16, f"version of this register map, {MAP_VERSION}"),
        Field("program", 16, 16, f"version of the program format, {program.VERSION}"),
    )),
    Register("SHAPE", 0x008, "RO", "configuration of the array", (
        Field("log2_rows", 0, 8, "lanes R"),
        Field("log2_columns", 8, 8, "columns C"),
        Field("log2_bus_bytes", 16, 8, "bytes of the memory bus"),
    )),
    Register("CONTROL", 0x010, "mixed", "start, reset, interrupt", (
        Field("start", 0, 1, "write 1: run the program at PROGRAM_ADDR, with counters from 0; "
              "ignored while busy, and after an error until reset", "W1P"),
        Field("reset", 1, 1, "write 1: stop, and clear STATUS and IRQ_STATUS; bus transfers in "
              "flight end first (busy stays 1 until then)", "W1P"),
        Field("irq_enable", 2, 1, "let IRQ_STATUS raise `irq`; keeps what was written last", "RW"),
    )),
    Register("STATUS", 0x014, "RO", "state of the run", (
        Field("busy", 0, 1, "a run goes on"),
        Field("done", 1, 1, "the last run ended well"),
        Field("error", 2, 1, "the last run stopped with an error"),
        Field("error_code", 8, 8, "why (see Error codes)"),
        Field("layer", 16, 16, "number of the descriptor in execution, from 0, modulo 2^16; "
              "between runs the last one's"),
    )),
    Register("IRQ_STATUS", 0x018, "W1C", "causes of the interrupt", (
        Field("done", 0, 1, "a run ended well"),
        Field("error", 1, 1, "a run stopped with an error"),
    )),
    Register("PROGRAM_ADDR", 0x020, "RW", "byte address of the program, a multiple of 4096"),
    Register("INPUT_ADDR", 0x024, "RW", "byte address of the images, a multiple of 64"),
    Register("OUTPUT_ADDR", 0x028, "RW", "byte address of the logits, a multiple of 64"),
    Register("WORKSPACE_ADDR", 0x02C, "RW", "byte address of the workspace, a multiple of 64"),
    Register("OUTPUT_SIZE", 0x030, "RW", "bytes from OUTPUT_ADDR on that may be written"),
    Register("WORKSPACE_SIZE", 0x034, "RW", "bytes from WORKSPACE_ADDR on that may be written"),
    Register("WATCHDOG", 0x038, "RW", "clocks without progress after which a run stops with "
             "TIMEOUT; 0: never", reset=0x0010_0000),
    *_counters(COUNTER_BASE),
)  # fmt: skip

OFFSETS: dict[str, int] = {r.name: r.offset for r in REGISTERS}


def field(register: str, name: str) -> Field:
    """A register's field by name."""
    fields = next(r.fields for r in REGISTERS if r.name == register)
    return next(f for f in fields if f.name == name)


def decode(register: str, value: int) -> dict[str, int]:
    """Field name -> value."""
    fields = next(r.fields for r in REGISTERS if r.name == register)
    return {f.name: value >> f.bit & ((1 << f.bits) - 1) for f in fields}


def encode(register: str, **values: int) -> int:
    """A register's value with the given fields, the others 0."""
    return sum(value << field(register, name).bit for name, value in values.items())


def constants(config: Config) -> dict[str, int]:
    """Values of the registers that never change."""
    return {
        "ID": ID,
        "VERSION": encode("VERSION", registers=MAP_VERSION, program=program.VERSION),
        "SHAPE": encode("SHAPE", log2_rows=log2(config.rows), log2_columns=log2(config.columns),
                        log2_bus_bytes=log2(config.bus_bytes)),
    }  # fmt: skip


def to_dict() -> dict:
    """The map for machines: registers with fields, and error codes."""
    return {
        "registers": [
            {"name": r.name, "offset": r.offset, "access": r.access, "doc": r.doc,
             "reset": r.reset, "fields": [vars(f) for f in r.fields]}
            for r in REGISTERS
        ],
        "error_codes": {code.name: {"value": int(code), "doc": code.doc} for code in ErrorCode},
    }  # fmt: skip


_WATCHDOG = next(f"{r.reset:#x}" for r in REGISTERS if r.name == "WATCHDOG")

_INTRODUCTION = f"""\
# Registers

Made from the table in `hfn_accel/registers.py` by
`python -m hfn_accel.registers > docs/registers.md`.

AXI4-Lite, 12-bit byte addresses, 32-bit words, byte strobes honoured. An address that is not in
this table answers SLVERR; writes to read-only registers have no effect.

A run: write the four addresses and the two sizes, then CONTROL.start; wait for the interrupt or for
STATUS.done or STATUS.error. After an error write CONTROL.reset, wait for STATUS.busy = 0, and start
again. The sizes are what the program's BEGIN asks for, or what there is: a transfer that would
write anything else stops the run before it writes. After a reset of the core nothing may be
written. RW registers are 0 then, but for WATCHDOG, {_WATCHDOG}.

WATCHDOG ends a run in which nothing happens: no handshake on the memory bus, no plane in the array,
no unit of a mask, pixel of an image or window of a pooling. The error and its interrupt come at
once; STATUS.busy falls when the transfers in flight have ended. A bus that never answers lets it
stay 1, since AXI forbids to give up a transfer: then only a reset of both core and bus helps. A
program that works on and on, as a foreign one may, is not stopped: the driver sets a limit of its
own and writes CONTROL.reset.

Of several faults in a descriptor the first of these stops the run: BAD_MAGIC, BAD_VERSION (foreign
memory), DESCRIPTOR_CRC, BAD_OPCODE, BAD_SHAPE, TOO_LARGE, BAD_FIELD. An error of the bus comes
before what its data are found to be, MASK_CRC before MASK_LENGTH. A core that is configured with
`integrity` 0 checks no CRC.

Counters are 64-bit pairs of which {COUNTER_BITS} bits are implemented; a start clears them, and
between runs they stand still. Read them then: a pair is no snapshot while a run counts, and what
is read is some clocks old. A read of a counter takes up to 40 clocks.
"""


def markdown() -> str:
    """docs/registers.md."""
    lines = [_INTRODUCTION, "| offset | name | access | meaning |", "|---|---|---|---|"]
    lines += [f"| 0x{r.offset:03x} | {r.name} | {r.access} | {r.doc} |" for r in REGISTERS]
    for r in REGISTERS:
        if r.fields:
            lines += ["", f"## {r.name}", "", "| bits | field | meaning |", "|---|---|---|"]
            lines += [f"| {_span(f)} | {f.name} | {f.doc} |" for f in r.fields]
    lines += ["", "## Error codes", "", "| code | name | meaning |", "|---|---|---|"]
    lines += [f"| {int(code)} | {code.name} | {code.doc} |" for code in ErrorCode]
    return "\n".join(lines) + "\n"


def _span(f: Field) -> str:
    return str(f.bit) if f.bits == 1 else f"{f.bit + f.bits - 1}:{f.bit}"


if __name__ == "__main__":
    from . import cli
    from .export.command import main

    cli.run(main)
