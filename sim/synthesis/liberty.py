"""A library of standard cells that the user names: area in um2, and in NAND gates of two inputs."""

import json
import re
from itertools import pairwise
from pathlib import Path

from hfn_accel.errors import HfnError
from hfn_accel.files import read_bytes

from .targets import LIBRARY, Target, of_library

_CELL = re.compile(r"^\s*cell\s*\(\s*\"?(\w+)\"?\s*\)", re.MULTILINE)
_AREA = re.compile(r"\barea\s*:\s*([0-9.eE+-]+)\s*;")
_FUNCTION = re.compile(r"function\s*:\s*\"([^\"]*)\"")
_NAND = re.compile(r"\(?!\(\w+\s*[ *&]\s*\w+\)\)?|\(?\(?!\w+\)?\s*[+|]\s*\(?!\w+\)?\)?")


def target(path: str) -> tuple[Target, bytes]:
    """The target of a Liberty file, and the file's content. Raises HfnError if it is no such file
    or has no NAND gate of two inputs, which areas are compared with."""
    content = read_bytes(path)
    nand_area(content.decode(errors="replace"))
    return of_library(Path(path).name), content


def nand_area(library: str) -> float:
    """Area of the smallest NAND gate of two inputs."""
    starts = [match.start() for match in _CELL.finditer(library)]
    areas = []
    for start, end in pairwise([*starts, len(library)]):
        cell = library[start:end]
        functions, area = _FUNCTION.findall(cell), _AREA.search(cell)
        if area and len(functions) == 1 and _NAND.fullmatch(functions[0].strip()):
            areas.append(float(area[1]))
    if not areas:
        raise HfnError("the library has no NAND gate of two inputs with an area")
    return min(areas)


def area(folder: Path) -> dict[str, float]:
    """Figures of a mapped design in its folder: areas of all cells and of flip-flops, in the
    library's unit (um2), and the first in NAND gates."""
    stat = json.loads((folder / "stat.json").read_text())["design"]
    um2 = float(stat["area"])
    nand = nand_area((folder / LIBRARY).read_text(errors="replace"))
    return {"um2": round(um2, 1), "um2_sequential": round(float(stat["sequential_area"]), 1),
            "gate_equivalents": round(um2 / nand)}  # fmt: skip
