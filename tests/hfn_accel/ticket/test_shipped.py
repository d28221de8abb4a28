"""Every ticket that ships: whole, small, and the same in all models."""

from pathlib import Path

import numpy as np
import pytest

from hfn_accel import ticket
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.estimator import DEFAULT_LATENCY, estimate
from hfn_accel.functional import execute
from hfn_accel.ticket.verify import Verification
from sim import backend
from tests.tickets import random_images

FILES = sorted(Path(ticket.find("cifar10-32x1-64x2f-128x3f")).parent.glob("*.safetensors"))
MOST_BYTES, MOST_BYTES_TOGETHER = 700_000, 3_000_000


def test_sizes():
    sizes = [path.stat().st_size for path in FILES]
    assert sizes and max(sizes) <= MOST_BYTES and sum(sizes) <= MOST_BYTES_TOGETHER


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_verified(path):
    pytest.importorskip("torch")
    said = list(Verification(path, Config(), images=1))
    assert said[-1].startswith("integer golden model: logits of 1 random images equal")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_all_models_agree(path):
    """A random image: every layer of functional simulator and RTL, whose logits the golden model
    gives too, cycles by cause and bytes by class of estimator and RTL."""
    pytest.importorskip("torch")
    from golden.integer import IntegerResNet

    config, found = Config(), ticket.load(path)
    program = compile(found, config)
    pictures = random_images(np.random.default_rng(5), found.arch, 1)
    golden = IntegerResNet(found)(pictures.transpose(0, 3, 1, 2).copy()).numpy()
    counted = backend.run(program, config, pictures, latency=DEFAULT_LATENCY, keep=True)
    model = execute(program, config, pictures)
    assert len(np.unique(golden)) > 1
    assert (model.logits == golden).all() and (counted.logits == golden).all()
    for ours, wanted in zip(counted.activations, model.activations, strict=True):
        assert (ours == wanted).all()
    figures = estimate(program, config, DEFAULT_LATENCY, found.arch)
    assert counted.cycles == figures.cycles_by_cause
    assert counted.bytes == {name: figures.bytes_by_class[name] for name in counted.bytes}
