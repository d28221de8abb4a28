"""`@compiled`: functions that Numba translates to machine code, once a machine.

The machine code is kept in a folder of the user's cache whose name is a digest of the engine's
sources, since Numba itself looks only at the file that a function stands in, not at those that it
calls. Where that folder cannot be written, every process compiles anew.
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


def _folder() -> Path | None:
    """The folder, made where it is missing; None if there is no place that can be written."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        if not cache.is_absolute():  # as the XDG specification has it
            cache = Path.home() / ".cache"
        folder = cache / "hfn-accel" / f"engine-{_digest()}"
        if not folder.is_dir():
            folder.mkdir(parents=True)
            _forget(folder.parent)
    except (OSError, RuntimeError):
        return None
    return folder if os.access(folder, os.W_OK) else None


_OLD = 30 * 24 * 3600  # seconds


def _forget(cache: Path):
    """Remove machine code that was made more than a month ago."""
    for other in cache.glob("engine-*"):
        with suppress(OSError):
            if time.time() - other.stat().st_mtime > _OLD:
                shutil.rmtree(other)


FOLDER = _folder()


def compiled(function):
    """`function` in machine code: integers, named tuples of integers, and arrays only."""
    if FOLDER is None:
        return numba.njit(function)
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(FOLDER)
    try:
        return numba.njit(cache=True)(function)
    finally:
        numba.config.CACHE_DIR = before
