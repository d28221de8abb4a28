"""Biprop: multi-prize tickets of binary weights with a scale of their own."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from .edge_popup import EdgePopup


@dataclass(frozen=True, kw_only=True)
class Biprop(EdgePopup):
    """Edge-popup whose weights are alpha * sign(W) * mask, of Kaiming-normal weights W.

    alpha = sum(|W| * mask) / kept, a layer. A score's gradient is that of its weight times
    W * sgn(score): alpha is not differentiated, and |W| stands in it where alpha stood.
    """

    source: ClassVar[str] = (
        "Diffenderfer and Kailkhura, Multi-Prize Lottery Ticket Hypothesis, ICLR 2021"
    )
    magnitudes: str = "normal"

    @property
    def exportable(self) -> bool:
        return True

    @torch.no_grad()
    def weight(self, layer, mask: Tensor) -> Tensor:
        return (layer.sign * mask).mul_(self.scale(layer, mask))

    @torch.no_grad()
    def scale(self, layer, mask: Tensor) -> float | Tensor:
        if layer.magnitudes is None:
            return self.slope(layer)
        return (layer.magnitudes * mask).sum() / mask.sum() * self.slope(layer)

    def slope(self, layer) -> float:
        """The standard deviation of W."""
        return math.sqrt(2 / layer.fan_in)
