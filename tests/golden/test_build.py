"""From recipe to network: what every field becomes, and that it repeats."""

import pytest
import torch

from golden import data, methods
from golden.build import architecture, build
from hfn_accel.network import Architecture
from hfn_accel.recipe import Recipe

ARCH = Architecture.parse("4x1,6x3f", classes=10, in_channels=1, image_size=8)
METHODS = [
    {}, {"threshold": "global"}, {"method": "biprop"}, {"method": "dense"}, {"recycle_every": 2},
    {"method": "biprop", "recycle_every": 2, "magnitudes": "constant"},
    {"method": "multicoat", "coats": 3, "coat_rule": "linear"},
    {"method": "frozen", "pruned": 0.35, "locked": 0.15, "freeze_pattern": "generator",
     "freeze_distribution": "epl"},
    {"weights": "shifted"}, {"weights": "generator", "magnitudes": "normal"},
    {"norms": "shared"}, {"scales": "learned", "act_bits": "b"},
]  # fmt: skip


def recipe(**fields) -> Recipe:
    return Recipe(**{"dataset": "digits", "arch": str(ARCH), "seed": 3} | fields)


@pytest.mark.parametrize("fields", METHODS, ids=str)
def test_builds_and_learns_and_repeats(fields):
    x = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    first, again, other = (build(recipe(**fields | {"seed": seed}), ARCH) for seed in (3, 3, 4))
    for model in (first, again):
        model(x).square().sum().backward()
        for conv in model.convs:
            assert conv.scores.grad.abs().sum() > 0
    for (name, a), b in zip(first.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b) and (a.grad is None or torch.equal(a.grad, b.grad)), name
    assert torch.equal(first.eval()(x), again.eval()(x))
    assert not torch.equal(first.convs[1].scores, other.convs[1].scores)
    if first.method:
        assert not torch.equal(first.convs[1].sign, other.convs[1].sign)


@pytest.mark.parametrize("fields", METHODS, ids=str)
def test_a_state_brings_a_network_back(fields):
    """What `state_dict` lacks follows from the recipe; nothing in it shares memory."""
    trained, rebuilt = (build(recipe(**fields), ARCH) for _ in range(2))
    with torch.no_grad():
        for p in trained.parameters():
            p.add_(torch.randn_like(p) * 0.1)
    if trained.method:
        trained.method.after_epoch(trained, 1)
    state = trained.state_dict()
    assert len({value.data_ptr() for value in state.values()}) == len(state)
    rebuilt.load_state_dict(state)
    for a, b in zip(trained.weights(), rebuilt.weights(), strict=True):
        assert torch.equal(a, b)


def test_methods_of_a_recipe():
    def make(**fields):
        return methods.make(recipe(**fields), ARCH)

    assert make(method="dense") is None
    assert make(density=0.4) == methods.EdgePopup(density=0.4)
    assert make(threshold="global", recycle_every=2, recycle_fraction=0.1) == methods.EdgePopup(
        density=0.3, threshold="global", recycle_every=2, recycle_fraction=0.1)  # fmt: skip
    assert make(method="biprop") == methods.Biprop(density=0.3, magnitudes="normal")
    assert make(method="multicoat", coats=2, coat_rule="linear") == methods.Multicoat(
        density=0.3, coats=2, rule="linear")  # fmt: skip
    frozen = make(method="frozen", pruned=0.5, locked=0.125)
    assert frozen == methods.Frozen(
        density=0.3, seed=3, shares=((0.5, 0.125),) * len(ARCH.tensors))  # fmt: skip
    for method in methods.METHODS.values():
        assert "20" in method.source  # a paper's year


def test_bits_and_scales():
    model = build(recipe(act_bits="b", scales="learned"), ARCH)
    for conv, quantiser in zip(ARCH.layers, model.quantisers, strict=False):
        assert (quantiser.bits, quantiser.bipolar) == ((1, True) if conv.relu else (8, False))
        assert quantiser.signed == (not conv.relu)
    assert all(isinstance(q.step, torch.nn.Parameter) for q in model.quantisers)
    listed = ",".join(str(1 + i % 8) for i in range(len(ARCH.layers) - 1))
    model = build(recipe(act_bits=listed), ARCH)
    assert [q.bits for q in model.quantisers] == [1 + i % 8 for i in range(len(ARCH.layers) - 1)]
    assert not any(isinstance(q.step, torch.nn.Parameter) for q in model.quantisers)


def test_architecture_of_a_data_set():
    arch = architecture(recipe(arch="5x2f"), data.load("digits"))
    assert str(arch) == "5x2f"
    assert (arch.classes, arch.in_channels, arch.image_size) == (10, 1, 8)
