"""The search: schedule, augmentation, checkpoints, and resume with an unchanged result."""

import numpy as np
import pytest
import torch

from golden import data, search
from golden.network import FoldedResNet
from hfn_accel.errors import HfnError
from hfn_accel.network import Architecture
from hfn_accel.sequence import seed_state

ARCH = Architecture.parse("4x1,8x2f", classes=10, in_channels=1, image_size=8)
RECIPE = search.Recipe(epochs=3, batch=64, quantise_from=1, seed=5)


@pytest.fixture(scope="module")
def digits():
    whole = data.load("digits")
    return data.Dataset(
        name="digits", train_images=whole.train_images[:512],
        train_labels=whole.train_labels[:512], test_images=whole.test_images,
        test_labels=whole.test_labels, class_names=whole.class_names, flip=False,
    )  # fmt: skip


def model(dense=False):
    torch.manual_seed(RECIPE.seed)
    bits = [4 if conv.relu else 8 for conv in ARCH.layers[:-1]]
    return FoldedResNet(ARCH, seed_state(RECIPE.seed), 0.3, bits, dense)


@pytest.mark.parametrize("stop_after", [0, 1])
@pytest.mark.parametrize("dense", [False, True])
def test_resume_gives_the_uninterrupted_result(digits, tmp_path, monkeypatch, dense, stop_after):
    """Interrupted before and after quantisation starts, in the middle of an epoch."""
    whole = model(dense)
    rows = search.train(whole, digits, RECIPE, tmp_path / "whole.ckpt")
    part, accuracy = tmp_path / "part.ckpt", search.accuracy
    calls = []

    def interrupted(*args, **kwargs):
        calls.append(None)
        if len(calls) > stop_after + 1:
            raise KeyboardInterrupt
        return accuracy(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(search, "accuracy", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search.train(model(dense), digits, RECIPE, part)
    torch.manual_seed(99)  # nothing may depend on the global generator
    resumed = FoldedResNet(ARCH, seed_state(RECIPE.seed), 0.3, [q.bits for q in whole.quantisers],
                           dense)  # fmt: skip
    again = search.train(resumed, digits, RECIPE, part)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    for row in rows + again:
        del row["seconds"]
    assert again == rows and len(rows) == 3
    assert all(q.enabled and q.step > 0 for q in resumed.quantisers)
    assert (part.with_suffix(".csv")).read_text().count("\n") == 4
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".ckpt", ".ckpt", ".csv", ".csv"]


def test_bottlenecks_behind_an_imagenet_stem_are_searched(digits, tmp_path):
    arch = Architecture.parse("imagenet:16x2bf,16x3bf", classes=10, in_channels=1, image_size=8)
    bits = [4 if conv.relu else 8 for conv in arch.layers[:-1]]
    torch.manual_seed(1)
    net = FoldedResNet(arch, seed_state(1), 0.4, bits)
    rows = search.train(net, digits, search.Recipe(epochs=6, batch=16), tmp_path / "c.ckpt")
    assert float(rows[-2]["train_accuracy"]) > 0.3 > float(rows[0]["train_accuracy"])


def test_an_interrupted_checkpoint_loses_no_metrics(digits, tmp_path, monkeypatch):
    """An epoch that is not done again has its row, whichever of the two files came last."""
    path, save = tmp_path / "a.ckpt", search.Checkpoint.save

    def interrupted(self, epoch):
        if epoch == 1:
            save(self, epoch)
            raise KeyboardInterrupt
        save(self, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(search.Checkpoint, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search.train(model(), digits, RECIPE, path)
    rows = search.train(model(), digits, RECIPE, path)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]


def test_a_finished_search_only_loads(digits, tmp_path):
    path = tmp_path / "a.ckpt"
    first = model()
    search.train(first, digits, RECIPE, path)
    before = path.read_bytes()
    second = model()
    assert len(search.train(second, digits, RECIPE, path)) == 3
    assert path.read_bytes() == before
    assert torch.equal(first.convs[2].scores, second.convs[2].scores)


def test_only_scores_and_affine_norms_are_searched(digits, tmp_path):
    net = model()
    signs = [conv.sign.clone() for conv in net.convs]
    search.train(net, digits, RECIPE, tmp_path / "a.ckpt")
    assert all(torch.equal(s, conv.sign) for s, conv in zip(signs, net.convs, strict=True))
    assert all("sign" not in name for name in net.state_dict())


def test_another_searchs_or_a_damaged_checkpoint_is_refused(digits, tmp_path):
    path = tmp_path / "a.ckpt"
    search.train(model(), digits, search.Recipe(epochs=1, batch=256), path)
    content = path.read_bytes()
    with pytest.raises(HfnError, match="belongs to another search"):
        search.train(model(), digits, RECIPE, path)
    for damage in (b"", content[:50], content[:-1], b"x" * 100):
        path.write_bytes(damage)
        with pytest.raises(HfnError, match="checkpoint .* is damaged .*; delete it"):
            search.train(model(), digits, RECIPE, path)
        assert path.read_bytes() == damage


def test_a_loss_that_is_not_finite_stops_before_the_checkpoint(digits, tmp_path):
    net = model()
    with torch.no_grad():
        next(n for n in net.norms if n.affine).weight.fill_(torch.nan)
    with pytest.raises(HfnError, match="loss is nan in epoch 0, step 0; lower --lr"):
        search.train(net, digits, RECIPE, tmp_path / "a.ckpt")
    assert not list(tmp_path.iterdir())


def test_learning_rate_warms_up_and_falls_to_zero():
    recipe = search.Recipe(epochs=10, lr=0.2, warmup=2.0)
    rates = [search.learning_rate(recipe, e / 10) for e in range(101)]
    assert rates[0] < 0.001 and rates[20] == pytest.approx(0.2) == max(rates)
    assert np.all(np.diff(rates[:21]) > 0) and np.all(np.diff(rates[20:]) < 0)
    assert rates[60] == pytest.approx(0.1) and rates[100] == pytest.approx(0)


@pytest.mark.parametrize("flip", [False, True])
def test_augmentation_shifts_and_mirrors(flip):
    """Every augmented image is one of the possible shifts and mirrors of its original."""
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(1, 256, (64, 3, 16, 16), dtype=np.uint8))
    out = search.augment(images, flip, torch.Generator().manual_seed(1))
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2))
    found = set()
    for original, result in zip(padded, out, strict=True):
        options = {(y, x, m): original[:, y : y + 16, x : x + 16].flip(2) if m
                   else original[:, y : y + 16, x : x + 16]
                   for y in range(5) for x in range(5) for m in (False, True)}  # fmt: skip
        (match,) = [key for key, option in options.items() if torch.equal(option, result)]
        found.add(match)
    assert {m for *_, m in found} == ({False, True} if flip else {False})
    assert {y for y, *_ in found} == {x for _, x, _ in found} == set(range(5))


def test_accuracy_counts_all_images(digits):
    net = model().eval()
    images, labels = digits.test_images[:70], digits.test_labels[:70]
    with torch.no_grad():
        predictions = net(search.to_float(images)).argmax(1).numpy()
    expected = (predictions == labels).mean()
    assert search.accuracy(net, images, labels, batch=32) == pytest.approx(expected)
