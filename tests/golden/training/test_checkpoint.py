"""Checkpoint files: rebuilding a network from one alone, damage, and other searches."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from golden.training import checkpoint, loop
from golden.training.accuracy import accuracy
from golden.training.files import RunFiles
from hfn_accel.errors import HfnError

from . import job


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A finished search of one epoch: network, folder, content of the checkpoint."""
    folder = tmp_path_factory.mktemp("search")
    model, _ = job.train(job.recipe(epochs=1, quantise_from=0), folder)
    return model, folder, (folder / "t.ckpt").read_bytes()


@pytest.mark.parametrize("fields", [
    {"epochs": 1, "quantise_from": 0},
    {"epochs": 1, "quantise_from": 1, "arch": "imagenet:4x1b,4x2bf", "norms": "shared"},
    {"epochs": 2, "scales": "learned", "act_bits": "b", "method": "biprop", "recycle_every": 1},
    {"epochs": 1, "method": "dense"},
])  # fmt: skip
def test_a_network_is_rebuilt_from_its_file_alone(tmp_path, fields):
    chosen = job.recipe(**fields)
    model, rows = job.train(chosen, tmp_path)
    torch.manual_seed(99)
    restored = checkpoint.restore(tmp_path / "t.ckpt")
    assert restored.recipe == chosen and restored.arch == model.arch
    assert restored.epochs_done == chosen.epochs and not restored.model.training
    x = torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        assert torch.equal(restored.model(x), model.eval()(x))
    quantised = chosen.quantise_from < chosen.epochs
    assert all(q.enabled == quantised for q in restored.model.quantisers)
    source = loop.TrainingImages(job.images(), chosen, "cpu")
    held_out = accuracy(restored.model, *source.held_out)
    assert rows[-1]["validation_accuracy"] == round(held_out, 6)


def test_an_unfinished_search_is_rebuilt_too(tmp_path, monkeypatch):
    """After 4 steps of the epoch from which it is quantised."""
    monkeypatch.setattr(loop, "descend", loop.descend)
    job.at_call(job.STEPS + 6, loop, "descend", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        job.train(job.recipe(), tmp_path, checkpoint_every=4)
    restored = checkpoint.restore(tmp_path / "t.ckpt")
    assert restored.epochs_done == 1 and all(q.enabled for q in restored.model.quantisers)


def test_momentum_is_kept_of_every_parameter_that_has_one(tmp_path):
    """Learned steps have none before they are trained."""
    for epochs, part in ((1, 0), (2, 1)):
        folder = tmp_path / str(epochs)
        folder.mkdir()
        model, _ = job.train(job.recipe(scales="learned", epochs=epochs, quantise_from=1), folder)
        with safe_open(folder / "t.ckpt", "pt") as file:
            kept = {name.removeprefix("momentum.") for name in file.keys()
                    if name.startswith("momentum.")}  # fmt: skip
        names = dict(model.named_parameters())
        steps = {name for name in names if name.endswith("step")}
        assert len(steps) == len(model.quantisers)
        assert kept == (set(names) if part else set(names) - steps)


@pytest.mark.parametrize("fields, message", [
    ({"lr": 0.2}, "with lr 0.1, not 0.2; delete or move it"),
    ({"epochs": 2}, "with epochs 1, not 2"),
    ({"method": "dense"}, "with (method 'edge-popup', not 'dense'|magnitudes)"),
    ({"seed": 6}, "with seed 5, not 6"),
    ({"arch": "4x1,8x3f"}, "with arch '4x1,8x2f', not '4x1,8x3f'"),
])  # fmt: skip
def test_another_searchs_checkpoint_is_refused(found, fields, message):
    _, folder, content = found
    with pytest.raises(HfnError, match=r"t\.ckpt belongs to a search " + message):
        job.train(job.recipe(**{"epochs": 1, "quantise_from": 0} | fields), folder)
    assert (folder / "t.ckpt").read_bytes() == content


def test_other_images_are_refused(found):
    model, folder, _ = found
    data, chosen = job.images(), job.recipe(epochs=1, quantise_from=0)
    data = type(data)(**vars(data) | {"train_images": data.train_images[:150],
                                      "train_labels": data.train_labels[:150]})  # fmt: skip
    with pytest.raises(HfnError, match="with training images 160, not 150"):
        loop.train(model, data, chosen, RunFiles(folder / "t.safetensors"))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_is_found(found, data):
    """Whatever byte is another, and wherever the file ends."""
    _, folder, content = found
    bad, place = folder / "bad.ckpt", data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        bad.write_bytes(content[:place])
    else:
        flipped = content[place] ^ data.draw(st.integers(1, 255))
        bad.write_bytes(content[:place] + bytes([flipped]) + content[place + 1 :])
    refused = r"bad\.ckpt is (damaged [^\n]*; delete it|not a checkpoint of a search)$"
    with pytest.raises(HfnError, match=refused):
        checkpoint.restore(bad)


def test_what_is_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / "t.ckpt"
    with pytest.raises(HfnError, match="there is no checkpoint .*t.ckpt"):
        checkpoint.restore(path)
    save_file({"model.x": torch.zeros(2)}, path)
    with pytest.raises(HfnError, match="t.ckpt is not a checkpoint of a search"):
        checkpoint.restore(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(HfnError, match="t.ckpt is damaged"):
        checkpoint.restore(path)
