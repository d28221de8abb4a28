"""Tables of energy, and prices between and beyond their rows."""

import csv

import numpy as np
import pytest

from hfn_accel.energy_tables import (
    DATA,
    DRAMS,
    NODES,
    Energy,
    Prices,
    Sram,
    constant,
    constants,
    sram_read_pj,
    sram_write_pj,
)  # fmt: skip
from hfn_accel.errors import HfnError

CACTI = list(csv.DictReader(open(DATA / "sram_cacti7.csv", newline="")))


def test_constants_are_the_file_and_others_are_refused():
    found = constant("lpddr4")
    assert found[1:3] == (8.0, "pJ/bit") and "Accelergy" in found.source
    assert all(c.value > 0 and c.unit in ("pJ", "pJ/bit") and c.source
               for c in constants().values())  # fmt: skip
    assert {item for items in DRAMS.values() for item in items} <= set(constants())
    with pytest.raises(HfnError, match="'flux_capacitor'"):
        constant("flux_capacitor")


@pytest.mark.parametrize("column", ["read_pJ", "write_pJ", "leak_mW"])
def test_sram_equals_the_sweep_at_its_points(column):
    for node in NODES:
        rows = [row for row in CACTI if row["tech_um"] == f"0.0{node}"]
        assert len(rows) == 44
        memory = Sram(*(np.array([int(row[n]) for row in rows]) for n in ("size_B", "width_bits")))
        wanted = [float(row[column]) for row in rows]
        np.testing.assert_allclose(memory.value(column, node), wanted, rtol=1e-12)
        assert len(memory.rows(node)) == 44


@pytest.mark.parametrize("price", [sram_read_pj, sram_write_pj])
@pytest.mark.parametrize("node", NODES)
def test_sram_is_monotone_between_the_points(price, node):
    for width in (32, 64, 128, 256):
        for size in 1024 << np.arange(10):
            between = price(np.linspace(size, 2 * size, 9), width, node)
            steps = np.diff(between)
            assert (steps >= -1e-12).all() or (steps <= 1e-12).all()
    middle = price(np.sqrt(2.0) * 4096, 64, node)  # log-log: the geometric mean
    assert middle == pytest.approx(np.sqrt(price(4096, 64, node) * price(8192, 64, node)))
    across = price(4096, np.sqrt(2.0) * 64, node)
    assert across == pytest.approx(np.sqrt(price(4096, 64, node) * price(4096, 128, node)))


def test_sram_beyond_the_sweep():
    assert sram_read_pj(65536, 8, 22) == sram_read_pj(65536, 32, 22)
    assert sram_read_pj(256, 64, 45) == sram_read_pj(1024, 64, 45)
    assert sram_read_pj(1 << 22, 64, 45) == sram_read_pj(1 << 20, 64, 45)
    one, four = (Sram(size, 64).value("leak_mW", 22) for size in (1 << 20, 1 << 22))
    assert four == pytest.approx(4 * one)
    assert sram_write_pj(65536, 384, 22) == pytest.approx(2 * sram_write_pj(32768, 192, 22))
    assert sram_write_pj(65536, 1024, 22) == pytest.approx(4 * 7.8393)  # four of 16 KiB
    with pytest.raises(HfnError, match="node must be one of 22, 45, not 28"):
        sram_read_pj(1024, 32, 28)


def test_sram_names_the_rows_that_it_uses():
    assert Sram(8192, 64).rows(22) == {"sram_cacti7.csv 22 nm 8192 B x 64 bits"}
    assert Sram(12288, 384).rows(45) == {
        f"sram_cacti7.csv 45 nm {size} B x {width} bits" for size in (4096, 8192)
        for width in (128, 256)
    }  # fmt: skip
    several = Sram(np.array([8192, 1024, 8192]), np.array([64, 32, 64])).rows(22)
    assert len(several) == 2


def ends(interval: Energy) -> list[float]:
    return [interval.low, interval.high]


def test_prices_by_hand():
    p = Prices()
    assert ends(p.bus(1)) == [3.9, 70.0]
    assert ends(Prices(dram="horowitz").bus(64)) == [1300, 2600]
    assert ends(Prices(dram="lpddr4").bus(10)) == [80, 80]
    assert ends(p.adder(32)) == [0.1, 0.21]
    np.testing.assert_allclose(ends(p.adder(12)), [0.04, 0.21 * 12 / 32])
    np.testing.assert_allclose(ends(Prices(adders="horowitz").adder(np.array([4, 8, 52])))[0],
                               [0.015, 0.03, 0.1 * 52 / 32])  # fmt: skip
    np.testing.assert_allclose([p.multiplier(*bits).low for bits in ((8, 8), (32, 32), (16, 32))],
                               [0.2, 3.1, 0.2 + 2.9 * 448 / 960])  # fmt: skip
    assert p.gates(32).low == 0.0181 and p.registers(2).low == 0.018
    assert p.shifter(64).high == pytest.approx(0.834)
    assert p.adder(8).rows == {f"energy_constants.csv {item}" for item in
                               ("adder_32", "int_add_8", "int_add_16", "int_add_32")}  # fmt: skip
