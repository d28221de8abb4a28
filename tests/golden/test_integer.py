"""The integer golden model against the definitions in int64; test_export.py: the float golden."""

import time

import numpy as np
import pytest
import torch

from golden.integer import IntegerResNet
from hfn_accel.networks import named
from hfn_accel.random_ticket import random_ticket as untrained
from tests.tickets import random_images, random_mode, random_ticket, reference


@pytest.mark.parametrize("kind", [
    {}, {"wild": True}, {"modes": random_mode}, {"bipolar": True},
    {"modes": random_mode, "bipolar": True, "wild": True},
])  # fmt: skip
@pytest.mark.parametrize("seed", range(6))
def test_equals_the_definition(seed, kind):
    rng = np.random.default_rng(seed)
    if "bipolar" in kind:
        kind = {"bits": (1, 2)} | kind
    ticket = random_ticket(rng, bottlenecks=True, imagenet=True, **kind)
    images = random_images(rng, ticket.arch, 3)
    record = []
    logits = IntegerResNet(ticket)(images.transpose(0, 3, 1, 2), record)
    expected, layers = reference(ticket, images)
    assert np.array_equal(logits.numpy(), expected) and logits.dtype == torch.int64
    assert len(record) == len(layers) == len(ticket.norms)
    for mine, theirs in zip(record, layers, strict=True):
        assert np.array_equal(mine.numpy().transpose(0, 2, 3, 1), theirs)


def test_double_precision_where_single_is_not_proven():
    """Magnitudes that only several coats could reach: beyond 2^24 float32 would round."""
    rng = np.random.default_rng(0)
    model = IntegerResNet(random_ticket(rng, bits=(8, 8)))
    conv = model.arch.layers[1]
    model.weights[conv.tensor] = weight = torch.from_numpy(rng.integers(0, 999, (2, 64, 3, 3)))
    x = torch.from_numpy(rng.integers(0, 256, (1, 64, 4, 4)))
    acc = model.convolve(conv, x)
    assert acc.max() > 1 << 24
    assert torch.equal(acc, torch.nn.functional.conv2d(x, weight, padding=1))


@pytest.mark.parametrize("name, dataset, seconds", [
    ("hfn-resnet50", "cifar100", 30),
    ("hfn-resnet50", "imagenet", 120),
    pytest.param("hfn-resnet200", "imagenet", 300, marks=pytest.mark.slow),
])  # fmt: skip
def test_published_networks_run_within(name, dataset, seconds):
    arch = named(name, dataset)
    began = time.monotonic()
    model = IntegerResNet(untrained(arch, 1))
    images = random_images(np.random.default_rng(1), arch, 2).transpose(0, 3, 1, 2)
    logits = model(images)
    assert len(logits.unique()) > arch.classes and torch.equal(model(images[1:]), logits[1:])
    assert time.monotonic() - began < seconds
