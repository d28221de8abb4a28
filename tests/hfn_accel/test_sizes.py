"""Sizes: the published ones to their last digit, and this design's against what is compiled."""

import pytest

from hfn_accel import sizes
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.modes import Mode
from hfn_accel.network import Architecture
from hfn_accel.networks import named
from hfn_accel.program import Opcode
from hfn_accel.random_ticket import random_ticket


@pytest.mark.parametrize("claim", sizes.CLAIMS, ids=lambda c: f"{c.network}-{c.dataset}")
def test_published(claim):
    row = sizes.row(claim.network, claim.dataset)
    assert round(row["published_mb"], 3) == claim.published_mb
    assert round(row["dense_mb"], 2) == claim.dense_mb
    digits = len(str(claim.ratio).partition(".")[2])
    assert round(row["published_ratio"], digits) == claim.ratio


def test_published_counts():
    """Mask bits and affine parameters of the three papers' networks."""
    for claim, weights, affine in zip(sizes.CLAIMS, (15.853, 22.161, 14.739),
                                      (119_808, 119_808, 27_648), strict=True):  # fmt: skip
        arch = named(claim.network, claim.dataset)
        unique = sum(conv.weights for conv in arch.tensors)
        assert round(unique / 1e6, 3) == weights
        assert sizes.hidden_bits(arch) == 32 + unique + 32 * affine


def test_traffic():
    """Folding saves storage always and traffic only where masks are not fetched again."""
    for network, stored, moved in (("hfn-resnet50", 1.842, 2.957), ("hfn-resnet152", 1.982, 7.274)):
        row = sizes.row(network, "cifar100")
        assert row["raw_mask_mb_stored"] == pytest.approx(stored, rel=0.003)  # whole tiles of 16
        assert row["raw_mask_mb_refetched"] == pytest.approx(moved, rel=0.003)
    for row in sizes.rows():
        assert row["full_mb"] * 1e6 == pytest.approx(row["traffic_mb_reuse"] * 1e6 + 4)
        folded = sum(conv.folded for conv in named(row["network"], row["dataset"]).layers)
        shared = folded > 2 * (2 if row["network"] < "hfn-resnet5" else 3)
        assert (row["traffic_mb_refetch"] > row["traffic_mb_reuse"]) == (
            shared or row["network"] != "hfn-resnet18")  # fmt: skip


@pytest.mark.parametrize("mode", [Mode(), Mode(coats=2), Mode(pruned=9, locked=2)], ids=str)
def test_full_accounting_is_what_is_compiled(mode):
    """Masks and parameters in a program image, fetched once or for every iteration."""
    arch, config = Architecture.parse("32x2f,64x4f", classes=10, image_size=16), Config()
    size = sizes.masks(arch, mode, config=config)
    program = compile(random_ticket(arch, 3, modes=mode), config)
    convs = [fields for opcode, fields in program.descriptors if opcode == Opcode.CONV]
    beats = {f["mask_address"]: f["mask_beats"] for f in convs}
    stored = sum(beats.values()) * config.bus_bytes
    every = sum(f["mask_beats"] for f in convs) * config.bus_bytes
    channels = sum(f["out_channels"] for f in convs if not f["raw"])
    assert size.stored == size.reused == pytest.approx(stored, rel=0.02)
    assert size.refetched == pytest.approx(every, rel=0.02)
    assert size.refetched > size.stored
    assert size.parameters == 8 * channels


def test_ways():
    """Every way of holding weights, and that what is frozen or coded is smaller."""
    found = sizes.ways(named("hfn-resnet50", "cifar100"))
    stored = [size.stored for name, size in found.items() if "unfolded" in name][:4]
    assert stored == sorted(stored, reverse=True)
    raw, coded = (found[f"{kind}, unfolded"] for kind in ("masks", "coded masks"))
    assert stored[-1] > raw.stored > coded.stored and raw.stored == raw.refetched
    ours = found["coded masks, folded (this design)"]
    assert found["dense float32, unfolded"].stored == 16 * found["ternary, 2 bits, unfolded"].stored
    assert found["dense int8, unfolded"].stored == 23_652_032  # weights of the unfolded network
    assert all(s.stored <= s.refetched and s.stored == s.reused for s in found.values())
    for kind in ("ternary, 2 bits", "ternary, 5 trits a byte"):
        folded, unfolded = (found[f"{kind}, {how}"] for how in ("folded", "unfolded"))
        assert folded.stored < folded.refetched == unfolded.stored
    frozen = found["half of the weights frozen as absent"]
    assert found["2 coats"].stored > ours.stored > frozen.stored
    assert coded.stored == ours.refetched > ours.stored


def test_steps():
    steps = sizes.steps()
    first, design = steps[0], next(s for s in steps if "this design" in s["step"])
    assert round(first["mb"], 3) == 1.953 and design["built"]
    assert design["mb"] == pytest.approx(sizes.row("hfn-resnet50", "cifar100")["full_mb"])
    assert design["mb"] < first["mb"] < steps[1]["mb"]
