"""torchrun with two processes: equal everywhere, as one process's, and resumed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from golden.training import distributed
from hfn_accel.errors import HfnError

from . import job, two_processes

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What `two_processes` leaves when torchrun runs it."""
    folder = tmp_path_factory.mktemp("two")
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         "-m", "tests.golden.training.two_processes", folder],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def outcomes(folder, name):
    """The network's state on each rank."""
    return [load_file(folder / f"{name}.{rank}.safetensors") for rank in (0, 1)]


@pytest.mark.parametrize("name", [*two_processes.KINDS, "resumed"])
def test_both_ranks_end_with_the_same_network(folder, name):
    first, second = outcomes(folder, name)
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert torch.equal(value, second[key]), key


@pytest.mark.parametrize("name", ["dense, fixed norms", "edge-popup, fixed norms"])
def test_without_batch_statistics_steps_are_those_of_one_process(folder, tmp_path, name):
    """To rounding, of which there is more where a mask depends on it."""
    model, rows = two_processes.search(name, tmp_path)
    start = job.network(two_processes.recipe(name)).state_dict()
    (two, _), theirs = outcomes(folder, name), json.loads((folder / f"{name}.0.json").read_text())
    for key, value in model.state_dict().items():
        moved = (value - start[key]).abs().max()
        assert (two[key] - value).abs().max() <= 1e-3 * moved, key
        assert moved > 0 or not key.endswith("scores")
    for row, their in zip(rows, theirs, strict=True):
        assert row["loss"] == pytest.approx(their["loss"], rel=1e-4)
        assert row["train_accuracy"] == their["train_accuracy"]


def test_batch_statistics_are_each_ranks_own(folder, tmp_path):
    """So that one process's network is another one; but the running ones are means of both."""
    model, _ = two_processes.search("learned steps", tmp_path)
    first, _ = outcomes(folder, "learned steps")
    assert not torch.allclose(first["convs.1.scores"], model.state_dict()["convs.1.scores"])


def test_resume_under_torchrun_gives_the_uninterrupted_result(folder):
    whole, resumed = outcomes(folder, "learned steps")[0], outcomes(folder, "resumed")[0]
    for key, value in whole.items():
        assert torch.equal(value, resumed[key]), key
    rows = [[{k: v for k, v in row.items() if k not in ("seconds", "images_per_second")}
             for row in json.loads((folder / f"{name}.0.json").read_text())]
            for name in ("learned steps", "resumed")]  # fmt: skip
    assert rows[0] == rows[1] and len(rows[0]) == 3


def test_the_first_rank_alone_writes(folder):
    for name in two_processes.KINDS:
        files = {path.name for path in (folder / name).iterdir()}
        assert files == {"t.ckpt", "t.csv", "t.density.csv", "t.logs"}
        assert len(list((folder / name / "t.logs").iterdir())) == 1


def test_a_checkpoint_of_more_processes_is_refused(folder):
    with pytest.raises(HfnError, match="belongs to a search with processes 2, not 1"):
        two_processes.search("learned steps", folder)


def test_shares_are_equal_parts():
    parts = [distributed.Processes(torch.device("cpu"), rank, 4).share(64) for rank in range(4)]
    assert [list(range(64))[part] for part in parts] == [
        list(range(i, i + 16)) for i in range(0, 64, 16)
    ]
    with pytest.raises(HfnError, match="batch must be a multiple of the 4 processes, not 66"):
        distributed.Processes(torch.device("cpu"), 0, 4).share(66)


@pytest.mark.parametrize("environment, message", [
    ({"WORLD_SIZE": "2"}, "environment are not as torchrun sets them"),
    ({"WORLD_SIZE": "two", "RANK": "0", "LOCAL_RANK": "0"}, "not as torchrun sets them"),
    ({"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"},
     "cannot join 2 processes: start them with torchrun .*MASTER_ADDR"),
])  # fmt: skip
def test_what_is_like_torchrun_only_is_refused(monkeypatch, environment, message):
    """Schedulers set some of its variables too."""
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(HfnError, match=message):
        distributed.join("cpu")


def test_processes_without_a_gpu_each_are_refused(monkeypatch):
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(HfnError, match="2 processes or more need a GPU each, and there are 1"):
        distributed.join("cuda")
