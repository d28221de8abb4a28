"""Random tickets: lively at any depth, the same for a seed, of every mode."""

import subprocess
import sys

import numpy as np
import pytest

from golden.integer import IntegerResNet
from hfn_accel.errors import HfnError
from hfn_accel.modes import Mode
from hfn_accel.network import Architecture
from hfn_accel.program import Signs
from hfn_accel.random_ticket import random_ticket
from hfn_accel.ticket import file
from tests.tickets import random_images

SMALL = Architecture.parse("imagenet:5x2,6x3bf", classes=4, image_size=16)
DEEP = "16x8,16x36bf"  # 126 convolutions, and the iterations of HFN-ResNet-152
KNOWN = {
    "bias": 102441060,
    "bipolar": 0,
    "bits": 75,
    "masks": 38811,
    "modes": 13,
    "multiplier": -48156,
    "residual": 753664,
    "shift": 232,
    "signs": 0,
}


@pytest.mark.parametrize("bits, mode, bipolar", [
    (8, Mode(), False), (4, Mode(), False), (1, Mode(), False), (1, Mode(), True),
    (8, Mode(coats=3), False), (6, Mode(pruned=6, locked=3), False),
    (5, Mode(signs=Signs.EXPLICIT), False),
])  # fmt: skip
def test_activations_stay_spread_in_every_layer(bits, mode, bipolar):
    """On other images: few zeros, few at the top, and all channels with weights vary."""
    arch = Architecture.parse(DEEP, classes=10, image_size=8)
    ticket = random_ticket(arch, 1, bits=bits, modes=mode, bipolar=bipolar)
    images, layers = random_images(np.random.default_rng(9), arch, 4), []
    logits = IntegerResNet(ticket)(images.transpose(0, 3, 1, 2), layers)
    top = (1 << bits) - 1
    for conv, x in zip(arch.layers[:-1], (layer.numpy() for layer in layers), strict=True):
        weighty = ticket.masks[conv.tensor].any(1)
        deviation = x.std((0, 2, 3))[weighty] / top
        assert (x == 0).mean() < (0.3 if bits > 1 else 0.8), conv.name
        assert (x == top).mean() < (0.3 if bits > 1 else 0.8), conv.name
        assert np.median(deviation) > 0.1 and (deviation > 0.02).mean() > 0.85, conv.name
        assert (x[0] != x[1]).mean() > (0.5 if bits > 2 else 0.15), conv.name
    assert len(np.unique(logits)) > 20


def test_a_seed_gives_one_ticket(tmp_path):
    modes = [Mode(coats=2), Mode(pruned=3, locked=2, signs=Signs.EXCEPTIONS)] * 20
    modes = modes[: len(SMALL.tensors)]
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        random_ticket(SMALL, seed, modes=modes).save(tmp_path / name)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c


def test_the_same_on_every_machine(tmp_path):
    """No sum is rounded, so no library's order of summation can show."""
    random_ticket(SMALL, 3, density=0.4, bits=5).save(tmp_path / "t")
    _, _, tensors = file.read(tmp_path / "t")
    assert {n: int(t.astype(np.int64).sum()) for n, t in tensors.items()} == KNOWN


@pytest.mark.parametrize("density", [0.05, 0.3, 0.5, 1])
def test_densities(density):
    arch = Architecture.parse("32x1,48x2f", classes=10, image_size=4)

    def share(mode, least=1):
        masks = random_ticket(arch, 2, density, modes=mode).masks
        return np.mean(np.concatenate([m.ravel() >= least for m in masks]))

    assert share(Mode()) == pytest.approx(density, abs=0.01)
    for coat in (1, 2, 3):
        expected = density * (4 - coat) / 3
        assert share(Mode(coats=3), coat) == pytest.approx(expected, abs=0.01)
    assert share(Mode(locked=4)) == pytest.approx(max(density, 1 / 4), abs=0.01)
    assert share(Mode(pruned=4)) == pytest.approx(min(density, 3 / 4), abs=0.01)


def test_signs():
    arch = Architecture.parse("32x1,48x2f", classes=10, image_size=4)
    for signs, share in ((Signs.EXCEPTIONS, 0.05), (Signs.EXPLICIT, 0.5)):
        ticket = random_ticket(arch, 2, modes=Mode(signs=signs))
        negative = sum(int(p.sum()) for p in ticket.sign_planes)
        kept = sum(int(m.sum()) for m in ticket.masks)
        assert negative / kept == pytest.approx(share, abs=0.02)


def test_several_images_fit_a_channel_without_weights():
    ticket = random_ticket(SMALL, 1, density=0.02)
    empty = [(i, co) for i, conv in enumerate(SMALL.layers[:-1])
             for co in np.flatnonzero(~ticket.masks[conv.tensor].any(1))]  # fmt: skip
    assert empty and all(ticket.norms[i].multiplier[co] == 0 for i, co in empty)


@pytest.mark.parametrize("change, message", [
    ({"density": 0}, "density must be above 0 and at most 1, not 0"),
    ({"density": 1.1}, "density must be"), ({"bits": 0}, "activation bits must be from 1 to 8"),
    ({"seed": -1}, "seed must be"), ({"bipolar": True}, "stem is bipolar, which needs 1"),
    ({"modes": [Mode()]}, "one mode a tensor"),
])  # fmt: skip
def test_refuses(change, message):
    with pytest.raises(HfnError, match=message):
        random_ticket(**{"arch": SMALL, "seed": 1} | change)


def test_needs_no_torch():
    code = "import sys, hfn_accel.networks; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
