"""The map as constants: C header, Python module, Verilog header."""

from ..registers import REGISTERS, ErrorCode
from . import names

_C = """\
/* {licence}
 * The accelerator's register map and program header.
 * {origin} */
#ifndef HFN_ACCEL_REGS_H
#define HFN_ACCEL_REGS_H

{numbers}

/* Fields of a program's first descriptor: byte offset and bytes, little-endian. */
{header}

/* Every error: X(code, name, meaning). */
#define HFN_ACCEL_ERRORS(X){errors}

/* Every 64-bit counter, in the order of addresses: X(name, offset of the low word). */
#define HFN_ACCEL_COUNTERS(X){counters}

#endif
"""

_PYTHON = '''\
# {licence}
"""The accelerator's register map.

{origin}
"""

{numbers}

FIELDS = {{{fields}
}}
"""Register -> field -> (first bit, bits)."""

COUNTERS = {{{counters}
}}
"""64-bit counter -> offset of its low word."""

ERRORS = {{{errors}
}}
"""STATUS.error_code -> (name, meaning)."""
'''

_VERILOG = """\
// {licence}
// The accelerator's register map. {origin}
`ifndef HFN_ACCEL_REGS_VH
`define HFN_ACCEL_REGS_VH
{numbers}
`endif
"""


def _number(name: str, value: int) -> str:
    """Offsets and masks as hexadecimal, the others as decimal."""
    if name.startswith("REG_"):
        return f"{value:#05x}"
    return f"{value:#010x}" if name.endswith(("_MASK", "_MAGIC", "ID_VALUE")) else str(value)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _macro(rows: list[str]) -> str:
    """The rest of a C macro of one entry a line."""
    return "".join(f" \\\n    {row}" for row in rows)


def c_header() -> str:
    """hfn_accel_regs.h: C99, for the driver beside it or another."""
    lines = [f"#define HFN_ACCEL_{n} {_number(n, v)}u" for n, v in names.numbers().items()]
    header = [f"#define HFN_ACCEL_BEGIN_{name.upper()} {byte}, {count}"
              for name, (byte, count) in names.header().items()]  # fmt: skip
    return _C.format(
        licence=names.LICENCE, origin=names.origin("c"), numbers="\n".join(lines),
        header="\n".join(header),
        errors=_macro([f"X({int(e)}, {e.name}, {_quoted(e.doc)})" for e in ErrorCode]),
        counters=_macro([f"X({n}, {at:#05x})" for n, at in names.counters().items()]),
    )  # fmt: skip


def python_module() -> str:
    """hfn_accel_regs.py: a module without imports."""

    def rows(entries):
        return "".join(f"\n    {key!r}: {value!r}," for key, value in entries)

    return _PYTHON.format(
        licence=names.LICENCE, origin=names.origin("python"),
        numbers="\n".join(f"{n} = {_number(n, v)}" for n, v in names.numbers().items()),
        fields=rows((r.name, {f.name: (f.bit, f.bits) for f in r.fields})
                    for r in REGISTERS if r.fields),
        counters=rows((n, at) for n, at in names.counters().items()),
        errors=rows((int(e), (e.name, e.doc)) for e in ErrorCode),
    )  # fmt: skip


def verilog_header() -> str:
    """hfn_accel_regs.vh: macros for testbenches."""
    lines = [f"`define HFN_ACCEL_{n} 32'h{v:08x}" for n, v in names.numbers().items()]
    return _VERILOG.format(
        licence=names.LICENCE, origin=names.origin("verilog"), numbers="\n".join(lines)
    )
