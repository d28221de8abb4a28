"""A sweep: axes, constraints, objectives and a sample, as a TOML file or command line says them."""

import hashlib
import json
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from .. import __version__
from ..errors import HfnError
from ..files import read_bytes
from ..ticket import find
from .axes import parse_axes
from .columns import COLUMNS
from .goals import Goals, parse_constraints, parse_objectives
from .names import check_names
from .space import Space, space

SECTIONS = ("axes", "constraints", "objectives", "sample")


@dataclass(frozen=True)
class Sweep:
    """Its points and what it looks for. about: what tells it from other sweeps, for `Store`; the
    objectives, and constraints on figures, do not, since they change no point."""

    space: Space
    goals: Goals
    about: dict


def parse(given: dict) -> Sweep:
    """From section -> name -> value. Raises HfnError, naming the section or the axis, for what is
    unknown, of the wrong type, empty or contradictory."""
    check_names(given, SECTIONS, "section")
    for name, section in given.items():
        if not isinstance(section, dict):
            raise HfnError(f"[{name}] must be a section, not {section!r}")
    axes = parse_axes(given.get("axes", {}))
    constraints = parse_constraints(given.get("constraints", {}))
    sample = _sample(given["sample"]) if "sample" in given else None
    found = space(axes, constraints, sample)
    accurate = any(v.workload.accuracy is not None for v in found.variants)
    objectives = parse_objectives(given.get("objectives", {}), accurate)
    said = {"version": __version__, "axes": axes, "sample": sample, "points": found.size}
    return Sweep(found, Goals(constraints, objectives), {"digest": _digest(found)} | said)


def read(name: str | Path) -> Sweep:
    """From a TOML file, or a shipped one by bare name. Raises HfnError with the file's name."""
    path = _find(name)
    try:
        return parse(tomllib.loads(read_bytes(path).decode()))
    except (ValueError, RecursionError) as error:  # of the file: what it says is checked below
        raise HfnError(f"{path} is not TOML: {error}") from None
    except HfnError as error:
        named = str(error) if str(path) in str(error) else f"{path}: {error}"
        raise HfnError(named) from None


def _find(name: str | Path) -> Path:
    path = Path(name)
    shipped = Path(str(resources.files("hfn_accel") / "data" / "sweeps" / f"{path.name}.toml"))
    bare = path.parent == Path(".") and not path.exists()
    return shipped if bare and shipped.is_file() else path


def _sample(given: dict) -> tuple[int, int]:
    check_names(given, ("points", "seed"), "key in [sample]")
    points, seed = given.get("points"), given.get("seed", 0)
    if type(points) is not int or points < 1:
        raise HfnError(f"[sample] points must be an integer above 0, not {points!r}")
    if type(seed) is not int or seed < 0:
        raise HfnError(f"[sample] seed must be an integer from 0 on, not {seed!r}")
    return points, seed


def _digest(found: Space) -> str:
    """SHA-256 of all that a point follows from; of tickets, their contents instead of the path."""
    workloads = [(v.columns, str(v.workload.arch)) for v in found.variants]
    blocks = [(b.variant, b.values) for b in found.blocks]
    digest = hashlib.sha256(json.dumps([__version__, COLUMNS, workloads, blocks]).encode())
    for ticket in sorted({v.axes["ticket"] for v in found.variants if "ticket" in v.axes}):
        digest.update(read_bytes(find(ticket)))
    if found.sample is not None:
        digest.update(found.sample.tobytes())
    return digest.hexdigest()
