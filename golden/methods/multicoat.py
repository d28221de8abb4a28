"""Multicoated supermasks: nested masks that add up."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from .edge_popup import EdgePopup, limits_of


@dataclass(frozen=True, kw_only=True)
class Multicoat(EdgePopup):
    """Edge-popup with mask = the number of thresholds t_1 < ... < t_N that |score| reaches.

    t_i leaves out the fraction s_i of the weights, with s_1 = 1 - density and, by the `rule`
    "uniform", s_i = s_1 + (i - 1) * (1 - s_1) / N. By the rule "linear", the thresholds
    themselves are equally spaced, t_i = t_1 + (i - 1) * (max |score| - t_1) / N. `sparsities`,
    s_1 to s_N, stand instead of a rule. All follow from the current scores at every step. A
    score's gradient is the sum of what passes straight through the coats, N times edge-popup's.
    """

    source: ClassVar[str] = (
        "Okoshi et al., Multicoated Supermasks Enhance Hidden Networks, ICML 2022"
    )
    coats: int
    rule: str = "uniform"
    sparsities: tuple[float, ...] = ()

    @property
    def densities(self) -> tuple[float, ...]:
        """Fraction of the weights in each coat, descending; by the linear rule, of the first one
        what is meant, and of the others what equally spaced scores would give."""
        if self.sparsities:
            return tuple(1 - s for s in self.sparsities)
        return tuple(self.density * (1 - i / self.coats) for i in range(self.coats))

    def limits(self, group: list[Tensor]) -> Tensor:
        if self.sparsities or self.rule == "uniform":
            return super().limits(group)
        size = sum(magnitude.numel() for magnitude in group)
        first = limits_of(group, [max(1, round(self.density * size))])
        top = torch.stack([magnitude.amax() for magnitude in group]).amax()
        steps = torch.arange(self.coats, device=first.device) / self.coats
        return first + steps * (top - first)
