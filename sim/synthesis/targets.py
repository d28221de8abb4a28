"""What the core is mapped to: Yosys scripts, and what their cells count as."""

import re
from collections import Counter
from dataclasses import dataclass, field

from hfn_accel.errors import HfnError

CHECKS = ("design -save core; proc; flatten; opt_clean; check -latchonly -assert; check -assert; "
          "design -load core")  # fmt: skip
"""On the design as it was read: fails for a latch, a combinational loop, a wire with two drivers or
none. Later would be wrong: what a ROM takes over of a register leaves wires without a driver."""

MEMORIES = "tee -o memories.txt dump t:$mem_v2"
"""Once memories are found and before they are mapped; `sim.synthesis.checks` reads them."""


@dataclass(frozen=True)
class Target:
    """name: as on the command line. command: Yosys's own script, which stops before its label
    `ram` for MEMORIES. cells: pattern of a cell -> the figures that one counts in. block_ram:
    pattern of its block RAMs, "" if memories stay apart. library: name of a cell library."""

    name: str
    command: str
    ram: str
    cells: dict[str, dict[str, int]] = field(hash=False)
    block_ram: str = ""
    library: str = ""

    def script(self, top: str) -> str:
        """Yosys commands that read core.v and leave core.json.

        FPGAs: ABC9 of Yosys 0.70 fails with an internal assertion on some netlists whose wires and
        ports are vectors; with wires of single bits it does not.
        """
        call = f"{self.command} -top {top}"
        read = (f"read_verilog core.v; hierarchy -top {top}; {CHECKS}; {call} -run :{self.ram}; "
                f"{MEMORIES}")  # fmt: skip
        if self.block_ram:
            return (f"{read}; {call} -run {self.ram}:map_luts; splitnets -ports; "
                    f"opt_clean -purge; {call} -run map_luts: -json core.json")  # fmt: skip
        cells = (f"dfflibmap -liberty {LIBRARY}; abc -liberty {LIBRARY}" if self.library
                 else "abc -g simple")  # fmt: skip
        area = f"-liberty {LIBRARY}" if self.library else "-tech cmos"
        return (f"{read}; memory_map -rom-only; opt -full; techmap; opt -fast; {cells}; opt -fast; "
                f"clean; autoname; tee -o stat.json stat {area} -json; "
                "write_json core.json")  # fmt: skip

    def figures(self, cells: Counter) -> dict[str, int]:
        """What cells count as together. Raises HfnError for a cell that nobody would count."""
        found = Counter({figure: 0 for kinds in self.cells.values() for figure in kinds})
        for cell, number in sorted(cells.items()):
            kinds = [k for pattern, k in self.cells.items() if re.fullmatch(pattern, cell)]
            if not kinds:
                raise HfnError(f"synthesis gave {number} cells {cell}, which count as nothing")
            for figure, weight in kinds[0].items():
                found[figure] += weight * number
        return dict(found)


LIBRARY = "cells.lib"  # in the folder that Yosys works in
ECP5 = Target(
    "ecp5", "synth_ecp5 -nowidelut", "map_ram",
    {
        "LUT4": {"lut": 1}, "CCU2C": {"lut": 2, "carry": 1}, "TRELLIS_DPR16X4": {"lut": 6},
        "TRELLIS_FF": {"ff": 1}, "DP16KD": {"bram": 1}, "MULT18X18D": {"dsp": 1},
        "PFUMX|L6MUX21": {},
    },
    "DP16KD",
)  # fmt: skip
"""Lattice FPGA-DS-02012: look-up table, two bits of a carry chain, 16 x 4 bits of memory made of
look-up tables, flip-flop, block RAM of 18 Kibit, multiplier. `lut` is nextpnr's `Total LUT4s`."""

ICE40 = Target(
    "ice40", "synth_ice40", "map_ram",
    {
        "SB_LUT4": {"lut": 1}, "SB_CARRY": {"carry": 1}, r"SB_DFF\w*": {"ff": 1},
        r"SB_RAM40_4K\w*": {"bram": 1},
    },
    r"SB_RAM40_4K\w*",
)  # fmt: skip
"""iCE40 HX, which has no multipliers; a carry shares its cell with a LUT4."""

XILINX = Target(
    "xilinx", "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf", "map_memory",
    {
        "LUT[1-6]|INV": {"lut": 1}, "CARRY4": {"carry": 1}, "FD[CPRS]E": {"ff": 1},
        "MUXF[78]|BUFG": {}, "RAM32M|RAM64M|RAM128X1D": {"lut": 4}, "RAM(32|64)X1D": {"lut": 2},
        "SRL16E|SRLC32E": {"lut": 1}, "RAMB18E1": {"bram": 1}, "RAMB36E1": {"bram": 2},
        "DSP48E1": {"dsp": 1},
    },
    "RAMB(18|36)E1",
)  # fmt: skip
"""7 series: a look-up table of any size is one; block RAMs of 18 Kibit. CARRY4 and MUXF need no
look-up table of their own."""

_GATES = r"\$_(AND|NAND|OR|NOR|XOR|XNOR|ANDNOT|ORNOT|MUX|NMUX|NOT)_"
_FLIP_FLOPS = r"\$_(S?DFFE?|SDFFCE)_[PN01]*_"
GENERIC = Target("generic", "synth -flatten", "fine",
                 {_GATES: {"gates": 1}, _FLIP_FLOPS: {"ff": 1}, r"\$mem_v2": {}})  # fmt: skip
"""Gates of two inputs, multiplexers and inverters count one each; memories are apart."""

TARGETS = {t.name: t for t in (ECP5, ICE40, XILINX, GENERIC)}


def of_library(name: str) -> Target:
    """Standard cells of any library, memories apart; `sim.synthesis.liberty` adds their area."""
    return Target("liberty", "synth -flatten", "fine",
                  {r"\$mem_v2": {}, r".*": {"cells": 1}}, library=name)  # fmt: skip
