"""The files of an SoC project around a core's Verilog; the same bytes from run to run."""

import re
from pathlib import Path

from .. import rooms
from ..config import Config
from ..export import constants, systemrdl
from . import fusesoc

HERE = Path(__file__).parent
DRIVER = (HERE / "hfn_accel_driver.h", HERE / "hfn_accel_driver.c")
TESTBENCH = HERE / "hfn_accel_tb.v"


def files(config: Config, stem: str) -> dict[str, str]:
    """File name -> text: FuseSoC core, testbench, lint waivers, register map, driver.

    stem: of the Verilog's file name.
    """
    return {
        f"{stem}.core": fusesoc.core(config, stem),
        f"{stem}.vlt": waivers(stem),
        "hfn_accel_regs.h": constants.c_header(),
        "hfn_accel_regs.py": constants.python_module(),
        "hfn_accel_regs.vh": constants.verilog_header(),
        "hfn_accel.rdl": systemrdl.text(),
        **{path.name: path.read_text() for path in (TESTBENCH, *DRIVER)},
    }


def waivers(stem: str) -> str:
    """Verilator's waivers for the emitted Verilog, and for no other file of a project."""
    text = (rooms.folder("sim") / "waivers.vlt").read_text()
    return re.sub(r"^(lint_off -rule \w+)$", rf'\1 -file "*{stem}.v"', text, flags=re.MULTILINE)
