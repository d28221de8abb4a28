"""The greedy descent against one that measures every change at every step; bits of a network."""

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from golden import build, data
from golden.export import recalibrate
from golden.precision import LEAST_LOSS, Network, Point, changed, descend
from golden.quantise import calibrate
from golden.training.images import to_float
from hfn_accel.recipe import Recipe


class Model:
    """Losses and cycles of random layers: an added loss and a time for each number of bits.

    With `interaction`, what a layer adds grows with what others have added.
    """

    def __init__(self, seed: int, layers: int, interaction: float = 0.0):
        rng = np.random.default_rng(seed)
        self.added = -np.sort(-rng.random((layers, 9)), 1)  # less with more bits
        self.time = np.sort(rng.integers(1, 100, (layers, 9)), 1)
        self.interaction, self.calls = interaction, []

    def measure(self, bits):
        self.calls.append(bits)
        added = sum(self.added[i, b] for i, b in enumerate(bits))
        loss = added + self.interaction * added**2
        return loss, 1 - loss / 100

    def cycles(self, bits):
        return int(sum(self.time[i, b] for i, b in enumerate(bits)))


def exhaustive(widths, model, lowest_accuracy, most_cycles):
    """Every change measured anew at every step."""
    here = tuple(max(w) for w in widths)
    path = [here]
    while model.cycles(here) > most_cycles:

        def gain(bits, here=here):
            added = model.measure(bits)[0] - model.measure(here)[0]
            return (model.cycles(here) - model.cycles(bits)) / max(added, LEAST_LOSS)

        options = [changed(here, i, w) for i, ws in enumerate(widths) for w in ws if w < here[i]]
        options = [b for b in options if model.cycles(b) < model.cycles(here)
                   and model.measure(b)[1] >= lowest_accuracy]  # fmt: skip
        if not options:
            break
        here = max(options, key=gain)
        path.append(here)
    return path


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1 << 20), st.integers(1, 5), st.sampled_from([0.0, 0.3]),
       st.sampled_from([0.0, 0.97, 0.99]), st.sampled_from([0, 100]))  # fmt: skip
def test_descent_is_the_exhaustive_one(seed, layers, interaction, lowest, most):
    """Where added losses never fall as others are made, the lazy search finds the same way."""
    model = Model(seed, layers, interaction)
    rng = np.random.default_rng(seed)
    widths = [(1,) if rng.random() < 0.2 else tuple(range(2, 9)) for _ in range(layers)]
    points = list(descend(widths, model.measure, model.cycles, lowest, most))
    calls = len(model.calls)
    assert [p.bits for p in points] == exhaustive(widths, model, lowest, most)
    assert calls <= len(model.calls)
    assert all(p == Point(p.bits, model.cycles(p.bits), *model.measure(p.bits)) for p in points)
    cycles = [p.cycles for p in points]
    assert all(np.diff(cycles) < 0)
    assert all(p.accuracy >= lowest for p in points[1:])
    assert all(c > most for c in cycles[:-1])


def test_sensitivities_come_first():
    """Every change that saves cycles is measured with the others at their widest."""
    model = Model(1, 3)
    model.time[1] = 7  # saves nothing whatever its bits
    widths = [(2, 4, 8), (2, 8), (3, 8)]
    points = list(descend(widths, model.measure, model.cycles))
    assert model.calls[:4] == [(8, 8, 8), (2, 8, 8), (4, 8, 8), (8, 8, 3)]
    assert points[-1].bits == (2, 8, 3)


def test_a_refused_change_is_not_measured_again():
    model = Model(2, 4)
    list(descend([(2, 5, 8)] * 4, model.measure, model.cycles, lowest_accuracy=2.0))
    assert len(model.calls) == 1 + 8


def test_a_loss_that_falls_by_chance_counts_as_least():
    """Of two such changes the one that saves more cycles goes first, then the other, then those
    that cost something."""
    model = Model(3, 3)
    model.added[:], model.time[:] = 0.5, 10
    model.added[:, 2] = 0.4, 0.5 + LEAST_LOSS / 2, 0.7
    model.time[:, 2] = 8, 3, 5
    points = list(descend([(2, 8)] * 3, model.measure, model.cycles))
    assert [p.bits for p in points] == [(8, 8, 8), (8, 2, 8), (2, 2, 8), (2, 2, 2)]


def test_network_at_other_bits():
    """Own steps where the bits are those of the training; others as a fresh calibration has them;
    loss and accuracy as written out."""
    digits = data.load("digits")
    recipe = Recipe(dataset="digits", arch="4x1,8x2f", act_bits="4,4,b,4,8,4,4,4", scales="learned")
    model = build.build(recipe, build.architecture(recipe, digits))
    seen, images, labels = (digits.train_images[:300], digits.test_images[:270],
                            digits.test_labels[:270])  # fmt: skip
    recalibrate(model, seen, quantised=False)
    calibrate(model, to_float(seen))
    with torch.no_grad():
        for q in model.quantisers:
            q.step.mul_(1.25)  # what training made of it
    own = [q.step.item() for q in model.quantisers]
    plain = build.build(recipe, model.arch)  # the same scores: equal recipes are equal networks
    recalibrate(plain, seen, quantised=False)
    network = Network(model, seen)
    bits = (4, 3, 1, 6, 8, 2, 4, 4)
    loss, right = network.measure(bits, images, labels)
    record = []
    with torch.no_grad():
        plain(to_float(seen[:250]), record)
    for i, (b, q) in enumerate(zip(bits, model.quantisers, strict=True)):
        assert (q.bits, q.enabled, q.bipolar, q.signed) == (b, True, i == 2, i == 4)
        if i in (1, 3, 5):
            fresh = type(q)(b, False)
            fresh.calibrate(record[i])
            assert q.step.item() == fresh.step.item()
        else:
            assert q.step.item() == own[i]
    recalibrate(model, seen)
    with torch.no_grad():
        logits = model(to_float(images))
    assert abs(loss - F.cross_entropy(logits, torch.as_tensor(labels)).item()) < 1e-5
    assert right == (logits.argmax(1).numpy() == labels).mean()
    before = network.measure(bits, images, labels)
    network.measure((8,) * 2 + (1,) + (8,) * 5, images, labels)
    assert network.measure(bits, images, labels) == before
