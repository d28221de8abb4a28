"""Activation bits a layer: fewer of them cost accuracy and save cycles, since time grows with bits.

A greedy descent, as mixed-precision searches by sensitivity do it (Dong et al., "HAWQ", ICCV 2019,
rank layers once; here what a change costs is measured anew before it is made): all layers begin at
their widest, and the change that saves the most cycles for the loss that it adds is made next.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from .export import recalibrate
from .quantise import ActivationQuantiser
from .training.images import to_float

LEAST_LOSS = 1e-4  # a change that adds less, or that lowers the loss by chance, counts as this
SAMPLES = 1 << 20  # activations of a layer that its step is calibrated on
BATCH = 250  # images at once

Bits = tuple[int, ...]


@dataclass(frozen=True)
class Point:
    """A network with so many activation bits in every executed layer but the classifier: clock
    cycles of a run, mean cross-entropy, and fraction of images classified rightly."""

    bits: Bits
    cycles: int
    loss: float
    accuracy: float


def changed(bits: Bits, layer: int, width: int) -> Bits:
    return bits[:layer] + (width,) + bits[layer + 1 :]


def descend(widths: Sequence[Sequence[int]], measure: Callable[[Bits], tuple[float, float]],
            cycles: Callable[[Bits], int], lowest_accuracy: float = 0.0,
            most_cycles: int = 0) -> Iterator[Point]:  # fmt: skip
    """The points of a greedy descent, each with fewer cycles than the one before.

    widths: bits that each layer may have; the first point has the most of each. A change is a layer
    and fewer bits for it (not only one less), and must save cycles. At first each is measured with
    all others at their widest, its sensitivity. Then the change with the most cycles saved for its
    added loss is measured again where the search stands, until the best of all is one that just
    was: what a change adds hardly falls as other layers change, so that one or two measurements do
    instead of all. Changes with an accuracy below `lowest_accuracy` are never tried again. Ends
    where no change is left, or at the first point of at most `most_cycles`. measure: bits -> loss
    and accuracy.
    """

    def point(bits):
        return Point(bits, cycles(bits), *measure(bits))

    def fewer():
        """Cycles that each change saves, if it saves any."""
        changes = {(i, w) for i, ws in enumerate(widths) for w in ws if w < here.bits[i]} - refused
        saved = {c: here.cycles - cycles(changed(here.bits, *c)) for c in sorted(changes)}
        return {change: number for change, number in saved.items() if number > 0}

    here = point(tuple(max(options) for options in widths))
    yield here
    added, refused, fresh = {}, set(), {}

    def add(change):
        """Measure a change here."""
        fresh[change] = point(changed(here.bits, *change))
        added[change] = fresh[change].loss - here.loss
        if fresh[change].accuracy < lowest_accuracy:
            refused.add(change)

    for change in fewer():
        add(change)
    while here.cycles > most_cycles:
        saved = fewer()
        while saved:
            best = max(saved, key=lambda c: saved[c] / max(added.get(c, 0), LEAST_LOSS))
            if best in fresh:
                break
            add(best)
            if best in refused:
                del saved[best]
        if not saved:
            return
        for change in added:
            if change[0] == best[0] and change != best:
                added[change] -= added[best]  # it would come on top of the layer's change
        here, fresh = fresh[best], {}
        yield here


class _Sample(list):
    """A record of activations that keeps `SAMPLES` of each layer, evenly spread."""

    def append(self, x: torch.Tensor):
        x = x.flatten()
        super().append(x[:: math.ceil(len(x) / SAMPLES)].clone())


class Network:
    """A searched FoldedResNet whose activation bits can be set.

    seen: uint8 images, augmented as in the search, for the statistics of the normalisations and for
    the steps. At the bits that a layer was trained with it has its own step, if it has one; others
    are calibrated on what it computes while nothing is quantised. The model ends up at the bits
    that were last asked for.
    """

    def __init__(self, model, seen: np.ndarray):
        self.model, self.seen = model, seen
        self.device = model.convs[0].scores.device
        trained = model.quantisers
        self._known = [{q.bits: q} if q.step > 0 else {} for q in trained]
        self._kinds = [(q.signed, q.bipolar) for q in trained]
        recalibrate(model, seen, quantised=False)
        self._record = _Sample()
        with torch.no_grad():
            model(to_float(seen[:BATCH], self.device), self._record)

    def _quantiser(self, layer: int, bits: int) -> ActivationQuantiser:
        known = self._known[layer]
        if bits not in known:
            signed, bipolar = self._kinds[layer]
            known[bits] = ActivationQuantiser(bits, signed, bipolar=bipolar).to(self.device)
            known[bits].calibrate(self._record[layer])
        return known[bits]

    def use(self, bits: Bits):
        """Let the model compute with these bits; its normalisations are measured again."""
        for layer, width in enumerate(bits):
            self.model.quantisers[layer] = self._quantiser(layer, width)
        recalibrate(self.model, self.seen)

    @torch.no_grad()
    def measure(self, bits: Bits, images: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
        """Loss and accuracy on uint8 images, with these bits."""
        self.use(bits)
        loss = right = 0
        for i in range(0, len(images), BATCH):
            logits = self.model(to_float(images[i : i + BATCH], self.device)).double().cpu()
            y = torch.as_tensor(labels[i : i + BATCH])
            loss += F.cross_entropy(logits, y, reduction="sum").item()
            right += int((logits.argmax(1) == y).sum())
        return loss / len(images), right / len(images)
