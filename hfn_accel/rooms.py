"""Imports from the packages beside this one, whose names a user's own project may bear too."""

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

from .errors import HfnError

ROOMS = ("rtl", "sim", "golden")
_HOME = Path(__file__).resolve().parent.parent


def folder(room: str) -> Path:
    """Where a package beside this one lies, for the files in it."""
    return _HOME / room


def load(module: str, extra: str, rooms: tuple[str, ...] = ROOMS) -> ModuleType:
    """A module such as `sim.backend`, at the moment that a command needs it.

    extra: the optional dependencies that it needs, as named in pyproject.toml. rooms: the
    packages that it imports from. Raises HfnError if a foreign package of such a name is found
    first, or a dependency is not installed.
    """
    for room in rooms:
        spec = importlib.util.find_spec(room)
        if spec is None:
            raise HfnError(f"hfn-accel's own package {room!r} is missing: install hfn-accel again")
        if spec.origin is None or Path(spec.origin).resolve().parent != _HOME / room:
            where = spec.origin or next(iter(spec.submodule_search_locations))
            raise HfnError(f"hfn-accel's own package {room!r} is hidden by {where}: "
                           "run the command in another folder")  # fmt: skip
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise HfnError(f"{module} needs the Python package {error.name!r}: "
                       f"pip install 'hfn-accel[{extra}]'") from None  # fmt: skip
    except ImportError as error:
        raise HfnError(f"{module} cannot be imported: {error}") from None
