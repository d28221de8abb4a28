"""Processes that work for a command: which they are, how they die, that interrupts pass them by."""

import multiprocessing
import os
import signal

import pytest

from hfn_accel import workers
from hfn_accel.errors import HfnError


def _pid(_):
    return os.getpid()


def test_one_is_this_process_and_more_are_others():
    for count in (1, 2):
        with workers.processes(count) as hand:
            found = {future.result() for future in [hand.submit(_pid, i) for i in range(4)]}
        assert (found == {os.getpid()}) == (count == 1)


def test_a_worker_that_dies():
    with pytest.raises(HfnError, match="a worker process died.*the same command goes on"):
        with workers.processes(2) as hand:
            hand.submit(_pid, 0).result()
            multiprocessing.active_children()[0].kill()
            [future.result() for future in [hand.submit(_pid, i) for i in range(9)]]


def test_workers_never_see_an_interrupt():
    asked = signal.pthread_sigmask, signal.SIG_BLOCK, []
    with workers.processes(2) as hand:
        masks = [future.result() for future in [hand.submit(*asked) for _ in range(2)]]
    assert all(signal.SIGINT in mask for mask in masks)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
