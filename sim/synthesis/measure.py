"""One row of the table: a design, or a block of it, on one target."""

import json
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.files import make_folder
from hfn_accel.synthesis_table import CORE, name
from rtl.accelerator import Accelerator
from rtl.emit import verilog
from sim.build import build_folder, digest

from . import liberty, modules
from .checks import memories, refuse_buffers
from .place import SECONDS, place
from .targets import LIBRARY, Target
from .tools import NEXTPNR, YOSYS, run, version

TOP = "hfn_accel"
_EMITTING = threading.Lock()


@dataclass(frozen=True)
class Job:
    """unit: CORE, or a block's name below the top. placed: place and route too (ECP5). cells:
    content of the target's library."""

    config: Config
    target: Target
    unit: str = CORE
    placed: bool = False
    cells: bytes = b""

    @property
    def label(self) -> str:
        unit = "" if self.unit == CORE else f" {self.unit}"
        return f"{name(self.config)}{unit} on {self.target.library or self.target.name}"


@lru_cache(maxsize=64)
def _split(config: Config) -> dict[str, str]:
    return modules.split(verilog(Accelerator(config), TOP))


def design(config: Config) -> dict[str, str]:
    """The modules of a design's Verilog by name."""
    with _EMITTING:
        return _split(config)


def blocks(config: Config) -> list[str]:
    """Names of a design's blocks."""
    return modules.blocks(design(config), TOP)


def versions(placed: bool) -> dict[str, str]:
    """Of the tools that a row needs. Raises HfnError for one that is not installed."""
    return {package: version(package) for package in (YOSYS, NEXTPNR)[: 1 + placed]}


def map_to(target: Target, text: str, top: str, folder: Path, library: bytes = b"") -> dict:
    """`cells` and `figures` of Verilog, leaving the netlist in the folder. Raises HfnError, in one
    line, if Yosys fails, or if the design has a latch, a combinational loop, a cell that counts as
    nothing, or a buffer that is not in block RAM."""
    (folder / "core.v").write_text(text)
    (folder / LIBRARY).write_bytes(library)
    if reason := run(YOSYS, ("-q", "-l", "log.txt", "-p", target.script(top)), folder):
        raise HfnError(f"{YOSYS}: {reason}")
    netlist = json.loads((folder / "core.json").read_text())["modules"][top]["cells"]
    types = {n: cell["type"] for n, cell in netlist.items() if cell["type"] != "$scopeinfo"}
    found = memories((folder / "memories.txt").read_text())
    if target.block_ram:
        refuse_buffers(found, types, target.block_ram)
    cells = Counter(types.values())
    figures = target.figures(cells) | {"memory_bits": sum(memory.bits for memory in found)}
    if target.library:
        figures |= liberty.area(folder)
    return {"cells": dict(sorted(cells.items())), "figures": figures}


def measure(job: Job, old: dict | None = None, seconds: int = SECONDS) -> dict:
    """The job's row: `old` itself if it is of the same Verilog, script and tools."""
    made_of = versions(job.placed)
    parts = design(job.config)
    top = TOP if job.unit == CORE else f"{TOP}.{job.unit}"
    text = modules.alone(parts, top)
    made_of |= {"verilog": digest(text), "script": digest(job.target.script(top))}
    if job.cells:
        made_of["library"] = digest(job.cells.decode(errors="replace"))
    if old and made_of.items() <= old["made_of"].items():
        return old
    row = {"config": job.config.to_dict(), "target": job.target.name, "unit": job.unit,
           "library": job.target.library, "made_of": made_of}  # fmt: skip
    try:
        with tempfile.TemporaryDirectory(dir=make_folder(build_folder())) as folder:
            row |= map_to(job.target, text, top, Path(folder), job.cells)
            if job.placed:
                if job.unit != CORE:
                    wrapped = modules.registered(parts, top, TOP)
                    map_to(job.target, wrapped, TOP, Path(folder))
                row["clock"] = place(Path(folder), seconds)
    except HfnError as error:
        raise HfnError(f"{job.label}: {error}") from None
    return row
