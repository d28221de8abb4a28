"""The register file under cocotb, and the table that it is made from."""

from pathlib import Path

import pytest

from hfn_accel import registers
from hfn_accel.config import Config
from rtl.registers import Registers
from sim.runner import run

DOCUMENT = Path(__file__).parents[2] / "docs" / "registers.md"


@pytest.mark.parametrize("shape, seed", [((16, 16, 64), 1), ((2, 64, 128), 2)])
def test_registers(shape, seed):
    rows, columns, width = shape
    config = Config(rows=rows, columns=columns, axi_data_width=width)
    run(Registers(config), "sim.benches.registers", name="registers", config=config.to_dict(),
        seed=seed)  # fmt: skip


def test_document_is_the_table():
    assert DOCUMENT.read_text() == registers.markdown(), (
        "run `python -m hfn_accel.registers > docs/registers.md`"
    )


def test_table_is_sound():
    offsets = [r.offset for r in registers.REGISTERS]
    assert offsets == sorted(set(offsets)) and not any(o % 4 for o in offsets)
    assert max(offsets) < 4096
    for register in registers.REGISTERS:
        bits = [b for f in register.fields for b in range(f.bit, f.bit + f.bits)]
        assert len(bits) == len(set(bits)) and max(bits, default=0) < 32
    counted = {f"CYCLES_{c.name}" for c in registers.Cause if c} | {"CYCLES", "PLANES"}
    counted |= {*registers.READ_COUNTERS.values(), "BYTES_ACTIVATION_WRITE"}
    assert counted == set(registers.COUNTERS)
    assert set(registers.READ_COUNTERS) == set(registers.ReadClass)


def test_encode_decode():
    value = registers.encode("STATUS", done=1, error_code=7, layer=300)
    assert registers.decode("STATUS", value) == {
        "busy": 0, "done": 1, "error": 0, "error_code": 7, "layer": 300
    }  # fmt: skip
