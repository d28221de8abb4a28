"""Multicoated supermasks against the paper's rules, restated with a sort."""

import math

import numpy as np
import pytest
import torch

from hfn_accel.modes import Mode

from .nets import ARCH, gradient, net

DENSITY = 0.31  # no product with a layer's size ends in a half, which would round either way
EXPLICIT = (0.69, 0.9212, 0.9685)


def restated(scores: np.ndarray, coats: int, rule: str, sparsities=()) -> np.ndarray:
    """Coats that each weight is in, by sorting."""
    magnitude = np.abs(scores)
    order = np.sort(magnitude.ravel())[::-1]
    if rule == "uniform":
        sparsities = [0.69 + (i - 1) * (1 - 0.69) / coats for i in range(1, coats + 1)]
    if rule == "linear":
        first = order[max(1, round(DENSITY * order.size)) - 1]
        limits = [first + (i - 1) * (order[0] - first) / coats for i in range(1, coats + 1)]
    else:
        limits = [order[max(1, round((1 - s) * order.size)) - 1] for s in sparsities]
    return sum((magnitude >= t).astype(int) for t in limits)


CASES = [(2, "uniform", ()), (3, "uniform", ()), (7, "uniform", ()), (2, "linear", ()),
         (5, "linear", ()), (3, "explicit", EXPLICIT)]  # fmt: skip


@pytest.mark.parametrize("threshold", ["layer", "global"])
@pytest.mark.parametrize("coats, rule, sparsities", CASES)
def test_equals_the_rule(coats, rule, sparsities, threshold):
    given = {"coat_sparsities": sparsities} if sparsities else {"coat_rule": rule}
    model = net(method="multicoat", density=DENSITY, coats=coats, threshold=threshold, **given)
    rng = torch.Generator().manual_seed(coats)
    with torch.no_grad():
        for conv in model.convs:
            conv.scores.copy_(torch.randn(conv.scores.shape, generator=rng))
    upstream = [torch.randn(conv.scores.shape, generator=rng) for conv in model.convs]
    weights, grads = gradient(model.method, model.convs, upstream)
    scores = [conv.scores.detach().numpy() for conv in model.convs]
    if threshold == "global":
        flat = restated(np.concatenate([s.ravel() for s in scores]), coats, rule, sparsities)
        cuts = np.cumsum([s.size for s in scores])[:-1]
        masks = [m.reshape(s.shape) for m, s in zip(np.split(flat, cuts), scores, strict=True)]
    else:
        masks = [restated(s, coats, rule, sparsities) for s in scores]
    assert max(m.max() for m in masks) == coats
    for conv, weight, grad, s, mask, up in zip(ARCH.tensors, weights, grads, scores, masks,
                                               upstream, strict=True):  # fmt: skip
        assert np.array_equal(model.masks()[conv.tensor], mask)
        scale = math.sqrt(2 / (conv.fan_in * (1 - 0.69)))
        sign = model.convs[conv.tensor].sign.numpy()
        assert np.allclose(weight, scale * sign * mask, rtol=1e-6)
        assert np.allclose(grad, coats * up.numpy() * scale * sign * np.sign(s), rtol=1e-6)


@pytest.mark.parametrize("coats, rule, sparsities", CASES)
def test_thresholds_ascend_and_follow_the_scores(coats, rule, sparsities):
    given = {"coat_sparsities": sparsities} if sparsities else {"coat_rule": rule}
    model = net(method="multicoat", density=DENSITY, coats=coats, **given)
    magnitudes = [conv.scores.detach().abs() for conv in model.convs]
    before = model.method.thresholds(magnitudes)
    assert all(t.shape == (coats,) and (t.diff() >= 0).all() for t in before)
    with torch.no_grad():
        model.convs[2].scores.mul_(3)
    after = model.method.thresholds([conv.scores.abs() for conv in model.convs])
    assert torch.allclose(after[2], 3 * before[2]) and torch.equal(after[3], before[3])
    assert not any(t.requires_grad for t in after)


def test_a_layer_below_the_global_threshold_keeps_one_weight_in_one_coat():
    model = net(method="multicoat", coats=3, threshold="global")
    with torch.no_grad():
        model.convs[4].scores.mul_(1e-4)
    assert model.masks()[4].sum() == 1 and model.masks()[3].max() == 3


def test_how_a_ticket_says_it():
    model = net(method="multicoat", coats=3)
    assert {conv.mode for conv in model.convs} == {Mode(coats=3)} and model.method.exportable
