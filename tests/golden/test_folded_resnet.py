"""The float golden model: folding, normalisation, pooling, and where the sequence's signs lie."""

import math

import pytest
import torch

from golden.build import build
from hfn_accel import sequence
from hfn_accel.network import Architecture
from hfn_accel.recipe import Recipe

ARCH = Architecture.parse("4x1,6x3f", classes=5, in_channels=2, image_size=8)


def model(arch=ARCH, **fields):
    fields = ({} if fields.get("method") == "dense" else {"density": 0.4}) | fields
    return build(Recipe(dataset="digits", arch=str(arch), seed=7, **fields), arch)


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


def test_weights_are_scaled_signs_of_the_sequence_in_address_order():
    net, state = model(), sequence.seed_state(7)
    conv, layer = ARCH.tensors[3], net.convs[3]
    weight = net.weights()[3].detach()
    scale = net.scales_of_weights()[3]
    assert scale == math.sqrt(2 / (conv.fan_in * 0.4))
    assert set(weight.div(scale).round().unique().tolist()) == {-1, 0, 1}
    for co, ci, ky, kx in ((0, 0, 0, 0), (5, 1, 0, 2), (2, 3, 2, 0), (4, 0, 1, 1)):
        address = 3 * 2**36 + co * 2**20 + (ky * 3 + kx) * conv.cin + ci
        sign = -1 if sequence.jump(state, address) >> 63 else 1
        assert layer.sign[co, ci, ky, kx] == sign
        assert weight[co, ci, ky, kx] in (0, sign * torch.tensor(scale))


def test_scores_begin_kaiming_uniform():
    for conv, layer in zip(ARCH.tensors, model().convs, strict=True):
        bound = 1 / math.sqrt(conv.fan_in)  # sqrt(6 / ((1 + a^2) * fan_in)) with a = sqrt(5)
        assert 0.9 * bound < layer.scores.abs().max() <= bound


FOLDS = ["4x3,6x3", "4x3f,6x3", "4x3,6x3f", "4x3f,6x3f", "4x2bf,4x3b2f,6x1f"]


@pytest.mark.parametrize("text", FOLDS)
@pytest.mark.parametrize("fields", [{}, {"method": "multicoat", "coats": 2}, {"method": "dense"}],
                         ids=str)  # fmt: skip
def test_a_folded_network_is_the_unfolded_one_with_equal_blocks(text, fields):
    """Any set of stages: equal logits at equal depth, and a shared block's gradient is the sum."""
    arch = Architecture.parse(text, classes=5, in_channels=2, image_size=8)
    net, unfolded = model(arch, **fields), model(arch.unfolded(), **fields)
    twins = {}
    with torch.no_grad():
        for layer, twin in zip(arch.layers, arch.unfolded().layers, strict=True):
            twins.setdefault(layer.tensor, []).append(twin.tensor)
            ours, theirs = net.convs[layer.tensor], unfolded.convs[twin.tensor]
            theirs.scores.copy_(ours.scores)
            if not net.dense:
                theirs.sign.copy_(ours.sign)
    assert len(net.convs) == len(twins) and len(net.norms) == len(arch.layers) - 1
    assert ("f" in text) == any(len(twin) > 1 for twin in twins.values())
    x = torch.rand(2, 2, 8, 8)
    assert torch.allclose(unfolded(x), net(x), atol=1e-5)
    for network in (net, unfolded):
        network(x).square().sum().backward()
    for tensor, copies in twins.items():
        grad, parts = net.convs[tensor].scores.grad, [unfolded.convs[t].scores.grad for t in copies]
        assert grad.abs().sum() > 0
        assert torch.allclose(sum(parts), grad, atol=1e-4 * grad.abs().max())


def test_normalisation_is_affine_inside_folded_blocks_only():
    net = model()
    for conv, norm in zip(ARCH.layers[:-1], net.norms, strict=True):
        assert norm.affine == conv.folded == ("folded" in conv.name)
    assert len(set(net.norms)) == len(net.norms)
    assert sum("bias" in name for name, _ in net.named_parameters()) == sum(
        c.folded for c in ARCH.layers
    )  # no convolution and no classifier has a bias


def test_a_shared_normalisation_belongs_to_a_folded_convolution():
    net, unshared = model(norms="shared"), model()
    executed = ARCH.layers[:-1]
    for a in executed:
        for b in executed:
            same = a is b or (a.folded and a.tensor == b.tensor)
            assert (net.norms[a.norm] is net.norms[b.norm]) == same
        assert net.norms[a.norm].affine == a.folded
    assert len(set(net.norms)) == len(executed) - 2  # two convolutions, iterated twice
    x = torch.rand(8, 2, 8, 8)
    assert torch.allclose(net(x), unshared(x), atol=1e-6)  # by the statistics of each batch
    iterated = next(n for c, n in zip(executed, net.norms, strict=True) if c.folded)
    assert iterated.num_batches_tracked == 2 and net.norms[0].num_batches_tracked == 1
    assert not torch.allclose(net.eval()(x), unshared.eval()(x), atol=1e-3)


def test_projection_shortcuts_have_no_relu_and_are_stored_signed():
    net = model()
    record = []
    net.eval()(torch.rand(3, 2, 8, 8), record)
    for conv, quantiser, x in zip(ARCH.layers[:-1], net.quantisers, record, strict=True):
        assert quantiser.zero_point == (128 if conv.name.endswith("shortcut") else 0)
        assert (quantiser(x).min() < 0) == conv.name.endswith("shortcut")


def test_dense_weights_are_the_parameters_themselves():
    net = model(method="dense")
    assert net.dense and net.method is None and not model().dense
    assert all(w is conv.scores for w, conv in zip(net.weights(), net.convs, strict=True))
    assert net.densities() == [1] * len(ARCH.tensors)
    assert all((mask == 1).all() and mask.dtype == torch.uint8 for mask in net.masks())
    std = net.convs[5].scores.std().item()
    assert std == pytest.approx(math.sqrt(2 / ARCH.tensors[5].fan_in), rel=0.2)  # Kaiming-normal
    assert not list(net.convs.buffers())


def test_masks_count_coats_without_a_gradient():
    net = model(method="multicoat", coats=3)
    for conv, mask, density in zip(net.convs, net.masks(), net.densities(), strict=True):
        assert mask.shape == conv.scores.shape and mask.dtype == torch.uint8
        assert not mask.requires_grad and mask.max() == 3
        assert density == pytest.approx((mask > 0).float().mean().item())
