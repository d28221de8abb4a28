"""The float golden model: masks, folding, normalisation, and where the sequence's signs lie."""

import math

import numpy as np
import torch

from golden.network import FoldedResNet, MaskedConv2d, TopMask
from golden.quantise import ActivationQuantiser, calibrate
from hfn_accel import sequence
from hfn_accel.modes import Mode
from hfn_accel.network import Architecture

STATE = sequence.seed_state(7)
ARCH = Architecture.parse("4x1,6x3f", classes=5, in_channels=2, image_size=8)


def model(dense=False, arch=ARCH, bits=4):
    torch.manual_seed(0)
    return FoldedResNet(arch, STATE, 0.4, [bits] * (len(arch.layers) - 1), dense)


def test_top_mask_keeps_exactly_the_largest():
    magnitude = torch.rand(10, 7, generator=torch.Generator().manual_seed(1))
    for density in (0.01, 0.3, 0.5, 1.0):
        mask = TopMask.apply(magnitude, density)
        kept = max(1, round(density * 70))
        assert mask.sum() == kept
        assert magnitude[mask == 1].min() >= magnitude.flatten().sort().values[-kept]


def test_coats_are_nested_top_masks():
    conv = ARCH.tensors[3]
    layer = MaskedConv2d(conv, STATE, 0.6, mode=Mode(coats=3))
    mask, size = layer.mask().detach(), conv.weights
    assert [int((mask >= i).sum()) for i in (1, 2, 3)] == [
        round(0.6 * size), round(0.4 * size), round(0.2 * size)]  # fmt: skip
    order = layer.scores.detach().abs().flatten().argsort(descending=True)
    assert (mask.flatten()[order].diff() <= 0).all()
    layer.weight().sum().backward()
    assert torch.equal(layer.scores.grad, 3 * layer.sign * layer.scale * layer.scores.sign())


def test_frozen_weights_ignore_their_scores_and_keep_the_density():
    conv, mode = ARCH.tensors[7], Mode(pruned=6, locked=2)
    layer = MaskedConv2d(conv, STATE, 0.3, mode=mode)
    numbers = torch.from_numpy(sequence.pattern(STATE, 7, conv.cout, conv.fan_in))
    mask = layer.mask().permute(0, 2, 3, 1).flatten(1)
    assert not mask[numbers < 6].any() and mask[(numbers >= 6) & (numbers < 8)].all()
    assert mask.sum() == round(0.3 * conv.weights) and mask[numbers >= 8].any()
    layer.mask().sum().backward()
    free = layer.scores.grad.permute(0, 2, 3, 1).flatten(1) != 0
    assert torch.equal(free, numbers >= 8)


def test_max_pooling_follows_the_imagenet_stem():
    arch = Architecture.parse("imagenet:4x1b", classes=3, image_size=20)
    net, record, seen = model(arch=arch), [], []
    net.convs[1].register_forward_hook(lambda m, inputs, out: seen.append(inputs[0]))
    net.eval()(torch.rand(2, 3, 20, 20), record)
    assert record[0].shape[2:] == (10, 10) and seen[0].shape[2:] == (5, 5)
    stem = record[0].relu()
    assert torch.equal(seen[0][:, :, 1:, 1:][:, :, :4, :4], torch.stack([torch.stack([
        stem[:, :, 2 * y + 1 : 2 * y + 4, 2 * x + 1 : 2 * x + 4].amax((2, 3)) for x in range(4)],
        -1) for y in range(4)], -2))  # fmt: skip


def test_top_mask_passes_the_gradient_straight_through():
    scores = torch.tensor([0.5, -2.0, 0.1, -0.2], requires_grad=True)
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0])
    (TopMask.apply(scores.abs(), 0.5) * weight).sum().backward()
    assert scores.grad.tolist() == [1, -2, 3, -4]  # also where the mask is 0; sign of |score|


def test_weights_are_scaled_signs_of_the_sequence_in_address_order():
    conv = ARCH.tensors[3]
    layer = MaskedConv2d(conv, STATE, 0.4)
    weight = layer.weight().detach()
    assert layer.scale == math.sqrt(2 / (conv.fan_in * 0.4))
    assert set(weight.div(layer.scale).round().unique().tolist()) == {-1, 0, 1}
    for co, ci, ky, kx in ((0, 0, 0, 0), (5, 1, 0, 2), (2, 3, 2, 0), (4, 0, 1, 1)):
        address = 3 * 2**36 + co * 2**20 + (ky * 3 + kx) * conv.cin + ci
        sign = -1 if sequence.jump(STATE, address) >> 63 else 1
        assert layer.sign[co, ci, ky, kx] == sign
        assert weight[co, ci, ky, kx] in (0, sign * torch.tensor(layer.scale))


def test_iterations_share_one_block_and_have_norms_of_their_own():
    net = model()
    names = [conv.name for conv in ARCH.layers]
    iterated = [c for c in ARCH.layers if c.name.startswith("stage2.folded.conv1")]
    assert len(iterated) == 2 and iterated[0].tensor == iterated[1].tensor
    assert len(net.convs) == len(ARCH.tensors) == 9 and len(net.norms) == len(names) - 1 == 10
    x = torch.rand(2, 2, 8, 8)
    net(x).sum().backward()
    shared = net.convs[iterated[0].tensor].scores.grad.clone()
    unfolded = model(arch=ARCH.unfolded())
    with torch.no_grad():  # the same network with two copies of the block
        for layer, twin in zip(ARCH.layers, ARCH.unfolded().layers, strict=True):
            unfolded.convs[twin.tensor].scores.copy_(net.convs[layer.tensor].scores)
            unfolded.convs[twin.tensor].sign.copy_(net.convs[layer.tensor].sign)
    assert torch.allclose(unfolded(x), net(x), atol=1e-6)
    unfolded(x).sum().backward()
    twins = [c.tensor for c in ARCH.unfolded().layers
             if c.name in ("stage2.block2.conv1", "stage2.block3.conv1")]  # fmt: skip
    parts = sum(unfolded.convs[t].scores.grad for t in twins)
    assert shared.abs().sum() > 0 and torch.allclose(shared, parts, atol=1e-5)


def test_normalisation_is_affine_inside_folded_blocks_only():
    net = model()
    for conv, norm in zip(ARCH.layers[:-1], net.norms, strict=True):
        assert norm.affine == conv.folded == ("folded" in conv.name)
    assert [name for name, _ in net.named_parameters() if "bias" in name] == [
        f"norms.{c.norm}.bias" for c in ARCH.layers if c.folded
    ]  # no convolution and no classifier has a bias


def test_projection_shortcuts_have_no_relu_and_are_stored_signed():
    net = model()
    record = []
    net.eval()(torch.rand(3, 2, 8, 8), record)
    for conv, quantiser, x in zip(ARCH.layers[:-1], net.quantisers, record, strict=True):
        assert quantiser.zero_point == (8 if conv.name.endswith("shortcut") else 0)
        assert (quantiser(x).min() < 0) == conv.name.endswith("shortcut")


def test_dense_weights_are_the_parameters_themselves():
    net = model(dense=True)
    assert net.convs[1].weight() is net.convs[1].scores


def test_quantiser_levels_and_gradient():
    quantiser = ActivationQuantiser(3, signed=True)
    quantiser.step.fill_(0.5)
    quantiser.enabled = True
    x = torch.tensor([-9.0, -2.0, -0.3, 0.2, 0.74, 1.5, 9.0], requires_grad=True)
    y = quantiser(x)
    assert y.tolist() == [-2, -2, -0.5, 0, 0.5, 1.5, 1.5]
    y.sum().backward()
    assert x.grad[[0, 6]].tolist() == [0, 0] and x.grad[[2, 3, 4]].tolist() == [1, 1, 1]


def test_calibration_quantises_every_layer_with_little_error():
    net = model()
    images = torch.rand(32, 2, 8, 8, generator=torch.Generator().manual_seed(3))
    net.train()(images)
    before = net.eval()(images)
    calibrate(net, images)
    assert all(q.enabled and q.step > 0 for q in net.quantisers)
    for quantiser in net.quantisers:
        x = torch.randn(1000, generator=torch.Generator().manual_seed(1)) * 5 * quantiser.step
        levels = (quantiser(x) / quantiser.step).round() + quantiser.zero_point
        assert levels.min() == 0 and levels.max() <= 15 and np.unique(levels).size > 8
    assert (net(images) - before).abs().mean() < 0.25 * before.std()
