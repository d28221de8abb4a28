"""What cells count as, and the scripts."""

from collections import Counter

import pytest

from hfn_accel.errors import HfnError
from sim.synthesis.targets import ECP5, GENERIC, ICE40, TARGETS, XILINX, of_library

EXAMPLES = [
    (ECP5, {"LUT4": 100, "CCU2C": 10, "TRELLIS_DPR16X4": 3, "TRELLIS_FF": 7, "DP16KD": 2,
            "MULT18X18D": 5, "PFUMX": 9},
     {"lut": 100 + 20 + 18, "carry": 10, "ff": 7, "bram": 2, "dsp": 5}),
    (ICE40, {"SB_LUT4": 9, "SB_CARRY": 4, "SB_DFF": 1, "SB_DFFESR": 2, "SB_RAM40_4KNW": 3},
     {"lut": 9, "carry": 4, "ff": 3, "bram": 3}),
    (XILINX, {"LUT1": 1, "LUT6": 2, "MUXF7": 5, "CARRY4": 3, "FDRE": 4, "FDSE": 1, "RAM32M": 1,
              "SRL16E": 2, "RAMB18E1": 1, "RAMB36E1": 2, "DSP48E1": 6},
     {"lut": 1 + 2 + 4 + 2, "carry": 3, "ff": 5, "bram": 5, "dsp": 6}),
    (GENERIC, {"$_AND_": 1, "$_XOR_": 2, "$_MUX_": 3, "$_NOT_": 4, "$_DFF_P_": 5,
               "$_SDFFE_PP0P_": 6, "$mem_v2": 7}, {"gates": 10, "ff": 11}),
    (of_library("x.lib"), {"NAND2X1": 3, "DFFPOSX1": 2, "$mem_v2": 7}, {"cells": 5}),
]  # fmt: skip


@pytest.mark.parametrize("target, cells, figures", EXAMPLES)
def test_figures(target, cells, figures):
    assert target.figures(Counter(cells)) == figures
    assert target.figures(Counter()) == dict.fromkeys(figures, 0)


@pytest.mark.parametrize("target, latch", [
    (ECP5, "$_DLATCH_P_"), (ICE40, "$_DLATCH_N_"), (XILINX, "LDCE"), (GENERIC, "$_DLATCH_P_"),
])  # fmt: skip
def test_a_cell_that_counts_as_nothing(target, latch):
    with pytest.raises(HfnError, match="2 cells .*count as nothing"):
        target.figures(Counter({latch: 2}))


@pytest.mark.parametrize("target", [*TARGETS.values(), of_library("x.lib")])
def test_scripts_check_the_design_as_it_is_read(target):
    steps = target.script("top").split("; ")
    checks = steps.index("check -assert")
    assert "check -latchonly -assert" in steps[:checks]
    assert steps[checks + 1] == "design -load core"
    assert steps[checks + 2].endswith(f"-run :{target.ram}")
    assert sum("core.json" in step for step in steps) == 1
