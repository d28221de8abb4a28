"""Searched models for tests of what becomes of them, and what they compute in float64."""

import numpy as np
import torch
import torch.nn.functional as F

from golden import export
from golden.build import build
from golden.integer import IntegerResNet
from golden.methods.recycling import recycle
from hfn_accel.network import Architecture
from hfn_accel.recipe import Recipe

ARCHS = {
    "basic": Architecture.parse("6x1,8x2f,12x3f", classes=5, image_size=12),
    "bottleneck": Architecture.parse("imagenet:6x1b,8x3b2f", classes=5, image_size=24),
}
METHODS = {
    "edge-popup": {},
    "global": {"threshold": "global"},
    "biprop": {"method": "biprop"},
    "recycled": {"recycle_every": 1},
    "coats": {"method": "multicoat", "coats": 3},
    "linear coats": {"method": "multicoat", "coats": 4, "coat_rule": "linear"},
    "frozen": {"method": "frozen", "pruned": 0.5, "locked": 0.25},
}


def recipe_of(arch, act_bits="4", **fields) -> Recipe:
    """`act_bits` may be "mixed", a bit count of its own for each layer, or "bipolar shortcuts"."""
    layers = arch.layers[:-1]
    if act_bits == "mixed":
        act_bits = ",".join("8b3152746"[c.norm % 9] for c in layers)
    elif act_bits == "bipolar shortcuts":
        act_bits = ",".join("4" if c.relu else "b" for c in layers)
    return Recipe(dataset="digits", arch=str(arch), act_bits=act_bits,
                  **{"density": 0.4, "seed": 3} | fields)  # fmt: skip


def searched(recipe: Recipe, arch=ARCHS["basic"]):
    """A model as a search could leave it, and images: normalisation drawn, steps calibrated and,
    if learned, moved; recycled if it is to be."""
    model = build(recipe, arch)
    torch.manual_seed(recipe.seed)
    for norm in dict.fromkeys(model.norms):
        if norm.affine:
            torch.nn.init.uniform_(norm.weight, -1.5, 1.5)
            torch.nn.init.uniform_(norm.bias, -0.5, 0.5)
    if recipe.recycle_every:
        for conv in model.convs:
            recycle(conv, 0.2)
            torch.nn.init.uniform_(conv.scores, -1, 1)  # so that recycled weights are kept too
    rng = np.random.default_rng(recipe.seed)
    size = arch.image_size
    images = rng.integers(0, 256, (40, arch.in_channels, size, size)).astype(np.uint8)
    export.recalibrate(model, images, batch=20, quantised=False)  # before steps are chosen
    export.recalibrate(model, images, batch=20)
    if recipe.scales == "learned":
        with torch.no_grad():
            for q in model.quantisers:
                q.step *= 0.7 + 0.6 * torch.rand(())
        export.recalibrate(model, images, batch=20)
    return model, images


def ticket_of(model, seed=3, **given):
    return export.to_ticket(model, seed=seed, class_names="abcde", provenance={"data": "random"},
                            **given)  # fmt: skip


class Float64:
    """The quantised network in float64, layer by layer, from the model's parts."""

    def __init__(self, model):
        self.model, self.arch = model, model.arch
        scales = model.scales_of_weights()
        self.weights = [mask.double() * conv.sign.double() * s for mask, conv, s
                        in zip(model.masks(), model.convs, scales, strict=True)]  # fmt: skip

    def step(self, layer) -> float:
        return self.model.quantisers[layer].step.item()

    def real(self, levels, layer):
        """What a layer's integers stand for."""
        if layer < 0:
            return levels.double() / 255
        q = self.model.quantisers[layer]
        zero = 0 if self.arch.layers[layer].relu else 2 ** (q.bits - 1)
        levels = 2 * levels.double() - 1 if q.bipolar else levels.double() - zero
        return levels * self.step(layer)

    def convolve(self, conv, x):
        return F.conv2d(x, self.weights[conv.tensor], stride=conv.stride, padding=conv.pad)

    def unrounded(self, conv, outputs):
        """The layer's output in units of its integers, before rounding; from integers."""
        norm, q = self.model.norms[conv.norm], self.model.quantisers[conv.norm]
        x = self.convolve(conv, self.real(outputs[conv.source], conv.source))
        affine = [None if a is None else a.detach().double() for a in (norm.weight, norm.bias)]
        x = F.batch_norm(x, norm.running_mean.double(), norm.running_var.double(), *affine,
                         eps=norm.eps)  # fmt: skip
        if conv.residual is not None:
            x = x + self.real(outputs[conv.residual], conv.residual)
        if q.bipolar:  # a bit is 1 from 0 on; rounded as the others, from 1/2 on
            return x / (2 * self.step(conv.norm)) + 0.5
        return x / self.step(conv.norm) + (0 if conv.relu else 2 ** (q.bits - 1))

    def levels(self, conv, outputs):
        q = self.model.quantisers[conv.norm]
        y = (self.unrounded(conv, outputs) + 0.5).floor().clamp(0, 2**q.bits - 1)
        return self.pooled(conv, y)

    @staticmethod
    def pooled(conv, levels):
        """As the layers behind read it."""
        return F.max_pool2d(levels, 3, 2, 1) if conv.max_pool else levels

    def logits(self, outputs):
        conv = self.arch.layers[-1]
        return self.convolve(conv, self.real(outputs[conv.source], conv.source).mean(
            (2, 3), keepdim=True)).flatten(1)  # fmt: skip


def rounding(golden, conv, outputs) -> torch.Tensor:
    """How far rounding M, Mr and B to integers, by up to a half each, can move each output."""
    acc = golden.convolve(conv, outputs[conv.source]).abs().double()
    error = 0.5 * acc + 0.5
    if conv.residual is not None:
        error += 0.5 * outputs[conv.residual].double()
    return (error + 0.5) * 2.0 ** -golden.ticket.norms[conv.norm].shift + 1e-6


def check(model, images, **given) -> float:
    """Every layer on the integer layer's own inputs: equal but where the real number lies nearer
    to a tie than rounded parameters can tell. Returns the fraction that differs there."""
    golden, outputs = IntegerResNet(ticket_of(model, **given)), {-1: torch.from_numpy(images)}
    logits = golden(images, record := [])
    outputs |= dict(enumerate(record))
    real, apart, total = Float64(model), 0, 0
    for conv in model.arch.layers[:-1]:
        unrounded = real.unrounded(conv, outputs)
        got = golden.requantise(conv, golden.convolve(conv, outputs[conv.source]),
                                outputs.get(conv.residual)).double()  # fmt: skip
        top = 2 ** golden.ticket.norms[conv.norm].bits - 1
        error = rounding(golden, conv, outputs)
        low, high = ((unrounded + e + 0.5).floor().clamp(0, top) for e in (-error, error))
        assert ((low <= got) & (got <= high)).all(), conv.name
        apart += int((got != (unrounded + 0.5).floor().clamp(0, top)).sum())
        total += got.numel()
    expected = real.logits(outputs)
    factor = (logits.double() * expected).sum() / expected.square().sum()
    assert factor > 0 and torch.allclose(logits.double(), factor * expected, rtol=1e-9, atol=1e-6)
    return apart / total
