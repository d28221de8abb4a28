"""The loop: resume with an unchanged result, wherever a search was stopped, and its errors."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load

from golden.training import checkpoint, loop
from golden.training.files import RunFiles
from hfn_accel.errors import HfnError

from . import job

ROOT = Path(__file__).parents[3]
KINDS = {
    "edge-popup": {},
    "shared norms, no images held out": {"norms": "shared", "validation": 0},
    "learned steps, biprop": {"method": "biprop", "scales": "learned", "act_bits": "b"},
    "recycling": {"recycle_every": 1, "magnitudes": "normal", "epochs": 2},
    "global coats, bfloat16": {"method": "multicoat", "coats": 2, "threshold": "global",
                               "precision": "bfloat16", "scales": "learned"},
    "frozen, quantised from the beginning": {"method": "frozen", "pruned": 0.5,
                                             "quantise_from": 0},
    "dense, no momentum, quantised afterwards": {"method": "dense", "momentum": 0.0, "lr": 0.02,
                                                 "quantise_from": 3},
}  # fmt: skip


def outcome(folder):
    """Everything that a search leaves but its times: tensors, metrics, densities, CSV."""
    with safe_open(folder / "t.ckpt", "pt") as file:
        state = json.loads(file.metadata()["search"])["state"]
    rows = [{k: v for k, v in row.items() if k not in ("seconds", "images_per_second")}
            for row in state["rows"]]  # fmt: skip
    assert len((folder / "t.csv").read_text().splitlines()) == len(rows) + 1
    densities = (folder / "t.density.csv").read_text()
    return load((folder / "t.ckpt").read_bytes()), rows, state["densities"], densities


def assert_equal(folder, other):
    (tensors, *rest), (others, *other_rest) = outcome(folder), outcome(other)
    assert tensors.keys() == others.keys() and rest == other_rest
    for name, value in tensors.items():
        assert value.dtype == others[name].dtype and torch.equal(value, others[name]), name


class Stop(BaseException):
    pass


def stop(*args, **kwargs):
    raise Stop


@pytest.mark.parametrize("kind", KINDS)
def test_resume_gives_the_uninterrupted_result(tmp_path, kind):
    """Stopped again and again: in steps, in validations, while writing, after calibration."""
    chosen, rng, stopped = job.recipe(**KINDS[kind]), random.Random(kind), 0
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    _, rows = job.train(chosen, tmp_path / "whole", checkpoint_every=4)
    assert len(rows) == chosen.epochs
    stops = [("descend", rng.randrange(2, 12)), ("descend", rng.randrange(6, 16)),
             *[("accuracy", 1)] * (chosen.validation > 0), ("Logs._write", 2),
             ("Checkpoint.save", 2), ("calibrate", 1)]  # fmt: skip
    for name, number in stops:
        with pytest.MonkeyPatch.context() as patch:
            where = loop
            if "." in name:
                owner, name = name.split(".")
                where = getattr(loop, owner)
            patch.setattr(where, name, getattr(where, name))  # so that it is undone
            job.at_call(number, where, name, stop)
            torch.manual_seed(rng.randrange(1 << 30))  # nothing may depend on it
            try:
                job.train(chosen, tmp_path / "parts", checkpoint_every=4)
            except Stop:
                stopped += 1
    assert stopped >= len(stops) - 2
    model, _ = job.train(chosen, tmp_path / "parts", checkpoint_every=4)
    assert_equal(tmp_path / "whole", tmp_path / "parts")
    assert {q.enabled for q in model.quantisers} == {chosen.quantise_from < chosen.epochs}
    for name, value in load((tmp_path / "whole" / "t.ckpt").read_bytes()).items():
        if name.startswith("model."):
            assert torch.equal(value, model.state_dict()[name.removeprefix("model.")]), name


def test_a_killed_search_loses_at_most_the_steps_since_its_checkpoint(tmp_path):
    """Killed in a step of the second epoch, then halfway through writing a checkpoint."""
    (tmp_path / "whole").mkdir()
    job.train(job.recipe(), tmp_path / "whole", checkpoint_every=4)

    def life(**options):
        words = [tmp_path, "{}", json.dumps({"checkpoint_every": 4} | options)]
        done = subprocess.run([sys.executable, "-m", "tests.golden.training.job", *words], cwd=ROOT,
                              capture_output=True, text=True)  # fmt: skip
        assert done.returncode == -signal.SIGKILL, done.stderr
        with safe_open(tmp_path / "t.ckpt", "pt") as file:
            state = json.loads(file.metadata()["search"])["state"]
        return state["epoch"], state["step"]

    assert life(kill_at=job.STEPS + 8) == (1, 4)
    assert life(kill_saving=3) == (2, 0)  # the next would be of (2, 4)
    left = [path for path in tmp_path.iterdir() if path.suffix == ".part"]
    assert len(left) == 1  # of the process that could not tidy up
    left[0].unlink()
    job.train(job.recipe(), tmp_path, checkpoint_every=4)
    assert_equal(tmp_path / "whole", tmp_path)


def test_an_interrupt_passes_and_leaves_the_checkpoint(tmp_path, monkeypatch):
    def interrupt(*args):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(loop, "descend", loop.descend)
    job.at_call(6, loop, "descend", interrupt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            job.train(job.recipe(), tmp_path, checkpoint_every=5)
    finally:
        signal.signal(signal.SIGINT, before)
    assert checkpoint.restore(tmp_path / "t.ckpt").epochs_done == 0


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_and_validation_have_the_recipes_precision(tmp_path, precision):
    chosen = job.recipe(precision=precision, epochs=1)
    model, seen = job.network(chosen), set()
    model.register_forward_pre_hook(
        lambda *args: seen.add((model.training, torch.is_autocast_enabled("cpu")))
    )
    loop.train(model, job.images(), chosen, RunFiles(tmp_path / "t.safetensors"))
    assert seen == {(True, precision == "bfloat16"), (False, precision == "bfloat16")}


def test_times_are_those_of_steps_that_count(tmp_path, monkeypatch):
    """At 1 s a step, also where an epoch was interrupted after 5 steps, the last of them lost."""
    clock, descend = SimpleNamespace(now=0.0), loop.descend

    def second(*args):
        clock.now += 1
        return descend(*args)

    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(loop, "descend", second)
    job.at_call(job.STEPS + 6, loop, "descend", stop)
    with pytest.raises(Stop):
        job.train(job.recipe(), tmp_path, checkpoint_every=4)
    clock.now += 1000
    _, rows = job.train(job.recipe(), tmp_path, checkpoint_every=4)
    assert [row["seconds"] for row in rows] == [job.STEPS] * 3
    assert [row["images_per_second"] for row in rows] == [16] * 3


def test_a_finished_search_only_loads(tmp_path):
    first, rows = job.train(job.recipe(epochs=1), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    second, again = job.train(job.recipe(epochs=1), tmp_path)
    assert again == rows
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_only_scores_and_affine_norms_are_searched(tmp_path):
    model = job.network(job.recipe())
    before = {name: value.clone() for name, value in [*model.named_parameters(),
                                                      *model.named_buffers()]}  # fmt: skip
    loop.train(model, job.images(), job.recipe(), RunFiles(tmp_path / "t.safetensors"))
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        changes = name.endswith("scores") or "quantisers" in name or "normalisations" in name
        assert torch.equal(value, before[name]) != changes, name


def test_searches_learn_what_they_see(tmp_path):
    """Ten classes: chance is 0.1. The images held out are other noise on the same patterns."""
    _, rows = job.train(job.recipe(epochs=10, arch="8x1,16x2f"), tmp_path)
    assert rows[0]["train_accuracy"] < 0.4 < 0.5 < rows[-1]["train_accuracy"]
    assert rows[-1]["validation_accuracy"] > 0.4 and rows[-1]["loss"] < rows[0]["loss"]
    assert [row["epoch"] for row in rows] == list(range(1, 11))
    assert all(row["lr"] < before["lr"] for before, row in zip(rows[1:], rows[2:], strict=False))


@pytest.mark.parametrize("every, message", [
    (4, "the loss is nan in epoch 2, step 7: use a lower --lr; .*t.ckpt keeps the last good state"),
    (100, "the loss is nan in epoch 1, step 3: use a lower --lr; no checkpoint yet"),
])  # fmt: skip
@pytest.mark.parametrize("check_every", [1, 20])
def test_a_loss_that_is_not_finite_stops_before_a_checkpoint(
    tmp_path, monkeypatch, every, message, check_every
):
    """Noticed only when the next checkpoint is due, it is still said where it was."""
    descend = loop.descend

    def bad(network, optimiser, x, labels, bfloat16):
        return descend(network, optimiser, x * torch.nan, labels, bfloat16)

    monkeypatch.setattr(loop, "descend", descend)
    job.at_call(job.STEPS + 7 if every == 4 else 3, loop, "descend", bad)
    create = loop._Search.__init__

    def init(self, *args):
        create(self, *args)
        self.check_every = check_every

    monkeypatch.setattr(loop._Search, "__init__", init)
    with pytest.raises(HfnError, match=message):
        job.train(job.recipe(), tmp_path, checkpoint_every=every)
    if every == 100:
        assert not (tmp_path / "t.ckpt").exists()
    else:
        tensors = load((tmp_path / "t.ckpt").read_bytes())
        assert all(value.isfinite().all() for value in tensors.values())
        monkeypatch.undo()
        assert len(job.train(job.recipe(), tmp_path, checkpoint_every=every)[1]) == 3


@pytest.mark.parametrize("name", ["convs.1.scores", "normalisations.0.running_var"])
def test_a_spoilt_network_is_not_kept(tmp_path, monkeypatch, name):
    """The loss was that of the network before the step."""
    descend = loop.descend

    def spoil(network, *args):
        metrics = descend(network, *args)
        network.state_dict()[name][3] = torch.inf
        return metrics

    monkeypatch.setattr(loop, "descend", descend)
    job.at_call(8, loop, "descend", spoil)
    with pytest.raises(HfnError, match=rf"{name} is not finite in epoch 1, step 8: use a lower"):
        job.train(job.recipe(), tmp_path, checkpoint_every=4)
    tensors = load((tmp_path / "t.ckpt").read_bytes())
    assert all(value.isfinite().all() for value in tensors.values())


def test_a_batch_without_variance_is_refused(tmp_path):
    """One image whose last maps are of one pixel; with larger ones it has variance."""
    with pytest.raises(HfnError, match="batch must be at least 2 a process: the last maps have"):
        job.train(job.recipe(batch=1, arch="4x1,4x1,4x1,4x1"), tmp_path)
    assert not list(tmp_path.iterdir())
    job.train(job.recipe(batch=1, arch="4x1,4x1,4x1", epochs=1), tmp_path)


def test_a_batch_of_more_images_than_there_are_is_refused(tmp_path):
    with pytest.raises(HfnError, match="batch must be at most 144, the images of digits that are"):
        job.train(job.recipe(batch=145), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("epochs", [1, 2])
def test_nothing_is_recycled_after_the_last_epoch(tmp_path, epochs):
    """Scores could not follow any more."""
    chosen = job.recipe(recycle_every=1, epochs=epochs)
    first, (model, _) = job.network(chosen), job.train(chosen, tmp_path)
    pairs = zip(first.convs, model.convs, strict=True)
    assert all(torch.equal(a.sign, b.sign) for a, b in pairs) == (epochs == 1)
