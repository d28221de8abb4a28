"""Activation quantisers against their definitions, written as loops or in float64."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from golden.build import build
from golden.quantise import LEAST_STEP, ActivationQuantiser, calibrate
from hfn_accel.network import Architecture
from hfn_accel.recipe import Recipe

KINDS = [(bits, signed, False) for bits in range(1, 9) for signed in (False, True)]
KINDS += [(1, False, True), (1, True, True)]


def quantiser(bits, signed=False, bipolar=False, learned=False, step=None):
    q = ActivationQuantiser(bits, signed, bipolar=bipolar, learned=learned)
    if step is not None:
        with torch.no_grad():
            q.step.fill_(step)
        q.enabled = True
    return q


def samples(seed, count=400, spread=3.0, dtype=torch.float32):
    rng = torch.Generator().manual_seed(seed)
    return (torch.randn(4, count // 4, generator=rng, dtype=torch.float64) * spread).to(dtype)


@pytest.mark.parametrize("bits, signed, bipolar", KINDS)
@given(step=st.floats(0.01, 2), seed=st.integers(0, 99))
def test_every_output_stands_for_an_integer(bits, signed, bipolar, step, seed):
    """y = clamp(round(x / step) + zp, 0, 2^bits - 1), or the bit x >= 0."""
    q = quantiser(bits, signed, bipolar, step=step)
    x = samples(seed, spread=step * 2**bits)
    integers = q(x) / q.unit + q.zero_point
    assert torch.allclose(integers, integers.round(), atol=1e-4)
    unit = q.step.item()
    for got, value in zip(integers.round().flatten().tolist(), x.flatten().tolist(), strict=True):
        if bipolar:
            assert got == (value >= 0)
        else:
            exact = value / unit
            if abs(exact % 1 - 0.5) > 1e-5:  # ties: whichever side float32 finds
                zero = 2 ** (bits - 1) if signed else 0
                assert got == min(max(round(exact) + zero, 0), 2**bits - 1)


def test_levels_and_gradient_by_hand():
    x = torch.tensor([-9.0, -2.0, -0.3, 0.2, 0.74, 1.5, 9.0], requires_grad=True)
    y = quantiser(3, True, step=0.5)(x)
    assert y.tolist() == [-2, -2, -0.5, 0, 0.5, 1.5, 1.5]
    y.sum().backward()
    assert x.grad.tolist() == [0, 0, 1, 1, 1, 0, 0]


def test_bipolar_levels_and_gradient_by_hand():
    x = torch.tensor([-9.0, -0.4, -0.0, 0.0, 0.7, 1.5], requires_grad=True)
    y = quantiser(1, bipolar=True, step=0.25)(x)
    assert y.tolist() == [-0.25, -0.25, 0.25, 0.25, 0.25, 0.25]  # a zero's bit is 1
    (y * torch.arange(1.0, 7.0)).sum().backward()
    assert x.grad.tolist() == pytest.approx([0, 2 * 1.2, 3 * 2, 4 * 2, 5 * 0.6, 0])


@pytest.mark.parametrize("signed, bipolar, expected", [
    (False, False, [0, 0, 0.5, 3]), (True, False, [-3, -0.5, 0.5, 3]), (False, True,
    [-1, -0.5, 0.5, 1]), (True, True, [-1, -0.5, 0.5, 1]),
])  # fmt: skip
def test_what_stands_there_before_quantisation(signed, bipolar, expected):
    q = quantiser(1, signed, bipolar)
    assert q(torch.tensor([-3, -0.5, 0.5, 3])).tolist() == expected


@pytest.mark.parametrize("bits, signed, bipolar", KINDS)
def test_learned_steps_have_the_published_gradient(bits, signed, bipolar):
    """Esser et al., equation 3 and section 2.2, activation by activation."""
    step, x = 0.375, samples(bits, 200, 0.4 * 2**bits)
    q = quantiser(bits, signed, bipolar, learned=True, step=step)
    grad = samples(7, 200)
    q(x).backward(grad)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    total = 0.0
    for value, g in zip(x.double().flatten().tolist(), grad.flatten().tolist(), strict=True):
        v = value / step
        inside = low < v < high
        part = round(v) - v if inside else min(max(v, low), high)
        total += g * ((1 if value >= 0 else -1) if bipolar else part)
    span = 1 if bipolar else max(-low, high)
    assert q.step.grad.item() == pytest.approx(total / np.sqrt(50 * span), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("bits, signed", [(2, False), (4, True), (8, False)])
def test_the_gradient_to_the_step_is_that_of_moving_limits(bits, signed):
    """Where everything is clamped, the function is linear in its step: differences are exact."""
    x = samples(1).sign() * 1000
    q = quantiser(bits, signed, learned=True, step=0.5).double()
    grad = samples(2, dtype=torch.float64)
    q(x.double()).backward(grad)
    moved = copy.deepcopy(q)
    with torch.no_grad():
        moved.step += 0.25
        slope = ((moved(x.double()) - q(x.double())) * grad).sum() / 0.25
    span = 2 ** (bits - 1) if signed else 2**bits - 1
    assert q.step.grad.item() == pytest.approx(float(slope) / np.sqrt(100 * span), rel=1e-5)


@pytest.mark.parametrize("bits, signed, bipolar", [(4, False, False), (3, True, False),
                                                   (1, False, True)])  # fmt: skip
def test_learned_steps_find_the_scale_and_stay_positive(bits, signed, bipolar):
    """From far too wide or narrow a step, gradient descent on the error comes near the best."""
    x = samples(3, 4000)
    best = quantiser(bits, signed, bipolar)
    best.calibrate(x)
    best.enabled = True
    target = best._real(x)
    least = (best(x) - target).square().mean()
    for start in (4, 0.2):
        q = quantiser(bits, signed, bipolar, learned=True, step=best.step.item() * start)
        optimiser = torch.optim.Adam(q.parameters(), lr=0.03 * best.step.item())
        for _ in range(200):
            optimiser.zero_grad()
            (q(x) - target).square().sum().backward()
            optimiser.step()
        assert (q(x) - target).square().mean() < 1.1 * least + 1e-4
    with torch.no_grad():
        q.step.fill_(-3)
    q(x).sum().backward()
    assert q.step.item() == pytest.approx(LEAST_STEP) and q.step.grad.isfinite()


def test_only_learned_steps_are_parameters():
    assert not list(quantiser(4).parameters())
    assert [name for name, _ in quantiser(4, learned=True).named_parameters()] == ["step"]
    for learned in (False, True):
        assert list(quantiser(4, learned=learned).state_dict()) == ["step"]


@pytest.mark.parametrize("bits, signed, bipolar", KINDS)
def test_calibration_finds_nearly_the_least_error(bits, signed, bipolar):
    x = samples(5, 2000, 1.7)
    q = quantiser(bits, signed, bipolar)
    q.calibrate(x)
    q.enabled = True
    assert q.step.item() > 0 and torch.equal(q.step, q.step.bfloat16().float())
    target = x.clamp(-1, 1) if bipolar else x if signed else x.relu()

    def error(step):
        with torch.no_grad():
            q.step.fill_(step)
        return float((q(x) - target).square().mean())

    chosen = error(step := q.step.item())
    assert chosen <= 1.05 * min(error(step * i / 50) for i in range(5, 200)) + 1e-4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("learned", [False, True])
def test_bfloat16_finds_nearly_the_integers_that_float32_does(kind, learned):
    """The quotient has 8 significant bits, as the input has; what is made of it is exact."""
    q = quantiser(*kind, learned=learned)
    x = samples(6, 4000, 2.0).bfloat16()
    q.calibrate(x)
    q.enabled = True
    x.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        low = q(x)
    assert low.dtype == torch.bfloat16
    levels, exact = (y.detach().float() / q.unit for y in (low, q(x.detach().float())))
    assert torch.allclose(levels, (levels + q.zero_point).round() - q.zero_point, rtol=2**-8)
    difference = (levels - exact).round().abs()
    assert difference.max() <= 1 and difference.mean() < 0.001 * 2**q.bits
    low.float().square().sum().backward()
    assert x.grad.isfinite().all() and x.grad.abs().sum() > 0
    if learned:
        assert q.step.grad.dtype == torch.float32 and q.step.grad.isfinite()
    if learned and q.bits <= 4:  # with more, a single activation at the limit makes the gradient
        coarse, q.step.grad = q.step.grad, None
        q(x.detach().float()).square().sum().backward()
        assert torch.allclose(q.step.grad, coarse, rtol=0.2)


def test_memory_format_is_kept():
    x = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    for kind in ((4, False), (1, False, True)):
        assert quantiser(*kind, step=0.1)(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("scales", ["calibrated", "learned"])
def test_a_models_layers_are_calibrated_on_what_they_compute(scales):
    arch = Architecture.parse("4x1,6x3f", classes=5, in_channels=2, image_size=8)
    bits = ["b" if c.norm % 4 == 1 else "8" if c.norm % 2 else "3" for c in arch.layers[:-1]]
    net = build(Recipe(dataset="digits", arch=str(arch), act_bits=",".join(bits), scales=scales,
                       density=0.4), arch)  # fmt: skip
    images = torch.rand(32, 2, 8, 8, generator=torch.Generator().manual_seed(3))
    net.train()(images)
    record = []
    before = net.eval()(images, record)
    calibrate(net.train(), images)
    assert net.training and all(q.enabled and q.step > 0 for q in net.quantisers)
    for q, x in zip(net.quantisers, record, strict=True):
        alone = ActivationQuantiser(q.bits, q.signed, bipolar=q.bipolar)
        alone.calibrate(x)
        assert torch.equal(alone.step, q.step.detach())
    steps = [q.step.item() for q in net.quantisers]
    calibrate(net, images)  # again on what is computed while nothing is quantised
    assert steps == [q.step.item() for q in net.quantisers]
    after = net.eval()(images)
    assert not torch.equal(after, before) and (after - before).abs().mean() < before.std()
