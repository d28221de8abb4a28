"""Named networks against published figures; their command line."""

import argparse

import pytest

from hfn_accel import networks
from hfn_accel.errors import HfnError
from hfn_accel.network import Architecture
from hfn_accel.networks import named


def macs(arch):
    return sum(c.macs for c in arch.layers)


def mask_bits(arch):
    return sum(c.weights for c in arch.tensors)


def affine_parameters(arch):
    """Of the official model: two a channel of every iteration of a folded block."""
    return sum(2 * c.cout for c in arch.layers if c.folded)


@pytest.mark.parametrize("name, dataset, expected", [
    ("hfn-resnet18", "imagenet", 1_814_073_344),  # torchvision's ResNet-18 and 50
    ("hfn-resnet50", "imagenet", 4_089_184_256),
    ("hfn-resnet50", "cifar10", 1.298e9),
    ("hfn-resnet101", "cifar10", 2.510e9),
    ("hfn-resnet152", "cifar10", 3.722e9),
])  # fmt: skip
def test_multiply_accumulates(name, dataset, expected):
    tolerance = 0 if isinstance(expected, int) else 0.5e6
    assert macs(named(name, dataset)) == pytest.approx(expected, rel=0, abs=tolerance)


@pytest.mark.parametrize("name, dataset, bits, affine", [
    ("hfn-resnet50", "cifar100", 14.739e6, 27_648),
    ("hfn-resnet152", "cifar100", 15.853e6, 119_808),
    ("hfn-resnet200", "imagenet", 22.161e6, 119_808),
])  # fmt: skip
def test_model_sizes(name, dataset, bits, affine):
    arch = named(name, dataset)
    assert mask_bits(arch) == pytest.approx(bits, rel=0, abs=0.5e3)
    assert affine_parameters(arch) == affine


@pytest.mark.parametrize("name, parameters", [
    ("hfn-resnet18", 11_689_512), ("hfn-resnet34", 21_797_672), ("hfn-resnet50", 25_557_032),
    ("hfn-resnet101", 44_549_160), ("hfn-resnet152", 60_192_808), ("hfn-wrn50", 68_883_240),
])  # fmt: skip
def test_unfolded_they_are_the_usual_networks(name, parameters):
    """torchvision's parameter counts; it has normalisation and a bias of the classifier besides."""
    arch = named(name, "imagenet").unfolded()
    normalisation = 2 * sum(c.cout for c in arch.layers[:-1])
    assert mask_bits(arch) + normalisation + 1000 == parameters


def test_shapes():
    for name in networks.NETWORKS:
        for dataset, (classes, size, stem) in networks.DATASETS.items():
            arch = named(name, dataset)
            assert (arch.classes, arch.image_size, arch.stem) == (classes, size, stem)
            assert [s.folded for s in arch.stages] == [False, False, True, True]
            assert arch.layers[-1].in_size == (7 if dataset == "imagenet" else 4)
    assert str(named("hfn-resnet50", "imagenet")) == "imagenet:64x3b,128x4b,256x6bf,512x3bf"
    assert str(named("hfn-resnet34", "cifar10")) == "64x3,128x4,256x6f,512x3f"
    assert str(named("hfn-wrn50", "cifar100")) == "64x3b2,128x4b2,256x6b2f,512x3b2f"


@pytest.mark.parametrize("name, dataset, message", [
    ("resnet50", "cifar10", "network must be one of hfn-resnet18, .*, not 'resnet50'"),
    ("hfn-resnet50", "mnist", "dataset must be one of cifar10, .*, not 'mnist'"),
])  # fmt: skip
def test_unknown_names(name, dataset, message):
    with pytest.raises(HfnError, match=message):
        named(name, dataset)


def ticket(*words):
    p = argparse.ArgumentParser()
    networks.add_arguments(p)
    return networks.from_arguments(p.parse_args(words))


SMALL = ("--network", "hfn-resnet18", "--dataset", "cifar10")


def test_arguments(monkeypatch):
    small = Architecture.parse("4x1,6x3bf", classes=10, image_size=8)
    monkeypatch.setattr(networks, "named", lambda *names: small if names == SMALL[1::2] else None)
    found = ticket(*SMALL, "--random-ticket", "7")
    assert (found.seed, found.density) == (7, 0.3) and {n.bits for n in found.norms} == {8}
    found = ticket(*SMALL, "--random-ticket", "7", "--density", "0.5", "--activation-bits", "3")
    assert found.density == 0.5 and {n.bits for n in found.norms} == {3}


@pytest.mark.parametrize("words, message", [
    (SMALL, "belong together: --random-ticket is missing"),
    (("--dataset", "cifar10"), "--network is missing"),
    (("--network", "hfn-resnet18", "--random-ticket", "1"), "--dataset is missing"),
    ((*SMALL, "--random-ticket", "x"), "--random-ticket must be a number, not 'x'"),
    ((*SMALL, "--random-ticket", "-1"), "seed must be"),
    ((*SMALL, "--random-ticket", "1", "--density", "0"), "density must be above 0"),
    ((*SMALL, "--random-ticket", "1", "--density", "nan"), "density must be above 0"),
    ((*SMALL, "--random-ticket", "1", "--density", "many"), "--density must be a number"),
    ((*SMALL, "--random-ticket", "1", "--activation-bits", "9"), "activation bits must be from 1"),
    (("--network", "x", "--dataset", "cifar10", "--random-ticket", "1"), "network must be one of"),
])  # fmt: skip
def test_wrong_arguments(words, message):
    with pytest.raises(HfnError, match=message) as error:
        ticket(*words)
    assert "\n" not in str(error.value)
