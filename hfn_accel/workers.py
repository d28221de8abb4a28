"""Somebody to give work to: this process, or several on this machine."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import BrokenExecutor, Future
from concurrent.futures import ProcessPoolExecutor as Pool
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from .errors import HfnError

KEPT = "what is finished is kept, and the same command goes on from there"
AHEAD = 3  # pieces of work that wait for each worker, so that none is idle


class Hand(NamedTuple):
    """Somebody to give work to: as `Executor.submit`, and how many pieces at a time."""

    submit: object
    window: int


def processes(workers: int) -> AbstractContextManager[Hand]:
    """That many processes; one is this one. Raises HfnError if one dies."""
    return _pool(workers) if workers > 1 else _here()


@contextmanager
def _here():
    def submit(function, argument):
        future = Future()
        future.set_result(function(argument))
        return future

    yield Hand(submit, 1)


@contextmanager
def _pool(workers: int):
    """Processes that are started anew, so that nothing depends on this one's threads."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    pool = Pool(workers, context, _begin, (theirs,))

    def submit(*arguments):  # which may start a process: an interrupt is this process's affair
        with _uninterrupted():
            return pool.submit(*arguments)

    try:
        yield Hand(submit, AHEAD * workers)
    except BrokenExecutor:
        raise HfnError(f"a worker process died (out of memory?): {KEPT}") from None
    finally:
        ours.close()  # which ends the workers, in the middle of a chunk too
        pool.shutdown(cancel_futures=True)


def _begin(pipe):
    """In a new worker: end with the process at the other end of the pipe, even if it is killed."""

    def end():
        try:
            pipe.recv()
        except EOFError:
            os._exit(1)

    threading.Thread(target=end, daemon=True).start()


@contextmanager
def _uninterrupted():
    """Processes that are started in here never see an interrupt; here it comes later."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
