"""Partially frozen networks against the paper's rule; how freezing spreads over layers."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from golden import methods
from golden.methods.frozen import freezing, searched
from hfn_accel import sequence
from hfn_accel.errors import HfnError
from hfn_accel.modes import PLAIN, Mode
from hfn_accel.network import Architecture

from .nets import ARCH, gradient, net, recipe

STATE = sequence.seed_state(7)
HALF = {"method": "frozen", "pruned": 0.35, "locked": 0.15}
WIDE = Architecture.parse("16x2,32x2f", classes=10, image_size=16)


def rows(weights: torch.Tensor) -> np.ndarray:
    return weights.detach().permute(0, 2, 3, 1).flatten(1).numpy()


@pytest.mark.parametrize("threshold", ["layer", "global"])
@pytest.mark.parametrize("pattern", ["sequence", "generator"])
def test_equals_the_rule(pattern, threshold):
    """-inf and inf stand for frozen scores: the largest of all are the mask, whatever is frozen."""
    model = net(**HALF, freeze_pattern=pattern, threshold=threshold)
    rng = torch.Generator().manual_seed(1)
    upstream = [torch.randn(conv.scores.shape, generator=rng) for conv in model.convs]
    weights, grads = gradient(model.method, model.convs, upstream)
    frozen = [model.method.frozen(conv) for conv in ARCH.tensors]
    magnitude = [np.where(f < 0, -np.inf, np.where(f > 0, np.inf, np.abs(rows(conv.scores))))
                 for f, conv in zip(frozen, model.convs, strict=True)]  # fmt: skip
    groups = [np.concatenate([m.ravel() for m in magnitude])] * len(frozen)
    for conv, f, m, group, weight, grad, up in zip(
        ARCH.tensors, frozen, magnitude, groups if threshold == "global" else magnitude, weights,
        grads, upstream, strict=True,
    ):  # fmt: skip
        made = model.convs[conv.tensor]
        limit = np.sort(group.ravel())[::-1][max(1, round(0.3 * group.size)) - 1]
        mask = m >= min(max(limit, 0), max(m.max(), 0))
        scale = math.sqrt(2 / (conv.fan_in * 0.3))
        assert np.allclose(rows(weight), scale * rows(made.sign) * mask, rtol=1e-6)
        passed = scale * rows(made.sign) * np.sign(rows(made.scores)) * (f == 0)
        assert np.allclose(rows(grad), rows(up) * passed, rtol=1e-6)
        assert not mask[f < 0].any() and mask[f > 0].all()
    if threshold == "layer":
        assert model.densities() == [pytest.approx(0.3, abs=0.5 / c.weights) for c in ARCH.tensors
                                     ]  # fmt: skip


def test_what_is_frozen_ignores_its_scores():
    model = net(**HALF)
    before = model.masks()
    with torch.no_grad():
        for conv in model.convs:
            conv.scores.masked_fill_(conv.frozen > 0, 0).masked_fill_(conv.frozen < 0, 9)
    assert all(torch.equal(a, b) for a, b in zip(before, model.masks(), strict=True))


def test_the_sequences_pattern_is_what_the_mode_says():
    model = net(arch=WIDE, **HALF)
    for conv, made in zip(WIDE.tensors, model.convs, strict=True):
        assert made.mode == Mode(pruned=6, locked=2)  # of 5.6 and 2.4 sixteenths
        numbers = sequence.pattern(STATE, conv.tensor, conv.cout, conv.fan_in)
        frozen = rows(made.frozen)
        assert np.array_equal(frozen == -np.inf, numbers < 6)
        assert np.array_equal(frozen == np.inf, (numbers >= 6) & (numbers < 8))
        assert set(np.unique(frozen[np.isfinite(frozen)])) <= {0}
    assert model.method.exportable


def test_the_generators_pattern_is_exact_and_has_no_mode():
    model = net(arch=WIDE, **HALF, freeze_pattern="generator")
    for conv, made in zip(WIDE.tensors, model.convs, strict=True):
        assert (made.frozen == -math.inf).sum() == round(0.35 * conv.weights)
        assert (made.frozen == math.inf).sum() == round(0.15 * conv.weights)
        assert made.mode == PLAIN
    assert not model.method.exportable
    again = net(arch=WIDE, **HALF, freeze_pattern="generator")
    other = net(arch=WIDE, **HALF, freeze_pattern="generator", seed=8)
    assert torch.equal(again.convs[1].frozen, model.convs[1].frozen)
    assert not torch.equal(other.convs[1].frozen, model.convs[1].frozen)


@pytest.mark.parametrize("threshold", ["layer", "global"])
def test_more_frozen_than_the_density_asks_for_by_chance(threshold):
    """The pattern is random, so that of few weights more may be frozen than is meant: nothing that
    is pruned comes in, nothing locked goes out."""
    for seed in range(20):
        model = net(method="frozen", pruned=0.68, locked=0.25, seed=seed,
                    threshold=threshold)  # fmt: skip
        for conv, mask in zip(model.convs, model.masks(), strict=True):
            assert not mask[conv.frozen < 0].any() and mask[conv.frozen > 0].all()


def ratios(distribution, arch=WIDE, pruned=0.35, locked=0.15, density=0.3):
    fields = {"method": "frozen", "pruned": pruned, "locked": locked, "density": density,
              "freeze_distribution": distribution, "freeze_pattern": "generator"}  # fmt: skip
    return recipe(arch=str(arch), **fields), arch


def test_erk_is_in_proportion_to_the_kernels():
    free = searched(*ratios("erk"))
    rate = [f * c.weights / (c.cin + c.cout + 2 * c.kernel)
            for f, c in zip(free, WIDE.tensors, strict=True) if f < 1]  # fmt: skip
    assert len(rate) > 2 and max(rate) == pytest.approx(min(rate)) and max(free) == 1
    full = [c for f, c in zip(free, WIDE.tensors, strict=True) if f == 1]
    for conv in full:  # whose share would be more than all
        assert (conv.cin + conv.cout + 2 * conv.kernel) * rate[0] >= conv.weights


def test_epl_leaves_equally_many_edges():
    free = searched(*ratios("epl"))
    edges = [f * c.weights for f, c in zip(free, WIDE.tensors, strict=True)]
    partly = [e for f, e in zip(free, edges, strict=True) if f < 1]
    assert len(partly) > 2 and max(partly) == pytest.approx(min(partly))
    assert all(e <= partly[0] for f, e in zip(free, edges, strict=True) if f == 1)
    assert max(free) == 1


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["uniform", "erk", "epl"]), st.floats(0.01, 0.6), st.floats(0, 0.3),
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 4), st.booleans()), min_size=1,
             max_size=4),
)  # fmt: skip
def test_the_searched_fraction_is_kept_in_total(distribution, pruned, locked, stages):
    arch = Architecture.parse(",".join(f"{w}x{n}{'f' * f}" for w, n, f in stages), classes=10)
    free = searched(*ratios(distribution, arch, pruned, locked))
    sizes = [conv.weights for conv in arch.tensors]
    assert all(0 < f <= 1 for f in free)
    assert np.dot(free, sizes) == pytest.approx((1 - pruned - locked) * sum(sizes))
    if distribution == "uniform":
        assert free == [pytest.approx(1 - pruned - locked)] * len(free)


def test_pruned_and_locked_split_alike_everywhere():
    for free, (pruned, locked) in zip(searched(*ratios("erk")), freezing(*ratios("erk")),
                                      strict=True):  # fmt: skip
        assert pruned + locked == pytest.approx(1 - free)
        assert pruned * 0.15 == pytest.approx(locked * 0.35)


@pytest.mark.parametrize("pruned, locked, density, expected", [
    (0.35, 0.15, 0.3, (6, 2)),
    (0.7, 0.2, 0.3, (11, 3)),
    (0.68, 0.25, 0.3, (11, 4)),
    (11.5 / 16, 3.5 / 16, 0.25, (11, 4)),  # 12 and 4 are allowed, and closest, but one is searched
    (3.5 / 16, 11.5 / 16, 0.75, (4, 11)),
    (0.75, 0.18, 0.25, (12, 3)),
    (0.05, 0.29, 0.3, (1, 4)),  # 4.64: 5 sixteenths would be more than the density
])  # fmt: skip
def test_sixteenths(pruned, locked, density, expected):
    made = recipe(method="frozen", pruned=pruned, locked=locked, density=density)
    assert set(freezing(made, ARCH)) == {tuple(n / 16 for n in expected)}


@settings(deadline=None, max_examples=60)
@given(st.floats(0.07, 0.93), st.floats(0, 1), st.floats(0.1, 0.9))
def test_some_sixteenth_is_always_searched(frozen, part, density):
    pruned = min(frozen * part, 1 - density)
    locked = min(frozen - pruned, density)
    made = recipe(method="frozen", pruned=pruned, locked=locked, density=density)
    for p, q in freezing(made, ARCH):
        assert 16 * (p + q) <= 15 and p <= 1 - density + 1e-9 and q <= density + 1e-9
        assert abs(16 * p - 16 * pruned) < 2 and abs(16 * q - 16 * locked) < 2


def test_an_impossible_ratio_names_the_layer():
    fields = {"pruned": 0.68, "locked": 0.02, "density": 0.3}
    assert freezing(*ratios("uniform", **fields))
    with pytest.raises(HfnError, match=r"pruned would be 0\.\d+ of stage2\.\S+, above 0\.700"):
        methods.make(*ratios("epl", **fields))
    with pytest.raises(HfnError, match=r"locked would be 0\.\d+ of stage2\.\S+, above 0\.100"):
        methods.make(*ratios("erk", pruned=0.5, locked=0.1, density=0.1))


def test_a_freezing_of_nothing_is_refused():
    with pytest.raises(HfnError, match="round to no sixteenth in any layer"):
        freezing(recipe(method="frozen", pruned=0.03, locked=0.03), ARCH)
    assert freezing(recipe(method="frozen", pruned=0.03, locked=0.04), ARCH)[0] == (0, 1 / 16)
