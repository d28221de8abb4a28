"""Every form of the register map says what the table says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hfn_accel import program, registers
from hfn_accel.export import command, constants, names, systemrdl

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "ports.md"


def numbers() -> dict[str, int]:
    """What any form must define, made from the table by itself."""
    wanted = {f"REG_{r.name}": r.offset for r in registers.REGISTERS}
    wanted |= {f"ERROR_{c.name}": int(c) for c in registers.ErrorCode}
    for r in registers.REGISTERS:
        for f in r.fields:
            wanted[f"{r.name}_{f.name.upper()}_SHIFT"] = f.bit
            wanted[f"{r.name}_{f.name.upper()}_MASK"] = sum(1 << f.bit + i for i in range(f.bits))
    return wanted | {"ID_VALUE": registers.ID, "MAP_VERSION": registers.MAP_VERSION,
                     "PROGRAM_VERSION": program.VERSION}  # fmt: skip


def test_command(tmp_path):
    """Each form by its name, twice the same; a bad name is one line."""
    for form in command.FORMS:
        made = subprocess.run([sys.executable, "-m", "hfn_accel.registers", "--format", form],
                              capture_output=True, text=True, cwd=ROOT)  # fmt: skip
        assert made.returncode == 0 and made.stdout == command.FORMS[form](), form
    command.main(["--format", "c", "--out", str(tmp_path / "regs.h")])
    assert (tmp_path / "regs.h").read_text() == constants.c_header()
    bad = subprocess.run([sys.executable, "-m", "hfn_accel.registers", "--format", "vhdl"],
                         capture_output=True, text=True, cwd=ROOT)  # fmt: skip
    assert bad.returncode == 2 and bad.stderr.count("\n") == 1


def test_c(tmp_path):
    """The preprocessor and the compiler see the table's numbers, counters and errors."""
    (tmp_path / "hfn_accel_regs.h").write_text(constants.c_header())
    wanted = numbers()
    checks = [f"_Static_assert(HFN_ACCEL_{n} == {v}u, {chr(34)}{n}{chr(34)});"
              for n, v in wanted.items()]  # fmt: skip
    source = "\n".join([
        "#include <stdio.h>", '#include "hfn_accel_regs.h"', *checks,
        "#define E(code, name, text) puts(#code \"|\" #name \"|\" text);",
        "#define C(name, offset) printf(\"%s %d\\n\", #name, offset);",
        "#define B(place) printf(\"%d %d\\n\", place);",
        "int main(void) { HFN_ACCEL_ERRORS(E) HFN_ACCEL_COUNTERS(C)",
        *(f"B((HFN_ACCEL_BEGIN_{n.upper()}))".replace("((", "(").replace("))", ")")
          for n in program.offsets(program.Opcode.BEGIN)), "}",
    ])  # fmt: skip
    source = source.replace("#define B(place)", "#define B(...)").replace(
        '", place)', '", __VA_ARGS__)'
    )
    (tmp_path / "main.c").write_text(source)
    built = subprocess.run(
        [shutil.which("cc") or "gcc", "-std=c11", "-Wall", "-Werror", "-o", "main", "main.c"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    lines = subprocess.run([tmp_path / "main"], capture_output=True, text=True).stdout.splitlines()
    places = program.offsets(program.Opcode.BEGIN).values()
    assert lines == [
        *(f"{int(c)}|{c.name}|{c.doc}" for c in registers.ErrorCode),
        *(f"{n} {registers.OFFSETS[n + '_LO']}" for n in registers.COUNTERS),
        *(f"{bit // 8} {bits // 8}" for bit, bits in places),
    ]
    defined = re.findall(r"^#define HFN_ACCEL_(\w+) \S+u$", constants.c_header(), re.MULTILINE)
    assert set(wanted) <= set(defined) and len(defined) == len(set(defined))


def test_python():
    """Runs without any import, and holds the table."""
    text = constants.python_module()
    assert "import" not in re.sub(r'""".*?"""', "", text, flags=re.DOTALL)
    module = {}
    exec(compile(text, "hfn_accel_regs.py", "exec"), module)
    assert {name: module[name] for name in numbers()} == numbers()
    assert module["ERRORS"] == {int(c): (c.name, c.doc) for c in registers.ErrorCode}
    assert module["COUNTERS"] == {n: registers.OFFSETS[f"{n}_LO"] for n in registers.COUNTERS}
    for name, fields in module["FIELDS"].items():
        table = next(r for r in registers.REGISTERS if r.name == name)
        assert fields == {f.name: (f.bit, f.bits) for f in table.fields}


def test_verilog():
    found = re.findall(r"^`define HFN_ACCEL_(\w+) 32'h([0-9a-f]{8})$", constants.verilog_header(),
                       re.MULTILINE)  # fmt: skip
    defined = {name: int(value, 16) for name, value in found}
    assert {name: defined[name] for name in numbers()} == numbers()


@pytest.fixture(scope="module")
def elaborated(tmp_path_factory):
    """The SystemRDL text, elaborated by systemrdl-compiler."""
    systemrdl_compiler = pytest.importorskip("systemrdl")
    path = tmp_path_factory.mktemp("rdl") / "hfn_accel.rdl"
    path.write_text(systemrdl.text())
    compiler = systemrdl_compiler.RDLCompiler()
    compiler.compile_file(str(path))
    return compiler.elaborate().top


def test_systemrdl(elaborated):
    """Offsets, fields and access are the table's, and nothing else is there."""
    found = {r.inst_name: r for r in elaborated.registers()}
    assert list(found) == [r.name for r in registers.REGISTERS]
    for table in registers.REGISTERS:
        register = found[table.name]
        assert register.address_offset == table.offset and register.size == 4
        fields = {f.inst_name: (f.low, f.width) for f in register.fields()}
        assert fields == {f.name: (f.bit, f.bits) for f in names.fields(table)}
        for f in register.fields():
            wanted = next(t for t in names.fields(table) if t.name == f.inst_name)
            access = names.access(table, wanted)
            assert f.is_sw_readable == (access != "W1P"), (table.name, f.inst_name)
            assert f.is_sw_writable == (access != "RO"), (table.name, f.inst_name)
            assert bool(f.get_property("singlepulse")) == (access == "W1P")
            assert f.get_property("woclr") == (access == "W1C")
            assert f.get_property("desc") == wanted.doc
            value = table.reset >> wanted.bit & (1 << wanted.bits) - 1
            assert f.get_property("reset") == (None if access == "RO" else value)


def test_access():
    """Every field has one of the kinds of access that the forms know."""
    for register in registers.REGISTERS:
        for field in names.fields(register):
            assert names.access(register, field) in ("RO", "RW", "W1C", "W1P"), register.name
