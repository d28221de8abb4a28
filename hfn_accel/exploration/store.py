"""The folder of a sweep: what is finished is on the disk, and is not computed again.

`points.csv` is its own journal. A chunk's lines are appended at once when it is finished, so after
a kill at any time the file is the header, whole chunks in whatever order they finished, and at
most one torn chunk, which `Store` cuts off. A line begins with its point's number, and the points
of a chunk are known, so the file says which are there. `sweep.json` says which sweep they are of.
"""

import fcntl
import json
import os
import re
from itertools import islice
from pathlib import Path

from ..errors import HfnError
from ..files import atomic_write, make_folder, write_json
from ..workers import KEPT
from . import table
from .space import Space

POINTS, FRONT, SWEEP = "points.csv", "front.csv", "sweep.json"


class Store:
    """An open folder, locked against other sweeps until `close`.

    about: what `sweep.json` is to say; its `digest` tells sweeps apart. done: chunk -> (first
    byte, end) in `points.csv`. Raises HfnError if the folder holds another sweep, unless `restart`
    is set, and if another process is at it.
    """

    def __init__(self, folder: str | Path, space: Space, about: dict, restart: bool = False):
        self.folder, self._space = make_folder(folder), space
        self.points = self.folder / POINTS
        self._lock = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise HfnError(f"another sweep is writing into {folder}") from None
        try:
            self._file, self.done = self._open(about, restart)
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()
        os.close(self._lock)

    def _open(self, about: dict, restart: bool):
        known = self.folder / SWEEP
        if restart:
            for name in (SWEEP, POINTS, FRONT):
                (self.folder / name).unlink(missing_ok=True)
            for picture in (*self.folder.glob("*.png"), *self.folder.glob("*.svg")):
                picture.unlink()
        if known.exists() or self.points.exists():
            if _digest(known) != about["digest"]:
                raise HfnError(f"{self.folder} holds another sweep: give another folder, or "
                               "--restart to overwrite it")  # fmt: skip
        else:
            write_json(known, about)
        if not self.points.exists():
            atomic_write(self.points, table.header())
        done, end = _finished(self.points, self._space)
        file = self.points.open("r+b", buffering=0)
        file.truncate(end)
        file.seek(end)
        return file, done

    def append(self, chunk: int, lines: bytes):
        """Keep a finished chunk's lines. Raises HfnError, keeping none of them, if the disk is
        full."""
        start, rest = self._file.tell(), memoryview(lines)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise HfnError(f"cannot write {self.points}: {error.strerror}; {KEPT}") from None
        finally:
            if rest:
                self._file.truncate(start)
        self.done[chunk] = start, self._file.tell()

    def sort(self):
        """Bring the points of a finished sweep into their order; the file is replaced at once."""
        order = [self.done[chunk] for chunk in range(len(self._space.chunks))]
        if order == sorted(order):
            return
        part = self.points.with_name(f".{POINTS}.part")
        try:
            with self.points.open("rb") as source, part.open("wb") as target:
                target.write(source.readline())
                for start, end in order:
                    source.seek(start)
                    target.write(source.read(end - start))
            os.replace(part, self.points)
        except OSError as error:
            raise HfnError(f"cannot write {part}: {error.strerror}; {KEPT}") from None
        finally:
            part.unlink(missing_ok=True)


def _digest(path: Path) -> str | None:
    try:
        return json.loads(path.read_bytes())["digest"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def _finished(path: Path, space: Space) -> tuple[dict[int, tuple[int, int]], int]:
    """The whole chunks of a file, as `Store.done`, and where they end."""
    chunks = {int(space.numbers(chunk)[0]): i for i, chunk in enumerate(space.chunks)}
    done = {}
    with path.open("rb") as file:
        if file.readline() != table.header():
            raise HfnError(f"{path} is damaged: --restart computes it anew")
        end = file.tell()
        while (chunk := chunks.get(_point(line := file.readline()))) is not None:
            expected = space.numbers(space.chunks[chunk]).tolist()
            lines = [line, *islice(file, len(expected) - 1)]
            if [_point(line) for line in lines] != expected or not table.sound(lines):
                break
            done[chunk] = end, end + sum(map(len, lines))
            end = done[chunk][1]
    return done, end


def _point(line: bytes) -> int | None:
    """The number of the point of a whole line."""
    match = re.match(rb"(\d{1,18}),.*\r\n\Z", line)
    return int(match[1]) if match else None
