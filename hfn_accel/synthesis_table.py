"""The table of synthesis results, `data/synthesis.json`: what `python -m sim.synthesis` measured.

A row is one design (`config`), the whole of it (`unit` is CORE) or one of its blocks alone, on one
target: `figures` are what `cells` count as together, `clock` what place and route gave (`mhz`, and
the two ends of the critical path), or why it gave nothing (`failed`); `made_of` says what was
measured, with which versions. docs/area.md explains the figures.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from .config import Config
from .errors import HfnError
from .files import atomic_write, read_bytes

MEASURED = Path(__file__).parent / "data" / "synthesis.json"
CORE = "core"
ARRAY = "datapath.array"
FIELDS = {"config", "target", "library", "unit", "made_of", "cells", "figures"}


def key(row: dict) -> tuple:
    """What a row is of; rows are sorted by it."""
    config = tuple(Config(**row["config"]).to_dict().values())
    return row["unit"] != CORE, row["target"], row["library"], config, row["unit"]


def read(path: Path) -> dict[tuple, dict]:
    """Rows of a file by `key`, none if there is no file. Raises HfnError for another file."""
    if not path.exists():
        return {}
    try:
        rows = json.loads(read_bytes(path))
        if any(not FIELDS <= row.keys() for row in rows):
            raise ValueError("a row lacks a field")
        return {key(row): row for row in rows}
    except (ValueError, TypeError, AttributeError, RecursionError, HfnError) as error:
        raise HfnError(f"{path} is not a table of synthesis results ({error}): "
                       "name another file") from None  # fmt: skip


def write(path: Path, rows: dict[tuple, dict]):
    """The file, a line a row, sorted."""
    lines = (json.dumps(rows[k], sort_keys=True) for k in sorted(rows))
    atomic_write(path, ("[\n" + ",\n".join(lines) + "\n]\n").encode())


def cores(rows: Iterable[dict], target: str = "ecp5") -> list[dict]:
    """Rows of whole designs on a target."""
    return [row for row in rows if row["unit"] == CORE and row["target"] == target]


def name(config: Config) -> str:
    """A design's array, and the fields that are not the default."""
    default = Config(rows=config.rows, columns=config.columns).to_dict()
    changed = (f"{f}={v}" for f, v in config.to_dict().items() if v != default[f])
    return " ".join((config.name, *changed))


def per_position(row: dict) -> float:
    """Look-up tables of an array's row, carry cells included, by position (lane and column)."""
    config = row["config"]
    return row["figures"]["lut"] / (config["rows"] * config["columns"])
