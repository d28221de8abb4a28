"""Who computes the chunks makes no difference, nor who dies meanwhile."""

import contextlib
import multiprocessing
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from hfn_accel.errors import HfnError
from hfn_accel.exploration import explore, runner, space, sweep
from hfn_accel.exploration.store import Store

from .conftest import CHUNK, POINTS, ROOT, Command


@pytest.fixture
def small(monkeypatch, toml) -> sweep.Sweep:
    monkeypatch.setattr(space, "CHUNK", CHUNK)
    return sweep.read(toml)


def wait_for(condition, seconds: float = 300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def children(pid: int) -> list[int]:
    """Processes whose parent that is."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(text) for text in found.stdout.split()]


def alive(pid: int) -> bool:
    """Whether it runs: one that has ended may wait for its parent (Z)."""
    state = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True)
    return state.stdout.strip() not in ("", "Z")


def test_two_workers_write_the_same(toml, whole, tmp_path):
    status, _, error = Command(toml, "--out", tmp_path, "--workers", 2).end()
    assert status == 0, error
    for name in ("points.csv", "front.csv", "sweep.json"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()
    assert (tmp_path / "points.csv").read_bytes().count(b"\r\n") == POINTS + 1


@pytest.mark.parametrize("how, workers", [
    (signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGKILL, 1), (signal.SIGKILL, 2),
])  # fmt: skip
def test_interrupted_and_gone_on_with(toml, whole, tmp_path, how, workers):
    points = tmp_path / "points.csv"
    command = Command(toml, "--out", tmp_path, "--workers", workers, pause=0.1)
    header = len((whole / "points.csv").read_bytes().split(b"\n")[0]) + 1
    wait_for(lambda: points.exists() and points.stat().st_size > header)
    processes = children(command.process.pid)
    if how == signal.SIGKILL:
        command.process.kill()
        assert command.end()[0] == -signal.SIGKILL
    else:
        command.interrupt(how)
        assert command.end() == (130, "", "interrupted\n")
    wait_for(lambda: not any(map(alive, processes)))  # nobody computes for nobody
    assert not (tmp_path / "front.csv").exists()
    left = points.read_bytes()
    assert header < len(left) < (whole / "points.csv").stat().st_size
    status, _, error = Command(toml, "--out", tmp_path, "--workers", workers).end()
    assert status == 0, error
    for name in ("points.csv", "front.csv"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()


def test_what_is_finished_is_not_computed_again(small, tmp_path, monkeypatch):
    with Store(tmp_path, small.space, small.about) as store:
        explore.compute(small, store)
    done = (tmp_path / "points.csv").read_bytes()
    monkeypatch.setattr(runner, "compute", None)
    with Store(tmp_path, small.space, small.about) as store:
        explore.compute(small, store)
    assert (tmp_path / "points.csv").read_bytes() == done


def test_full_disk_keeps_what_is_finished(toml, whole, tmp_path):
    data = (whole / "points.csv").read_bytes()
    most = len(data) // 2
    command = Command(toml, "--out", tmp_path, "--workers", 1, most=most)
    status, out, error = command.end()
    assert (status, out) == (2, "") and error.count("\n") == 1
    assert f"cannot write {tmp_path / 'points.csv'}: File too large" in error
    left = (tmp_path / "points.csv").read_bytes()
    assert data.startswith(left) and left.endswith(b"\r\n") and most / 2 < len(left) <= most
    status, _, error = Command(toml, "--out", tmp_path, "--workers", 1).end()
    assert (status, (tmp_path / "points.csv").read_bytes()) == (0, data), error


def test_a_worker_that_dies_here_ends_the_sweep(small):
    found = runner.results(small.space, list(range(len(small.space.chunks))), 2)
    next(found)
    multiprocessing.active_children()[0].kill()
    with pytest.raises(HfnError, match="a worker process died"):
        list(found)


@contextlib.contextmanager
def cluster(workers: int):
    """A scheduler's address, and that many worker processes."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as local:
        command = [sys.executable, "-m", "distributed.cli.dask_worker", local.scheduler_address,
                   "--nthreads", "1", "--no-nanny", "--no-dashboard"]  # fmt: skip
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": ROOT}
        found = [subprocess.Popen(command, **quiet) for _ in range(workers)]
        try:
            wait_for(lambda: len(local.scheduler.workers) == workers)
            yield local, found
        finally:
            for process in found:
                process.kill()
                process.wait()


def test_a_worker_of_a_cluster_dies(small, whole, tmp_path):
    """One of two is killed while it has chunks that it has not finished: none is lost."""
    with cluster(2) as (local, (dying, _)), Store(tmp_path, small.space, small.about) as store:
        with contextlib.closing(
            runner.results(small.space, list(range(len(small.space.chunks))),
                           scheduler=local.scheduler_address)) as found:  # fmt: skip
            for count, (chunk, lines) in enumerate(found):
                store.append(chunk, lines)
                if count == 0:
                    dying.send_signal(signal.SIGSTOP)  # so that chunks pile up with it
                if count == 3:
                    assert max(len(w.processing) for w in local.scheduler.workers.values()) > 0
                    dying.kill()
        assert len(local.scheduler.workers) == 1
        store.sort()
    assert (tmp_path / "points.csv").read_bytes() == (whole / "points.csv").read_bytes()


def test_the_command_on_a_cluster(toml, whole, tmp_path):
    with cluster(2) as (local, _):
        address = local.scheduler_address
        status, _, error = Command(toml, "--out", tmp_path, "--scheduler", address).end()
    assert status == 0, error
    for name in ("points.csv", "front.csv"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize("address", ["", "garbage", "ftp://x:1", "tcp://127.0.0.1"])
def test_an_address_that_is_none(address):
    with pytest.raises(HfnError, match="--scheduler must be an address such as tcp://HOST:8786"):
        list(runner.results(None, [], scheduler=address))


def test_the_scheduler_ends(toml, tmp_path):
    points = tmp_path / "points.csv"
    with cluster(1) as (local, _):
        command = Command(toml, "--out", tmp_path, "--scheduler", local.scheduler_address,
                          pause=0.2)  # fmt: skip
        wait_for(lambda: points.exists() and points.read_bytes().count(b"\r\n") > 1)
    status, _, error = command.end()
    assert status == 2 and "is gone: what is finished is kept" in error, error
    assert error.count("\n") == 1
    assert points.read_bytes().count(b"\r\n") > 1


def test_a_chunk_that_kills_its_workers():
    distributed = pytest.importorskip("distributed")
    with cluster(1) as (local, _):
        with pytest.raises(HfnError, match="die again and again .*: what is finished is kept"):
            with runner._cluster(local.scheduler_address):
                raise distributed.scheduler.KilledWorker("compute", SimpleNamespace(address="x"), 3)


def test_no_scheduler(small, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(runner, "CONNECT_SECONDS", 0.5)
    for address in ("tcp://127.0.0.1:9",):
        with pytest.raises(HfnError, match=f"no Dask scheduler answers at {address}"):
            next(runner.results(small.space, [0], scheduler=address))


def test_workers_of_another_version():
    runner._check_versions({"tcp://a": runner.__version__})
    with pytest.raises(HfnError, match="the worker tcp://b has hfn-accel 0.0, here is"):
        runner._check_versions({"tcp://a": runner.__version__, "tcp://b": "0.0"})
