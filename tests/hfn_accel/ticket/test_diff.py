"""Overlap of two tickets, against the definitions and against chance."""

import numpy as np
import pytest

from hfn_accel.errors import HfnError
from hfn_accel.network import Architecture
from hfn_accel.ticket import Ticket, diff
from tests.tickets import random_mode, random_ticket, reference_weights

from .conftest import ARCH


def two(seed, **options):
    rng = np.random.default_rng(seed)
    return random_ticket(rng, ARCH, **options), random_ticket(rng, ARCH, **options)


@pytest.mark.parametrize("seed", range(6))
def test_definitions(seed):
    """Sets of places, tensor by tensor, and of the whole."""
    a, b = two(seed, modes=random_mode)
    said, whole = diff.compare(a, b), [[], []]
    for t, row in enumerate(said["tensors"]):
        one, two_ = (reference_weights(x, t).ravel() for x in (a, b))
        check(row, one, two_)
        for all_, part in zip(whole, (one, two_), strict=True):
            all_.append(part)
    check(said["total"], *map(np.concatenate, whole))
    assert said["seeds"] == [a.seed, b.seed] and said["arch"] == str(ARCH)


def check(row, one, two):
    kept = [set(np.flatnonzero(weights)) for weights in (one, two)]
    common = kept[0] & kept[1]
    assert row["weights"] == len(one)
    assert row["density_a"] == pytest.approx(len(kept[0]) / len(one))
    assert row["density_b"] == pytest.approx(len(kept[1]) / len(one))
    assert row["agreement"] == pytest.approx((np.abs(one) == np.abs(two)).mean())
    assert row["jaccard"] == pytest.approx(len(common) / len(kept[0] | kept[1]))
    same = [np.sign(one[i]) == np.sign(two[i]) for i in common]
    assert row["sign_agreement"] == (pytest.approx(np.mean(same)) if same else None)


@pytest.mark.parametrize("modes", [None, random_mode])
def test_a_ticket_and_itself(modes):
    a, _ = two(1, modes=modes)
    said = diff.compare(a, a)
    for row in (*said["tensors"], said["total"]):
        assert row["agreement"] == row["jaccard"] == row["sign_agreement"] == 1
        assert row["jaccard_by_chance"] < 1 and row["agreement_by_chance"] < 1


def test_chance_is_what_shuffled_masks_share():
    """Over many permutations of one mask, means are what is expected, to three of their errors."""
    arch = Architecture.parse("8x1", classes=3, image_size=4)
    rng = np.random.default_rng(4)
    a, b = (random_ticket(rng, arch, density=p) for p in (0.3, 0.6))
    drawn = []
    for _ in range(200):
        masks = tuple(rng.permutation(m.ravel()).reshape(m.shape) for m in b.masks)
        drawn.append(diff.compare(a, Ticket(**vars(b) | {"masks": masks}))["total"])
    for what in ("agreement", "jaccard"):
        values = [row[what] for row in drawn]
        error = np.std(values) / np.sqrt(len(values))
        assert abs(np.mean(values) - drawn[0][f"{what}_by_chance"]) < 3 * error + 1e-3


def test_one_coat_by_chance():
    a, b = two(9)
    row = diff.compare(a, b)["tensors"][3]
    p, q = row["density_a"], row["density_b"]
    assert row["agreement_by_chance"] == pytest.approx(p * q + (1 - p) * (1 - q))
    assert row["jaccard_by_chance"] == pytest.approx(p * q / (p + q - p * q))


def test_empty_masks_have_no_overlap():
    a, b = (Ticket(**vars(x) | {"masks": tuple(m & 0 for m in x.masks)}) for x in two(3))
    total = diff.compare(a, b)["total"]
    assert total["agreement"] == 1 and total["jaccard"] is None and total["sign_agreement"] is None
    assert "all" in diff.text(diff.compare(a, b))


@pytest.mark.parametrize("change", [
    {"image_size": 6}, {"classes": 5}, {"in_channels": 1}, {"net": "3x1,6x2f"}, {"net": "3x1,6x3"},
])  # fmt: skip
def test_other_networks(change):
    shape = {"classes": 4, "image_size": 5} | change
    other = Architecture.parse(shape.pop("net", "3x1,6x3f"), **shape)
    rng = np.random.default_rng(0)
    with pytest.raises(HfnError, match="tickets of different networks") as error:
        diff.compare(random_ticket(rng, ARCH), random_ticket(rng, other))
    assert str(ARCH) in str(error.value) and str(other) in str(error.value)
