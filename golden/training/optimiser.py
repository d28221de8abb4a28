"""Stochastic gradient descent as the recipes have it, and one step of it."""

import math

import torch
import torch.nn.functional as F


def learning_rate(recipe, epoch: float) -> float:
    """Linear warm-up, then a cosine to zero; `epoch` may be fractional."""
    if epoch < recipe.warmup:
        return recipe.lr * (epoch + 1e-3) / recipe.warmup
    done = (epoch - recipe.warmup) / max(recipe.epochs - recipe.warmup, 1e-9)
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1)))


def learned_steps(model) -> list[torch.nn.Parameter]:
    """The quantisation steps of a FoldedResNet that are trained."""
    steps = [quantiser.step for quantiser in model.quantisers]
    return [step for step in steps if isinstance(step, torch.nn.Parameter)]


def make_optimiser(model, recipe) -> torch.optim.SGD:
    """SGD with Nesterov's momentum; the steps of quantisation do not decay.

    `foreach` also on CPUs, where it is not PyTorch's choice: an update then costs a quarter.
    """
    steps = learned_steps(model)
    others = [p for p in model.parameters() if all(p is not step for step in steps)]
    groups = [{"params": others}] + [{"params": steps, "weight_decay": 0}] * bool(steps)
    return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum,
                           weight_decay=recipe.weight_decay, nesterov=recipe.momentum > 0,
                           foreach=True)  # fmt: skip


def descend(network, optimiser, x, labels, bfloat16: bool) -> torch.Tensor:
    """One step on float images; returns (2,): the loss, and the fraction classified rightly.

    Nothing here waits for the device.
    """
    with torch.autocast(x.device.type, torch.bfloat16, enabled=bfloat16):
        logits = network(x).float()
    loss = F.cross_entropy(logits, labels)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
    return torch.stack((loss.detach(), (logits.argmax(1) == labels).float().mean()))
