"""`@compiled`: functions that Numba translates to machine code, once a machine.

The machine code is kept in a folder of the user's cache whose name is a digest of the engine's
sources, since Numba itself looks only at the file that a function stands in, not at those that it
calls.
"""

import hashlib
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

import numba

_CONSTANTS = "images", "program", "registers", "sequence", "timing", "units"
"""Modules whose constants become part of the machine code."""


def _digest() -> str:
    here = Path(__file__).parent
    files = [*sorted(here.glob("*.py")), *(here.parent / f"{name}.py" for name in _CONSTANTS)]
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:16]


def _folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "hfn-accel" / f"engine-{_digest()}"


FOLDER = _folder()
_OLD = 30 * 24 * 3600  # seconds


def _forget():
    """Remove machine code of other versions that nobody has made for a month."""
    for other in FOLDER.parent.glob("engine-*"):
        with suppress(OSError):
            if time.time() - other.stat().st_mtime > _OLD:
                shutil.rmtree(other)


if not FOLDER.is_dir():
    _forget()


def compiled(function):
    """`function` in machine code: integers, named tuples of integers, and arrays only."""
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(FOLDER)
    try:
        return numba.njit(cache=True)(function)
    finally:
        numba.config.CACHE_DIR = before
