"""Where built simulators lie, and how one is built once and kept."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def build_folder() -> Path:
    """Folder of everything that can be built again.

    `HFN_BUILD` from the environment, else `build/` of the checkout, else (an installed wheel) the
    user's cache folder. Absolute; not necessarily there yet.
    """
    if named := os.environ.get("HFN_BUILD"):
        return Path(named).absolute()
    checkout = Path(__file__).absolute().parent.parent
    if (checkout / "pyproject.toml").exists():
        return checkout / "build"
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache).absolute() / "hfn-accel"


def jobs() -> int:
    """Compiler processes at a time: `HFN_JOBS` from the environment, else every core."""
    return int(os.environ.get("HFN_JOBS") or len(os.sched_getaffinity(0)))


def digest(*parts: object) -> str:
    """Twelve hexadecimal digits that name content."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:12]


def cached(folder: Path, make: Callable[[Path], None]) -> Path:
    """`folder`, made by `make(part)` in a sibling that is renamed when whole.

    An existing folder is taken as it is, so its name must tell its content. Two processes may make
    the same one: the first to finish wins. What `make` raises passes through and leaves nothing.
    """
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        make(part)
        part.chmod(0o755)
        part.rename(folder)
    except OSError:
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder
