"""Files that are there whole or not at all."""

import json
import os
from contextlib import suppress
from pathlib import Path

from .errors import HfnError


def atomic_write(path: str | Path, data: bytes):
    """Write `data` beside the target, then rename; a device or pipe is written as it is. Raises
    HfnError if the place is unwritable."""
    path = Path(path)
    if os.path.isdir(path):
        raise HfnError(f"cannot write {path}: Is a directory")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        try:
            part.write_bytes(data)
            os.replace(part, path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
    except OSError as error:
        raise HfnError(f"cannot write {path}: {error.strerror}") from None


def make_folder(path: str | Path) -> Path:
    """A folder to write into, made with its parents where it is missing."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HfnError(f"cannot make the folder {path}: {error.strerror}") from None
    return path


def write_json(path: str | Path, value) -> None:
    """Write a JSON document; the path `-` is standard output."""
    text = json.dumps(value, indent=1, sort_keys=True) + "\n"
    if str(path) == "-":
        print(text, end="")
    else:
        atomic_write(path, text.encode())


def read_bytes(path: str | Path) -> bytes:
    """A whole file. Raises HfnError if it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise HfnError(f"cannot read {path}: {error.strerror}") from None
