"""Edge-popup against the paper's rule, restated with a sort."""

import math

import numpy as np
import pytest
import torch

from golden.methods import EdgePopup
from hfn_accel.program import Signs

from .nets import ARCH, gradient, layer, net


def restated(scores: list[np.ndarray], density: float, together: bool) -> list[np.ndarray]:
    """Masks by sorting: 1 for the round(density * n) largest |scores|, at least one a layer."""
    groups = [scores] if together else [[s] for s in scores]
    masks = []
    for group in groups:
        order = np.sort(np.abs(np.concatenate([s.ravel() for s in group])))[::-1]
        last = order[max(1, round(density * order.size)) - 1]
        masks += [np.abs(s) >= min(last, np.abs(s).max()) for s in group]
    return masks


def test_by_hand():
    """Four weights, two kept: 0.5 and -2; all scores have a gradient, the mask or not."""
    method = EdgePopup(density=0.5)
    scores = torch.tensor([0.5, -2.0, 0.1, -0.2]).view(1, 4, 1, 1)
    made = layer(method, scores)
    made.sign.copy_(torch.tensor([1.0, -1, -1, 1]).view(1, 4, 1, 1))
    (weight,), (grad,) = gradient(method, [made], [torch.tensor([1.0, 2, 3, 4]).view(1, 4, 1, 1)])
    scale = math.sqrt(2 / (4 * 0.5))
    assert weight.flatten().tolist() == pytest.approx([scale, -scale, 0, 0])
    assert grad.flatten().tolist() == pytest.approx(scale * np.array([1, 2, -3, -4]))


@pytest.mark.parametrize("threshold", ["layer", "global"])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("density", [0.004, 0.3, 0.77, 1.0])
def test_equals_the_rule(density, channels_last, threshold):
    rng = torch.Generator().manual_seed(round(1000 * density))
    model = net(density=density, threshold=threshold)
    with torch.no_grad():
        for i, conv in enumerate(model.convs):  # layers that a global threshold tells apart
            conv.scores.copy_(torch.randn(conv.scores.shape, generator=rng) * (1 + i % 3))
    if channels_last:
        model.to(memory_format=torch.channels_last)
    upstream = [torch.randn(conv.scores.shape, generator=rng) for conv in model.convs]
    weights, grads = gradient(model.method, model.convs, upstream)
    scores = [conv.scores.detach().numpy() for conv in model.convs]
    masks = restated(scores, density, threshold == "global")
    assert [m.numpy().tolist() for m in model.masks()] == [m.tolist() for m in masks]
    assert model.densities() == [pytest.approx(m.mean()) for m in masks]
    for conv, w, g, s, mask, up in zip(ARCH.tensors, weights, grads, scores, masks, upstream,
                                       strict=True):  # fmt: skip
        scale = math.sqrt(2 / (conv.fan_in * density))
        sign = model.convs[conv.tensor].sign.numpy()
        assert np.allclose(w, scale * sign * mask, rtol=1e-6)
        assert np.allclose(g, up.numpy() * scale * sign * np.sign(s), rtol=1e-6)
        assert model.scales_of_weights()[conv.tensor] == pytest.approx(scale)


def test_a_global_threshold_starves_no_layer():
    model = net(density=0.05, threshold="global")
    with torch.no_grad():
        model.convs[2].scores.mul_(1e-3)
    kept = [int(mask.sum()) for mask in model.masks()]
    assert kept[2] == 1 == min(kept) and kept[3] > 1


def test_ties_and_zeros_exist():
    method = EdgePopup(density=0.5)
    assert [m.sum() for m in method.masks([layer(method, torch.zeros(3, 2, 1, 1))])] == [6]


def test_normal_magnitudes_scale_weights_and_gradients():
    model = net(magnitudes="normal")
    up = [torch.ones_like(conv.scores) for conv in model.convs]
    weights, grads = gradient(model.method, model.convs, up)
    for conv, w, g, mask in zip(model.convs, weights, grads, model.masks(), strict=True):
        plain = conv.sign * conv.magnitudes * model.method.scale(conv, mask)
        assert torch.allclose(w, plain * mask)
        assert torch.allclose(g, plain * conv.scores.sign())
    assert not model.method.exportable and net().method.exportable


def test_a_score_of_float64_chooses_as_float32_does():
    narrow, wide = net(), net().double()
    for a, b in zip(narrow.weights(), wide.weights(), strict=True):
        assert b.dtype == torch.float64 and torch.allclose(a.double(), b, rtol=1e-6)


def test_nothing_of_the_weights_is_kept_for_the_gradient():
    """But the tensors that the layer has anyway."""
    model, kept = net(), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        model.method.weights(model.convs)
    owned = {x.data_ptr() for conv in model.convs for x in (conv.scores, conv.sign)}
    assert kept and {x.data_ptr() for x in kept} <= owned


def test_how_a_ticket_says_it():
    assert {conv.mode.signs for conv in net().convs} == {Signs.SEQUENCE}
    assert {conv.mode.signs for conv in net(recycle_every=2).convs} == {Signs.EXCEPTIONS}
    assert {conv.mode.planes for conv in net().convs} == {1}
