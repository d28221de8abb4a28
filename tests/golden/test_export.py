"""What a ticket computes against its float golden: every layer's integers, and the logits."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from golden import export
from golden.build import build
from golden.integer import IntegerResNet, accuracy
from golden.methods.recycling import recycle
from hfn_accel.errors import HfnError
from hfn_accel.modes import Mode
from hfn_accel.network import Architecture
from hfn_accel.program import Signs
from hfn_accel.recipe import Recipe
from tests.golden.float64 import ARCHS, METHODS, Float64, check, recipe_of, searched, ticket_of
from tests.tickets import random_architecture

BITS = ["4", "8", "1", "b", "mixed", "bipolar shortcuts"]
MOST_APART = 0.001  # measured: at most 0.0007 with 8 bits, 0.00014 with 4, by one level


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("scales, norms", [("calibrated", "unshared"), ("learned", "shared")])
def test_layers_of_all_bits_equal_the_float_golden(arch, bits, scales, norms):
    recipe = recipe_of(ARCHS[arch], bits, scales=scales, norms=norms)
    assert check(*searched(recipe, ARCHS[arch])) < MOST_APART


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("method", METHODS)
def test_layers_of_all_methods_equal_the_float_golden(method, arch):
    recipe = recipe_of(ARCHS[arch], "mixed", **METHODS[method])
    model, images = searched(recipe, ARCHS[arch])
    assert check(model, images) < MOST_APART
    found, asked = ticket_of(model).modes, tuple(conv.mode for conv in model.convs)
    if method == "recycled":  # a small tensor may have kept all its signs
        assert {m.signs for m in found} >= {Signs.EXCEPTIONS}
        found, asked = (tuple(replace(m, signs=0) for m in modes) for modes in (found, asked))
    assert found == asked
    assert (Mode() not in found) == (method in ("coats", "linear coats", "frozen"))


@pytest.mark.parametrize("seed", range(8))
def test_random_networks_equal_the_float_golden(seed):
    rng = np.random.default_rng(seed)
    arch = random_architecture(rng, widths=(4, 16), stages=(1, 2), sizes=(8, 12), classes=(5, 5),
                               bottlenecks=True, imagenet=True)  # fmt: skip
    method = METHODS[rng.choice(list(METHODS))]
    recipe = recipe_of(arch, ",".join(rng.choice(list("12345678b"), len(arch.layers) - 1)),
                       scales=str(rng.choice(["calibrated", "learned"])),
                       norms=str(rng.choice(["shared", "unshared"])), **method)  # fmt: skip
    # a residual much coarser than the sum takes most of the bits that M could have
    assert check(*searched(recipe, arch)) < 0.01


@pytest.mark.parametrize("bits", ["mixed", "bipolar shortcuts"])
@pytest.mark.parametrize("arch", ARCHS)
def test_the_model_computes_what_the_reference_does(arch, bits):
    """The fake-quantised forward pass in float32 against `Float64`, layer by layer."""
    model, images = searched(recipe_of(ARCHS[arch], bits), ARCHS[arch])
    with torch.no_grad():
        logits = model(torch.from_numpy(images).float() / 255, record := [])
    real, outputs, apart = Float64(model), {-1: torch.from_numpy(images)}, []
    for conv, q, x in zip(ARCHS[arch].layers, model.quantisers, record, strict=False):
        levels = (q(x) / q.unit + q.zero_point).detach()
        assert torch.allclose(levels, levels.round(), atol=1e-3)
        outputs[conv.norm] = levels = real.pooled(conv, levels.round())
        apart.append((levels != real.levels(conv, outputs)).double().mean())
    assert max(apart) < 1e-3
    assert torch.allclose(logits.double(), real.logits(outputs), atol=1e-4)


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("method", METHODS)
def test_networks_agree_end_to_end(arch, method):
    """Each on its own activations, where a level's difference goes on through all layers."""
    model, images = searched(recipe_of(ARCHS[arch], "8", **METHODS[method]), ARCHS[arch])
    golden = IntegerResNet(ticket_of(model))
    integer = golden(images).double()
    with torch.no_grad():
        real = model(torch.from_numpy(images).float() / 255).double()
    assert torch.corrcoef(torch.stack([integer.flatten(), real.flatten()]))[0, 1] > 0.999
    assert (integer.argmax(1) == real.argmax(1)).float().mean() >= 0.95
    labels = integer.argmax(1).numpy()
    labels[:10] = (labels[:10] + 1) % 5
    assert accuracy(golden, images, labels, batch=7) == 0.75


@pytest.mark.parametrize("weights", ["generator", "shifted"])
@pytest.mark.parametrize("method", ["edge-popup", "coats", "frozen"])
def test_other_weights_need_explicit_signs(weights, method):
    model, images = searched(recipe_of(ARCHS["basic"], weights=weights, **METHODS[method]))
    with pytest.raises(HfnError, match="signs of stem are not the .* of seed 3: .*--explicit-sign"):
        ticket_of(model)
    assert check(model, images, explicit=True) < MOST_APART
    found = ticket_of(model, explicit=True)
    assert found.modes == tuple(replace(c.mode, signs=Signs.EXPLICIT) for c in model.convs)


def test_explicit_signs_are_stored_only_where_they_differ():
    model, images = searched(recipe_of(ARCHS["basic"]))
    assert set(ticket_of(model, explicit=True).modes) == {Mode()}
    kept = model.masks()[2].nonzero()[0]
    model.convs[2].sign[tuple(kept)] *= -1
    assert [m.signs for m in ticket_of(model, explicit=True).modes[:4]] == [0, 0, 2, 0]
    check(model, images, explicit=True)


def test_exceptions_are_stored_only_where_a_kept_weight_changed():
    model = build(recipe_of(ARCHS["basic"], recycle_every=1), ARCHS["basic"])
    images = np.random.default_rng(0).integers(0, 256, (9, 3, 12, 12)).astype(np.uint8)
    export.recalibrate(model, images)
    for conv in model.convs:
        recycle(conv, 0.2)  # of the lowest scores, which no mask keeps
    assert {m.signs for m in ticket_of(model).modes} == {Signs.SEQUENCE}
    kept = model.masks()[2].nonzero()[0]
    model.convs[2].sign[tuple(kept)] *= -1
    found = ticket_of(model)
    assert [m.signs for m in found.modes[:4]] == [0, 0, 1, 0] and found.sign_planes[2].sum() == 1


def test_shift_is_the_largest_that_fits():
    for norm in ticket_of(searched(recipe_of(ARCHS["basic"]))[0]).norms:
        largest = max(abs(norm.multiplier.astype(int)).max(), abs(norm.residual.astype(int)).max())
        bias = abs(norm.bias.astype(np.int64)).max()
        assert norm.shift == 47 or largest >= 1 << 14 or bias >= 1 << 30 - 1


def test_masks_are_in_address_order_and_the_density_is_what_they_keep():
    model, _ = searched(recipe_of(ARCHS["basic"]))
    conv = ARCHS["basic"].tensors[4]
    with torch.no_grad():
        scores = model.convs[4].scores.zero_()
        kept = round(0.4 * conv.weights)
        scores.view(-1)[torch.randperm(conv.weights)[:kept]] = 1
    found = ticket_of(model)
    for co, ci, ky, kx in np.ndindex(*scores.shape):
        k = (ky * conv.kernel + kx) * conv.cin + ci
        assert found.masks[4][co, k] == bool(scores[co, ci, ky, kx])
    sizes = [mask.size for mask in found.masks]
    kept = sum(int((mask > 0).sum()) for mask in found.masks)
    assert found.density == pytest.approx(kept / sum(sizes), abs=1e-4)


@pytest.mark.parametrize("bits", ["8", "b"])
def test_a_still_channel_does_not_spoil_the_others(bits):
    """One without weights, and one that reads nothing else."""
    model, images = searched(recipe_of(ARCHS["basic"], bits))
    with torch.no_grad():
        model.convs[0].scores[2] = 0
        model.convs[0].scores[[0, 1, 3, 4, 5]] += 1
        model.convs[1].scores[:, 2] = 0
        model.convs[1].scores[:, [0, 1, 3, 4, 5]] += 1
        model.convs[1].scores[4] = 0
        model.convs[1].scores[4, 2, 1, 1] = 9  # not over the padding, which differs
    export.recalibrate(model, images, batch=20)
    for norm, still in zip(ticket_of(model).norms, (2, 4), strict=False):
        others = [c for c in range(6) if c != still]
        assert norm.multiplier[still] == 0 and abs(norm.multiplier[others]).min() > 1 << 12
        real = norm.bias[still] / 2.0**norm.shift
        assert real == pytest.approx(0.5 if bits == "b" else 0, abs=0.01)  # beta = 0


@pytest.mark.parametrize("norms", ["shared", "unshared"])
def test_iterations_that_share_statistics_may_have_still_sums_of_their_own(norms):
    model, _ = searched(recipe_of(ARCHS["basic"], norms=norms))
    layer = next(c.norm for c in ARCHS["basic"].layers if c.folded and c.name.endswith("[2]"))
    model.norms[layer].running_var[:2] = 1e-12
    model.norms[layer].running_mean[:2] = torch.tensor([0.0, 9.0])
    found = ticket_of(model).norms[layer]
    assert found.multiplier[0] == 0 and (found.multiplier[1] == 0) == (norms == "unshared")
    assert (found.multiplier[2:] != 0).all()


@pytest.mark.parametrize("norms", ["shared", "unshared"])
def test_recalibration_averages_batches_and_keeps_the_momentum(norms):
    model, images = searched(recipe_of(ARCHS["basic"], norms=norms))
    x = torch.from_numpy(images[:20]).float() / 255
    with torch.no_grad():
        batches = torch.from_numpy(images).float().div(255).split(20)
        stem = [model.convs[0](b, model.weights()[0]) for b in batches]
    mean = torch.stack([y.mean((0, 2, 3)) for y in stem]).mean(0)
    variance = torch.stack([y.var((0, 2, 3)) for y in stem]).mean(0)
    assert torch.allclose(model.norms[0].running_mean, mean, atol=1e-5)
    assert torch.allclose(model.norms[0].running_var, variance, rtol=1e-4)
    assert all(norm.momentum == 0.1 for norm in model.norms) and not model.training
    assert torch.equal(model(x), model(x))


def test_recalibration_calibrates_what_is_not_yet():
    model = build(recipe_of(ARCHS["basic"]), ARCHS["basic"])
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 12, 12)).astype(np.uint8)
    export.recalibrate(model, images, quantised=False)
    assert not any(q.enabled or q.step > 0 for q in model.quantisers)
    export.recalibrate(model, images)
    steps = [q.step.item() for q in model.quantisers]
    for quantised in (True, False, True):
        export.recalibrate(model, images[:9], quantised=quantised)
        assert all(q.enabled == quantised for q in model.quantisers)
    assert steps == [q.step.item() for q in model.quantisers] and min(steps) > 0


@pytest.mark.parametrize("fields, message", [
    ({"method": "dense"}, "a densely trained network has no ticket"),
    ({"magnitudes": "normal"}, "magnitudes must be constant"),
    (METHODS["frozen"] | {"freeze_pattern": "generator"}, "freeze_pattern sequence"),
])  # fmt: skip
def test_searches_that_have_no_ticket_are_refused(fields, message):
    given = {"seed": 3} if "dense" in fields.values() else {"seed": 3, "density": 0.4}
    model = build(Recipe(dataset="digits", arch="6x1", **given | fields), Architecture.parse(
        "6x1", classes=5))  # fmt: skip
    with pytest.raises(HfnError, match=message):
        ticket_of(model)


def test_models_that_have_no_ticket_are_refused():
    model, _ = searched(recipe_of(ARCHS["basic"]))
    with pytest.raises(HfnError, match="signs of stem are not .* of seed 4"):
        ticket_of(model, seed=4)
    model.quantisers[0].step.fill_(1e-8)
    with pytest.raises(HfnError, match="normalisation of stem does not fit"):
        ticket_of(model)
    model.quantisers[1].step.zero_()
    with pytest.raises(HfnError, match="calibrated"):
        ticket_of(model)
