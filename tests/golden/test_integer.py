"""The integer golden model against the definitions in int64, and against the float golden."""

import time

import numpy as np
import pytest
import torch

from golden import export
from golden.integer import IntegerResNet, accuracy
from golden.network import FoldedResNet
from hfn_accel.errors import HfnError
from hfn_accel.modes import Mode
from hfn_accel.network import Architecture
from hfn_accel.networks import named
from hfn_accel.program import Signs
from hfn_accel.random_ticket import random_ticket as untrained
from hfn_accel.sequence import seed_state
from tests.tickets import random_images, random_mode, random_ticket, reference

ARCH = Architecture.parse("6x1,8x2f,12x3f", classes=5, in_channels=3, image_size=12)


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


def trained(seed=3, bits=4, shortcut_bits=8, arch=ARCH, modes=None):
    """A model with random scores, normalisation and calibration, and its images."""
    torch.manual_seed(seed)
    layers = arch.layers[:-1]
    model = FoldedResNet(arch, seed_state(seed), 0.4,
                         [bits if c.relu else shortcut_bits for c in layers],
                         modes=modes and (modes,) * len(arch.tensors))  # fmt: skip
    for norm in model.norms:
        if norm.affine:
            torch.nn.init.uniform_(norm.weight, -1.5, 1.5)
            torch.nn.init.uniform_(norm.bias, -0.5, 0.5)
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (60, 3, 12, 12)).astype(np.uint8)
    export.recalibrate(model, images, batch=20, quantised=False)  # before steps are chosen
    export.recalibrate(model, images, batch=20)
    return model, images


def to_ticket(model, seed=3):
    return export.to_ticket(model, seed=seed, class_names="abcde", provenance={"data": "random"})


@pytest.mark.parametrize("bits, shortcut_bits", [(4, 8), (2, 3), (8, 8)])
def test_layers_equal_the_float_golden_up_to_rounding(bits, shortcut_bits):
    """Each layer in float64 on the integer layer's own inputs: at most one level apart, rarely."""
    model, images = trained(bits=bits, shortcut_bits=shortcut_bits)
    ticket = to_ticket(model)
    record = []
    logits = IntegerResNet(ticket)(images, record)
    model.double()

    def real(layer):
        if layer < 0:
            return torch.from_numpy(images).double() / 255
        q = model.quantisers[layer]
        return (record[layer].double() - q.zero_point) * q.step

    with torch.no_grad():
        for conv in ARCH.layers[:-1]:
            x = model.convs[conv.tensor](real(conv.source), model.convs[conv.tensor].weight())
            x = model.norms[conv.norm](x)
            if conv.residual is not None:
                x = x + real(conv.residual)
            q = model.quantisers[conv.norm]
            levels = (q(x) / q.step).round() + q.zero_point
            difference = (levels - record[conv.norm]).abs()
            assert difference.max() <= 1
            assert difference.mean() < 0.001 * (1 << bits)
        features = real(ARCH.layers[-1].source).mean((2, 3))
        expected = features @ model.convs[-1].weight().flatten(1).T
    factor = (logits.double() * expected).sum() / expected.square().sum()
    assert factor > 0 and torch.allclose(logits.double(), factor * expected, rtol=1e-9, atol=1e-6)


BOTTLENECK = Architecture.parse("imagenet:6x1b,8x3b2f", classes=5, image_size=12)


@pytest.mark.parametrize("arch", [ARCH, BOTTLENECK])
@pytest.mark.parametrize("mode", [
    None, Mode(coats=4), Mode(pruned=5, locked=3), Mode(signs=Signs.EXCEPTIONS),
    Mode(signs=Signs.EXPLICIT, pruned=3),
])  # fmt: skip
def test_networks_agree_end_to_end(arch, mode):
    model, images = trained(bits=8, arch=arch, modes=mode)
    if mode and mode.signs != Signs.SEQUENCE:
        for conv in model.convs:
            conv.sign *= torch.randn_like(conv.sign).sub(1.5).sign().neg()
        export.recalibrate(model, images, batch=20)
        changed = sum(int(p.sum()) for p in to_ticket(model).sign_planes)
        assert changed > 0
    integer = IntegerResNet(to_ticket(model))(images).double()
    with torch.no_grad():
        real = model(torch.from_numpy(images).float() / 255).double()
    correlation = torch.corrcoef(torch.stack([integer.flatten(), real.flatten()]))[0, 1]
    assert correlation > 0.999
    assert (integer.argmax(1) == real.argmax(1)).float().mean() >= 0.95
    labels = integer.argmax(1).numpy()
    labels[:15] = (labels[:15] + 1) % 5
    assert accuracy(IntegerResNet(to_ticket(model)), images, labels, batch=7) == 0.75
    assert set(to_ticket(model).modes) == {mode or Mode()}


def test_shift_is_the_largest_that_fits():
    ticket = to_ticket(trained()[0])
    for norm in ticket.norms:
        largest = max(abs(norm.multiplier.astype(int)).max(), abs(norm.residual.astype(int)).max())
        bias = abs(norm.bias.astype(np.int64)).max()
        assert norm.shift == 47 or largest >= 1 << 14 or bias >= 1 << 30 - 1


def test_masks_are_in_address_order():
    model, _ = trained()
    conv = ARCH.tensors[4]
    with torch.no_grad():
        model.convs[4].scores.zero_()
        kept = round(0.4 * conv.weights)
        model.convs[4].scores.view(-1)[torch.randperm(conv.weights)[:kept]] = 1
        scores = model.convs[4].scores
    mask = to_ticket(model).masks[4]
    for co, ci, ky, kx in np.ndindex(*scores.shape):
        assert mask[co, (ky * conv.kernel + kx) * conv.cin + ci] == bool(scores[co, ci, ky, kx])


def test_a_channel_without_weights_does_not_spoil_the_others():
    model, images = trained()
    with torch.no_grad():
        model.convs[0].scores[2] = 0
        model.convs[0].scores[[0, 1, 3, 4, 5]] += 1
        export.recalibrate(model, images, batch=20)
    norm = to_ticket(model).norms[0]
    assert norm.multiplier[2] == 0 and abs(norm.multiplier[[0, 1, 3, 4, 5]]).min() > 1 << 12


def test_recalibration_averages_batches_and_keeps_the_momentum():
    model, images = trained()
    x = torch.from_numpy(images[:20]).float() / 255
    with torch.no_grad():
        batches = torch.from_numpy(images).float().div(255).split(20)
        stem = [model.convs[0](b, model.convs[0].weight()).mean((0, 2, 3)) for b in batches]
    assert torch.allclose(model.norms[0].running_mean, torch.stack(stem).mean(0), atol=1e-5)
    assert all(norm.momentum == 0.1 for norm in model.norms) and not model.training
    assert torch.equal(model(x), model(x))


def test_what_has_no_ticket_is_refused():
    model, _ = trained()
    with pytest.raises(HfnError, match="not those of seed 4"):
        to_ticket(model, seed=4)
    model.quantisers[1].step.zero_()
    with pytest.raises(HfnError, match="calibrated"):
        to_ticket(model)
    with pytest.raises(HfnError, match="dense"):
        to_ticket(FoldedResNet(ARCH, 1, 0.4, [4] * len(model.norms), dense=True))
    model, _ = trained()
    model.norms[0].running_var.fill_(1e-30)
    model.norms[0].eps = 0
    with pytest.raises(HfnError, match="normalisation of stem does not fit"):
        to_ticket(model)
