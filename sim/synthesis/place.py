"""Place and route on an ECP5, and what the clock is limited by."""

import json
import re
from pathlib import Path

from .tools import LOG, NEXTPNR, run

DEVICE = ("--85k", "--speed", "6", "--package", "CABGA756")
PLACE = (*DEVICE, "--json", "core.json", "--report", "report.json", "--out-of-context", "--seed",
         "1", "--freq", "100", "--timing-allow-fail", "-q", "-l", LOG)  # fmt: skip
"""LFE5U-85, speed grade 6; out of context: no pads, so the clock is that of paths from register to
register."""

SECONDS = 3600


def timing(report: dict) -> dict:
    """`mhz`, the two ends of the critical path and the cells on it, from nextpnr's report."""
    [(clock, reached)] = report["fmax"].items()
    [path] = (p["path"] for p in report["critical_paths"]
              if all(p[end].split()[-1] == clock for end in ("from", "to")))  # fmt: skip
    return {
        "mhz": round(reached["achieved"], 2),
        "from": _register(path[0]["from"]["cell"]),
        "to": _register(path[-1]["to"]["cell"]),
        "cells": sum(step["type"] == "logic" for step in path),
    }


def _register(cell: str) -> str:
    """The hierarchical name that a mapped cell's name begins with."""
    return re.split(r"_(?:TRELLIS|LUT4|CCU2C|PFUMX|L6MUX21|MULT18X18D)_", cell)[0]


def place(folder: Path, seconds: int = SECONDS) -> dict:
    """`timing` of the netlist in the folder, or `failed`: why it has none (too large, too long)."""
    if reason := run(NEXTPNR, PLACE, folder, seconds):
        return {"failed": reason}
    return timing(json.loads((folder / "report.json").read_text()))
