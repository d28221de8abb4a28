"""The map in SystemRDL 2.0 (Accellera, 2018)."""

from ..registers import REGISTERS, Field, Register
from . import names

_PROPERTIES = {
    "RO": "sw = r; hw = w;",
    "RW": "sw = rw; hw = r;",
    "W1C": "sw = rw; onwrite = woclr; hw = w;",
    "W1P": "sw = w; onwrite = woset; singlepulse; hw = r;",
}


def text() -> str:
    """hfn_accel.rdl: one addrmap `hfn_accel` of 4 KiB, a reg for each register."""
    lines = [
        f"// {names.LICENCE}",
        f"// {names.origin('systemrdl')}",
        "addrmap hfn_accel {",
        '    name = "Hidden-Fold Network accelerator";',
        "    default regwidth = 32;",
        "    default accesswidth = 32;",
        "    addressing = compact;",
    ]
    for register in REGISTERS:
        lines += ["", "    reg {", f"        desc = {_string(register.doc)};"]
        lines += [line for field in names.fields(register) for line in _field(register, field)]
        lines.append(f"    }} {register.name} @ {register.offset:#05x};")
    return "\n".join([*lines, "};", ""])


def _field(register: Register, field: Field) -> list[str]:
    span = f"[{field.bit + field.bits - 1}:{field.bit}]"
    access = names.access(register, field)
    reset = f" reset = {names.reset(register, field):#x};" if access != "RO" else ""
    return [
        "        field {",
        f"            desc = {_string(field.doc)};",
        f"            {_PROPERTIES[access]}{reset}",
        f"        }} {field.name}{span};",
    ]


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
