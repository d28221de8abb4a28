"""Biprop against the paper's rule, restated with loops."""

import math

import numpy as np
import pytest
import torch

from golden.methods import Biprop
from hfn_accel import sequence

from .nets import ARCH, gradient, layer, net


def test_by_hand():
    """W = 3, -1, 2, -5 (times sqrt(2 / 4)), two kept: alpha = (3 + 5) / 2."""
    method = Biprop(density=0.5)
    made = layer(method, torch.tensor([0.9, 0.1, -0.2, -0.8]).view(1, 4, 1, 1))
    made.sign.copy_(torch.tensor([1.0, -1, 1, -1]).view(1, 4, 1, 1))
    made.magnitudes.copy_(torch.tensor([3.0, 1, 2, 5]).view(1, 4, 1, 1))
    (weight,), (grad,) = gradient(method, [made], [torch.tensor([1.0, 2, 3, 4]).view(1, 4, 1, 1)])
    unit = math.sqrt(0.5)
    assert weight.flatten().tolist() == pytest.approx([4 * unit, 0, 0, -4 * unit])
    assert grad.flatten().tolist() == pytest.approx(
        [1 * 3 * unit, 2 * -1 * unit, 3 * 2 * unit * -1, 4 * -5 * unit * -1])  # fmt: skip


@pytest.mark.parametrize("magnitudes", ["normal", "constant"])
@pytest.mark.parametrize("density", [0.01, 0.2, 1.0])
def test_equals_the_rule(density, magnitudes):
    rng = torch.Generator().manual_seed(round(100 * density))
    model = net(method="biprop", density=density, magnitudes=magnitudes)
    upstream = [torch.randn(conv.scores.shape, generator=rng) for conv in model.convs]
    weights, grads = gradient(model.method, model.convs, upstream)
    for conv, made, weight, grad, up, alpha in zip(
        ARCH.tensors, model.convs, weights, grads, upstream, model.scales_of_weights(), strict=True
    ):
        real = math.sqrt(2 / conv.fan_in) * made.sign.numpy()
        if magnitudes == "normal":
            real = real * made.magnitudes.numpy()
        scores = made.scores.detach().numpy()
        order = sorted(np.ndindex(*scores.shape), key=lambda at: -abs(scores[at]))
        kept = order[: max(1, round(density * conv.weights))]
        assert alpha == pytest.approx(sum(abs(real[at]) for at in kept) / len(kept), rel=1e-5)
        expected = np.zeros(scores.shape)
        for at in kept:
            expected[at] = alpha * np.sign(real[at])
        assert np.allclose(weight, expected, rtol=1e-5)
        assert np.allclose(grad, up.numpy() * real * np.sign(scores), rtol=1e-5)


def test_weights_are_kaiming_normal_with_the_signs_of_the_sequence():
    model = net(arch=ARCH.unfolded(), method="biprop")
    for conv, made in zip(ARCH.unfolded().tensors, model.convs, strict=True):
        signs = sequence.signs(sequence.seed_state(7), conv.tensor, conv.cout, conv.fan_in)
        assert np.array_equal(made.sign.permute(0, 2, 3, 1).flatten(1), signs)
    drawn = torch.cat([made.magnitudes.flatten() for made in model.convs])
    assert drawn.min() > 0 and drawn.square().mean() == pytest.approx(1, abs=0.1)
    assert drawn.mean() == pytest.approx(math.sqrt(2 / math.pi), abs=0.05)  # of |N(0, 1)|
    assert len(drawn.unique()) > 0.99 * len(drawn)  # no tensor repeats another
    assert model.method.exportable
