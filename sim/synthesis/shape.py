"""The figures of any one design, for `python -m hfn_accel.gen --synth`."""

from hfn_accel.config import Config
from hfn_accel.synthesis_table import ARRAY, per_position

from . import liberty
from .measure import Job, measure
from .targets import TARGETS


def figures(config: Config, target: str, library: str | None, placed: bool) -> dict:
    """A design's row on a target, and of an FPGA `array`: the figures of its array alone, with
    `array_lut4_per_position` (of look-up tables with six inputs `array_lut6_per_position`).

    Raises HfnError if the design does not pass the checks, or a tool is not installed.
    """
    where, cells = liberty.target(library) if library else (TARGETS[target], b"")
    found = measure(Job(config, where, placed=placed, cells=cells))
    found |= {"latches": 0, "combinational_loops": 0}  # else `measure` had raised
    if where.block_ram:
        array = measure(Job(config, where, ARRAY))
        inputs = 6 if target == "xilinx" else 4
        found |= {"array": array["figures"], "buffers_outside_block_ram": 0,
                  f"array_lut{inputs}_per_position": round(per_position(array), 3)}  # fmt: skip
    return found


def lines(found: dict) -> list[tuple[str, str]]:
    """What there is to print, by name."""
    named = [(name, f"{value:,}") for name, value in found["figures"].items()]
    named += [(f"array {name}", f"{value:,}") for name, value in found.get("array", {}).items()]
    named += [(name, str(value)) for name, value in found.items() if type(value) in (int, float)]
    named += [(f"clock {name}", str(value)) for name, value in found.get("clock", {}).items()]
    return named + [(name, version) for name, version in found["made_of"].items()]
