"""Mutated files against the package's readers: an HfnError or success, and nothing else.

Each format has a reader, some good files, and mutations of bytes, text and structure. An input runs
in a child process of bounded memory and time, so that what asks for too much shows as a failure.
"""

import resource
import signal
import tempfile
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from hfn_accel.errors import HfnError
from sim.build import jobs

from .formats import FORMATS, Format

MEMORY = 1 << 30  # bytes beyond what the package itself takes
SECONDS = 20
SHARE = 500  # inputs a task


class TooLong(BaseException):
    """An input took longer than SECONDS; no reader catches it."""


@dataclass
class Tally:
    """What a format came to. failures: (input, what came out)."""

    format: str
    runs: int = 0
    read: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)
    slowest: float = 0


def attempt(reader: Callable, path: Path, data: bytes) -> tuple[bool, str | None]:
    """Whether a reader takes a file of that content, and what came out but for an HfnError."""
    path.write_bytes(data)
    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(SECONDS)
    try:
        reader(path)
        return True, None
    except HfnError as error:
        return False, None if str(error).count("\n") == 0 else f"an error of several lines: {error}"
    except (Exception, TooLong) as error:
        return False, f"{type(error).__name__}: {str(error)[:200]}"
    finally:
        signal.alarm(0)


def mutant(chosen: Format, seed: int, i: int) -> bytes:
    """Input i of a format: it follows from the seed and the names alone."""
    rng = np.random.default_rng([seed, zlib.crc32(chosen.name.encode()), i])
    return chosen.mutate(rng, chosen.good)


def run(seed: int, count: int, names=(), only: int | None = None):
    """Tallies: `count` inputs in all, divided among the formats by their shares."""
    chosen = [f for f in FORMATS if not names or f.name in names]
    total = sum(f.share for f in chosen)
    for f in chosen:
        _check_good(f)
    with ProcessPoolExecutor(jobs(), get_context("fork"), _limit) as pool:
        for f in chosen:
            numbers = [only] if only is not None else range(-(-count * f.share // total))
            parts = [numbers[at : at + SHARE] for at in range(0, len(numbers), SHARE)]
            tally = Tally(f.name)
            for part in pool.map(_share, [(f.name, seed, part) for part in parts]):
                tally.runs += part.runs
                tally.read += part.read
                tally.failures += part.failures
                tally.slowest = max(tally.slowest, part.slowest)
            yield tally


def _share(task) -> Tally:
    name, seed, numbers = task
    chosen = next(f for f in FORMATS if f.name == name)
    tally = Tally(name)
    with tempfile.TemporaryDirectory(prefix="hfn-accel-") as folder:
        path = Path(folder) / f"input{chosen.suffix}"
        for i in numbers:
            begin = time.monotonic()
            data = mutant(chosen, seed, i)
            good, failure = attempt(chosen.reader, path, data)
            tally.runs += 1
            tally.read += good
            tally.slowest = max(tally.slowest, time.monotonic() - begin)
            if failure:
                tally.failures.append((i, failure))
    return tally


def _check_good(chosen: Format):
    """The files to be damaged are sound; and what their reader compiles once is compiled."""
    with tempfile.TemporaryDirectory(prefix="hfn-accel-") as folder:
        path = Path(folder) / f"good{chosen.suffix}"
        for data in chosen.good:
            path.write_bytes(data)
            chosen.reader(path)


def _limit():
    """Bound the memory of this process to what it has now and MEMORY more."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


def _stop(*_):
    raise TooLong(f"longer than {SECONDS} s")
