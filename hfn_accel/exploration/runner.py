"""Computes the chunks of a sweep: in this process, on all cores, or on a Dask cluster.

A worker gets a chunk as plain values and gives back its lines, so that all three are the same, and
what comes out does not depend on who computed what, or in which order.
"""

import logging
import re
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, wait
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .. import __version__
from ..errors import HfnError
from ..evaluate import figures
from ..workers import AHEAD, KEPT, Hand, processes
from ..workload import Workload, resolve
from . import table
from .columns import POINT
from .space import Space

CONNECT_SECONDS = 10
_KEPT = 4  # workloads that a worker remembers: chunks come workload by workload


class Task(NamedTuple):
    """A chunk as a worker wants it. axes: of `workload.resolve`, as pairs; columns: of the
    workload."""

    axes: tuple
    columns: dict
    numbers: np.ndarray
    designs: dict[str, np.ndarray]


def task(space: Space, number: int) -> Task:
    """Chunk `number` of a sweep."""
    chunk = space.chunks[number]
    variant, numbers = space.variants[chunk.variant], space.numbers(chunk)
    return Task(tuple(variant.axes.items()), variant.columns, numbers, space.designs(numbers))


def points(task: Task) -> dict[str, np.ndarray]:
    """The table of a chunk."""
    found = figures(_workload(task.axes), task.designs)
    same = {c: np.full(len(task.numbers), value) for c, value in task.columns.items()}
    return {POINT: task.numbers} | same | task.designs | found


def compute(task: Task) -> bytes:
    """The lines of a chunk."""
    return table.rows(points(task))


@lru_cache(maxsize=_KEPT)
def _workload(axes: tuple) -> Workload:
    return resolve(dict(axes))


def results(space: Space, todo: list[int], workers: int = 1,
            scheduler: str | None = None) -> Iterator[tuple[int, bytes]]:  # fmt: skip
    """(chunk, its lines) for every chunk of `todo`, as they are finished.

    workers: processes on this machine; scheduler: a Dask scheduler's address, in their place.
    Raises HfnError if workers die (of a cluster, if one chunk's workers die again and again, or
    its scheduler).
    """
    workers = min(workers, len(todo))
    if scheduler is not None:
        place = _cluster(scheduler)
    else:
        place = processes(workers)
    with place as hand:
        waiting, running = iter(todo), {}
        while True:
            while len(running) < hand.window and (number := next(waiting, None)) is not None:
                running[hand.submit(compute, task(space, number))] = number
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()


@contextmanager
def _cluster(address: str):
    """The workers of a Dask cluster; when one dies, the scheduler gives its chunks to others."""
    try:
        import distributed
    except ImportError:
        raise HfnError("--scheduler needs Dask: pip install 'hfn-accel[cluster]'") from None
    if not re.fullmatch(r"(tcp|tls|ws|wss)://[^\s/]+:[0-9]{1,5}", address):
        raise HfnError(f"--scheduler must be an address such as tcp://HOST:8786, not {address!r}")
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # errors are said once, below
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise HfnError(f"no Dask scheduler answers at {address}: {error}") from None
    with client:
        try:
            _check_versions(client.run(_version))
            threads = sum(client.nthreads().values())
            executor = client.get_executor(pure=False)
            yield Hand(executor.submit, AHEAD * max(threads, 1))
        except distributed.KilledWorker as error:
            raise HfnError(f"workers of {address} die again and again ({error}): {KEPT}") from None
        except (CancelledError, distributed.comm.CommClosedError):
            raise HfnError(f"the scheduler at {address} is gone: {KEPT}") from None


def _version() -> str:
    return __version__


def _check_versions(found: dict[str, str]):
    """Raise HfnError if a worker's package is another than ours."""
    for worker, version in found.items():
        if version != __version__:
            raise HfnError(f"the worker {worker} has hfn-accel {version}, here is {__version__}")
