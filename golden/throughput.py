"""Training steps side by side: the dense network, the search methods, and a plain edge-popup."""

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from hfn_accel.network import Architecture
from hfn_accel.recipe import Recipe

from .build import build
from .methods import EdgePopup
from .methods.select import kth_largest
from .training.optimiser import descend, make_optimiser

VARIANTS = {
    "dense": {"method": "dense"},
    "edge-popup": {},
    "edge-popup, global": {"threshold": "global"},
    "biprop": {"method": "biprop"},
    "multicoat, 3 coats": {"method": "multicoat", "coats": 3},
    "frozen, 0.5 + 0.1875": {"method": "frozen", "pruned": 0.5, "locked": 0.1875},
}
"""Contestant -> how its recipe differs from the default one; `SORTING` comes on top of these."""
SORTING = "edge-popup, sorting"


DENSITY = 0.3  # of the selections
SELECTIONS = {
    "sort": lambda x, keep: x.sort().values[-keep],
    "topk": lambda x, keep: x.topk(keep, sorted=False).values.amin(),
    "kthvalue": lambda x, keep: x.kthvalue(len(x) - keep + 1).values,
    "golden.methods.select": kth_largest,
}
"""Ways to find a threshold; all find the same."""


class _Sorted(torch.autograd.Function):
    """The mask in the published way: all |scores| are copied and sorted, and ranks set it."""

    @staticmethod
    def forward(ctx, magnitude, density):
        mask = magnitude.clone()
        order = mask.flatten().argsort()
        pruned = round((1 - density) * order.numel())
        flat = mask.flatten()
        flat[order[:pruned]] = 0
        flat[order[pruned:]] = 1
        return flat.reshape(mask.shape)

    @staticmethod
    def backward(ctx, grad):
        return grad, None


class Sorting(EdgePopup):
    """Edge-popup with its weights made in the plain way; once a step, as the others make theirs."""

    def weights(self, layers) -> list[torch.Tensor]:
        return [
            layer.sign * self.scale(layer, None) * _Sorted.apply(layer.scores.abs(), self.density)
            for layer in layers
        ]


def contestants(arch: Architecture) -> dict[str, nn.Module]:
    """Name -> a fresh network; all have the same shape and the same random signs."""

    def network(**fields):
        return build(Recipe(dataset="cifar10", arch=str(arch), **fields), arch)

    models = {name: network(**fields) for name, fields in VARIANTS.items()}
    models[SORTING] = network()
    models[SORTING].method = Sorting(density=models[SORTING].method.density)
    return models


def timed(work: Callable[[], object], device: str) -> float:
    """Seconds that `work` takes.

    On the processor seconds of processor time, so that a busy machine counts for nothing; on
    others from an idle device to an idle device.
    """
    if device == "cpu":
        began = time.process_time()
        work()
        return time.process_time() - began
    torch.accelerator.synchronize()
    began = time.perf_counter()
    work()
    torch.accelerator.synchronize()
    return time.perf_counter() - began


def stepper(model: nn.Module, images, labels, device: str) -> Callable[[], None]:
    """A function that trains `model` by one step."""
    model.to(device=device, memory_format=torch.channels_last).train()
    optimiser = make_optimiser(model, Recipe(dataset="cifar10"))
    return partial(descend, model, optimiser, images, labels, bfloat16=False)


def measure(arch: Architecture, batch: int, device: str, seconds: float, least: int) -> dict:
    """Contestant -> seconds of its steps, one a round; in every round each takes one step.

    Rounds are added until `seconds` have passed, but at least `least`; one before them warms up.
    Rounds begin with another contestant each, so that none always follows the same one.
    """
    torch.manual_seed(1)
    shape = batch, arch.in_channels, arch.image_size, arch.image_size
    images = torch.rand(shape, device=device).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(arch.classes, (batch,), device=device)
    steps = {name: stepper(model, images, labels, device)
             for name, model in contestants(arch).items()}  # fmt: skip
    for step in steps.values():
        step()
    spent, rounds, names = {name: [] for name in steps}, 0, list(steps)
    began = time.perf_counter()
    while rounds < least or time.perf_counter() - began < seconds:
        first = rounds % len(names)
        for name in names[first:] + names[:first]:
            spent[name].append(timed(steps[name], device))
        rounds += 1
    return spent


def selections(size: int, device: str, rounds: int) -> dict[str, float]:
    """Way -> least seconds of finding the threshold of `size` random scores, in `rounds`."""
    magnitude = torch.rand(size, generator=torch.Generator().manual_seed(1)).to(device)
    keep = round(DENSITY * size)
    return {
        name: min(timed(partial(select, magnitude, keep), device) for _ in range(rounds))
        for name, select in SELECTIONS.items()
    }
