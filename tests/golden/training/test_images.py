"""Training images: random moves, what is held out, and batches that only their place decides."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.training import images
from hfn_accel.errors import HfnError

from . import job

EVERYTHING = slice(None)


def test_floats_are_the_pixels_channels_last():
    pixels = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4) + 159
    out = images.to_float(pixels)
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(out, torch.from_numpy(pixels).float() / 255)


@pytest.mark.parametrize("flip", [False, True])
def test_augmentation_shifts_and_mirrors(flip):
    """Every augmented image is one of the possible shifts and mirrors of its original."""
    rng = np.random.default_rng(0)
    originals = torch.from_numpy(rng.integers(1, 256, (64, 3, 16, 16), dtype=np.uint8))
    out = images.augment(originals, flip, torch.Generator().manual_seed(1))
    assert out.dtype == torch.uint8
    padded = torch.nn.functional.pad(originals, (2, 2, 2, 2))
    found = set()
    for original, result in zip(padded, out, strict=True):
        options = {(y, x, m): original[:, y : y + 16, x : x + 16].flip(2) if m
                   else original[:, y : y + 16, x : x + 16]
                   for y in range(5) for x in range(5) for m in (False, True)}  # fmt: skip
        (match,) = [key for key, option in options.items() if torch.equal(option, result)]
        found.add(match)
    assert {m for *_, m in found} == ({False, True} if flip else {False})
    assert {y for y, *_ in found} == {x for _, x, _ in found} == set(range(5))
    assert len({(y, x) for y, x, _ in found}) > 15  # rows and columns move independently


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 400), st.floats(0, 0.9), st.integers(0, 2**64 - 1))
def test_what_is_held_out_is_never_trained_on(count, fraction, seed):
    chosen, held_out = images.split(count, fraction, seed)
    assert sorted([*chosen.tolist(), *held_out.tolist()]) == list(range(count))
    assert len(held_out) == round(fraction * count)
    again = images.split(count, fraction, seed)
    assert torch.equal(again[0], chosen) and torch.equal(again[1], held_out)


def test_every_place_and_seed_has_random_numbers_of_its_own():
    places = [(), (0,), (1,), (0, 0), (0, 1), (1, 0), (0, 0, 0)]
    drawn = {tuple(torch.rand(4, generator=images.generator(seed, *place)).tolist())
             for seed in (0, 1, 1 << 32, (1 << 64) - 1) for place in places}  # fmt: skip
    assert len(drawn) == 4 * len(places)
    assert not torch.equal(images.split(100, 0.5, 1)[1], images.split(100, 0.5, 2)[1])


def test_batches_are_the_chosen_images_once_an_epoch():
    """Unmoved (one pixel is no shift), images say which they are; the leftover is another one."""
    data = job.images()
    pixels = np.arange(160, dtype=np.uint8).reshape(160, 1, 1, 1)
    data = type(data)(**vars(data) | {"train_images": pixels, "train_labels": np.arange(160)})
    source = images.TrainingImages(data, job.recipe(batch=13), "cpu")
    chosen, held_out = images.split(160, 0.1, job.SMALL["seed"])
    assert source.steps == 144 // 13 and torch.equal(source.held_out[1], held_out)
    assert torch.equal(source.held_out[0].flatten().long(), held_out)
    orders = []
    for epoch in range(2):
        batches = list(source.batches(epoch, 0, EVERYTHING))
        assert [len(labels) for _, labels in batches] == [13] * source.steps
        labels = torch.cat([labels for _, labels in batches])
        x = torch.cat([x for x, _ in batches])
        assert torch.equal((x.flatten() * 255).round().long(), labels)
        assert len(set(labels.tolist())) == 143 and set(labels.tolist()) < set(chosen.tolist())
        orders.append(labels)
    assert not torch.equal(*orders)
    assert torch.equal(source.first(5).flatten() * 255, chosen[:5].float())


def test_batches_depend_on_their_place_alone():
    """From the middle of an epoch, and cut into shares, they are the same."""
    source = images.TrainingImages(job.images(flip=True), job.recipe(), "cpu")
    whole = list(source.batches(1, 0, EVERYTHING))
    late = list(source.batches(1, 6, EVERYTHING))
    shares = [list(source.batches(1, 0, slice(i, i + 4))) for i in range(0, 16, 4)]
    assert len(late) == source.steps - 6
    for (x, labels), (y, others) in zip(whole[6:], late, strict=True):
        assert torch.equal(x, y) and torch.equal(labels, others)
    for step, (x, labels) in enumerate(whole):
        assert torch.equal(x, torch.cat([share[step][0] for share in shares]))
        assert torch.equal(labels, torch.cat([share[step][1] for share in shares]))


def test_every_batch_is_moved_in_its_own_way():
    """Of images that are all the same, what is seen is how they were moved."""
    data = job.images()
    data.train_images[:] = data.train_images[0]
    source = images.TrainingImages(data, job.recipe(), "cpu")
    seen = {tuple(x.flatten().tolist())
            for epoch in range(3) for x, _ in source.batches(epoch, 0, EVERYTHING)}  # fmt: skip
    assert len(seen) == 3 * source.steps


def test_too_few_images_are_refused():
    for batch, fraction in ((145, 0.1), (161, 0.0)):
        with pytest.raises(HfnError, match=f"batch must be at most {batch - 1}, the images"):
            images.TrainingImages(job.images(), job.recipe(batch=batch, validation=fraction), "cpu")
