"""Liberty files: the NAND gate that areas are compared with, and areas."""

import json

import pytest

from hfn_accel.errors import HfnError
from sim.synthesis import liberty

CELL = """
  cell (%s) { area : %g; %s
    pin (A) { direction : input; } pin (B) { direction : input; }
    pin (Y) { direction : output; function : "%s"; } }
"""
INVERTER = (CELL % ("INV", 1, "", "!A")).replace("pin (B) { direction : input; }", "")
FLIP_FLOP = """
  cell (DFF) { area : 9; ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }
    pin (D) { direction : input; } pin (CK) { direction : input; clock : true; }
    pin (Q) { direction : output; function : "IQ"; } }
"""
CELLS = "".join(
    [
        INVERTER,
        CELL % ("NAND2X2", 4, "", "(!(A B))"),
        CELL % ("NAND2X1", 2, "", "(!(A B))"),
        CELL % ("AND2", 3, "", "(A B)"),
        FLIP_FLOP,
    ]
)
LIBRARY = f"library (small) {{\n{CELLS}}}\n"


@pytest.mark.parametrize("function", ["(!(A B))", "!(A * B)", "!(A&B)", "(!A) + (!B)", "!A|!B"])
def test_the_smallest_nand_gate(function):
    assert liberty.nand_area(LIBRARY) == 2
    assert liberty.nand_area(CELL % ("N", 5, "", function)) == 5


@pytest.mark.parametrize("text", ["", "nothing", CELL % ("AND2", 3, "", "(A B)"),
                                  CELL % ("NAND3", 3, "", "(!(A B C))")])  # fmt: skip
def test_no_library(tmp_path, text):
    path = tmp_path / "a.lib"
    path.write_text(text)
    with pytest.raises(HfnError, match="no NAND gate"):
        liberty.target(path)


def test_areas(tmp_path):
    stat = {"design": {"area": 100.04, "sequential_area": 36}}
    (tmp_path / "stat.json").write_text(json.dumps(stat))
    (tmp_path / "cells.lib").write_text(LIBRARY)
    assert liberty.area(tmp_path) == {
        "um2": 100.0, "um2_sequential": 36.0, "gate_equivalents": 50}  # fmt: skip
