"""Partially frozen networks: weights that are pruned or locked before the search begins."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from hfn_accel import sequence
from hfn_accel.errors import HfnError
from hfn_accel.modes import FROZEN_PARTS, PLAIN, Mode
from hfn_accel.network import Architecture, Conv
from hfn_accel.recipe import Recipe

from ..weights import generator
from .edge_popup import EdgePopup

_ROUNDING = 1e-9  # of fractions that are equal but for their arithmetic


@dataclass(frozen=True, kw_only=True)
class Frozen(EdgePopup):
    """Edge-popup in which some weights never exist, and some always do.

    The frozen ones count as the least and the largest in the threshold, so that density does not
    depend on freezing, and their scores have no gradient. `shares`: of each tensor, the fractions
    pruned and locked. By the `pattern` "sequence" they are sixteenths, as the weight sequence's
    pattern says; by "generator" an exact random choice of PyTorch's generator, which no ticket
    can say. `seed`: of the pattern.
    """

    source: ClassVar[str] = (
        "Otsuka et al., Partially Frozen Random Networks Contain Compact Strong Lottery Tickets, "
        "2024 (arXiv 2402.14029)"
    )
    shares: tuple[tuple[float, float], ...]
    pattern: str = "sequence"
    seed: int

    @property
    def exportable(self) -> bool:
        return super().exportable and self.pattern == "sequence"

    def mode(self, conv: Conv) -> Mode:
        if self.pattern == "generator":
            return PLAIN
        pruned, locked = (round(FROZEN_PARTS * share) for share in self.shares[conv.tensor])
        return Mode(pruned=pruned, locked=locked)

    def frozen(self, conv: Conv) -> np.ndarray:
        shape = conv.cout, conv.fan_in
        if self.pattern == "sequence":
            mode = self.mode(conv)
            order = sequence.pattern(sequence.seed_state(self.seed), conv.tensor, *shape)
            pruned, frozen = mode.pruned, mode.frozen
        else:
            chosen = torch.randperm(conv.weights, generator=generator(self.seed, conv, 2))
            order = chosen.reshape(shape).numpy()
            pruned, locked = (round(conv.weights * share) for share in self.shares[conv.tensor])
            frozen = pruned + locked
        return (order < frozen).astype(np.int8) - 2 * (order < pruned).astype(np.int8)


def freezing(recipe: Recipe, arch: Architecture) -> tuple[tuple[float, float], ...]:
    """Fractions pruned and locked of each tensor, by the recipe's distribution and pattern.

    The searched fraction follows the distribution; what is frozen is pruned and locked in the
    same ratio everywhere. Raises HfnError, naming the layer, where more would be pruned than the
    density leaves out, or more locked than it keeps; and if all of it rounds to nothing.
    """
    total, density = recipe.pruned + recipe.locked, recipe.density
    shares = []
    for conv, free in zip(arch.tensors, searched(recipe, arch), strict=True):
        pruned, locked = ((1 - free) * part / total for part in (recipe.pruned, recipe.locked))
        for name, share, most in (("pruned", pruned, 1 - density), ("locked", locked, density)):
            if share > most + _ROUNDING:
                raise HfnError(f"{name} would be {share:.3f} of {conv.name}, above {most:.3f}, "
                               f"all that density {density:g} allows")  # fmt: skip
        if recipe.freeze_pattern == "sequence":
            pruned, locked = _sixteenths(pruned, locked, density)
        shares.append((pruned, locked))
    if not any(map(any, shares)):
        raise HfnError("pruned and locked round to no sixteenth in any layer: nothing would be "
                       "frozen")  # fmt: skip
    return tuple(shares)


def _sixteenths(pruned: float, locked: float, density: float) -> tuple[float, float]:
    """The closest sixteenths that the density allows, at least one of which is searched."""
    pruned, locked = (
        min(round(FROZEN_PARTS * share), math.floor(FROZEN_PARTS * most))
        for share, most in ((pruned, 1 - density), (locked, density))
    )
    if pruned + locked == FROZEN_PARTS:
        pruned, locked = (pruned - 1, locked) if pruned > locked else (pruned, locked - 1)
    return pruned / FROZEN_PARTS, locked / FROZEN_PARTS


def searched(recipe: Recipe, arch: Architecture) -> list[float]:
    """Fraction of each tensor's weights that stay searched, by `recipe.freeze_distribution`:

    "uniform": the same everywhere. "erk": in proportion to (cin + cout + kh + kw) / weights, the
    Erdős-Rényi kernel (Evci et al., "Rigging the Lottery", ICML 2020). "epl": in proportion to
    1 / weights, which is equally many edges a layer. Where that exceeds 1, the others share what
    is left over, so that the total is always that of all weights.
    """
    sizes = np.array([conv.weights for conv in arch.tensors], float)
    kernel = np.array([conv.cin + conv.cout + 2 * conv.kernel for conv in arch.tensors], float)
    edges = {"uniform": sizes, "erk": kernel, "epl": np.ones_like(sizes)}
    edges = edges[recipe.freeze_distribution]
    free = (1 - recipe.pruned - recipe.locked) * sizes.sum()
    full = np.zeros(len(sizes), bool)
    while True:
        share = (free - sizes[full].sum()) * edges / edges[~full].sum() / sizes
        if not (over := ~full & (share > 1)).any():
            return np.where(full, 1.0, share).tolist()
        full |= over
