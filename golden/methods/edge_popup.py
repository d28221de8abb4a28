"""Edge-popup, the rule that the other methods vary."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from hfn_accel.modes import Mode
from hfn_accel.network import Conv
from hfn_accel.program import Signs

from .recycling import recycle
from .select import kth_largest_many


@dataclass(frozen=True, kw_only=True)
class EdgePopup:
    """A weight exists where |score| is among the largest; gradients pass straight through.

    Effective weight = scale * sign * magnitude * mask, scale = sqrt(2 / (fan_in * density)). A
    score's gradient is that of its weight times scale * sign * magnitude * sgn(score), also where
    the mask is 0. `density`: fraction of the weights that exist. `threshold`: "layer", of each
    layer; "global", of all together, but at least one a layer. `magnitudes`: "constant", 1, or
    "normal", |N(0, 1)|. `recycle_every` so many epochs (0: never), weights are recycled, see
    golden.methods.recycling.
    """

    source: ClassVar[str] = (
        "Ramanujan et al., What's Hidden in a Randomly Weighted Neural Network?, CVPR 2020"
    )
    density: float
    threshold: str = "layer"
    magnitudes: str = "constant"
    recycle_every: int = 0
    recycle_fraction: float = 0.2

    @property
    def densities(self) -> tuple[float, ...]:
        """Fraction of the weights in each coat, descending."""
        return (self.density,)

    @property
    def exportable(self) -> bool:
        """Whether a ticket can say the weights: one magnitude a layer, signs, and a pattern."""
        return self.magnitudes == "constant"

    def mode(self, conv: Conv) -> Mode:
        """How a ticket says the tensor's weights."""
        signs = Signs.EXCEPTIONS if self.recycle_every else Signs.SEQUENCE
        return Mode(coats=len(self.densities), signs=signs)

    def frozen(self, conv: Conv) -> np.ndarray | None:
        """int8 (cout, fan_in): -1 where a weight is pruned for good, +1 where it is locked, 0
        where it is searched; None: all are searched."""
        return None

    def weights(self, layers: Sequence) -> list[Tensor]:
        """Effective weights of all `MaskedConv2d`s, differentiable in their scores."""
        return [
            _StraightThrough.apply(layer.scores, self.weight(layer, mask), layer.sign,
                                   layer.magnitudes, layer.frozen, self.slope(layer))
            for layer, mask in zip(layers, self.masks(layers), strict=True)
        ]  # fmt: skip

    @torch.no_grad()
    def masks(self, layers: Sequence) -> Iterator[Tensor]:
        """The coats that each weight is in, shaped and typed as the scores; a layer at a time."""
        for group in [layers] if self.threshold == "global" else [[layer] for layer in layers]:
            magnitudes = [_magnitude(layer) for layer in group]
            for magnitude, limits in zip(magnitudes, self.thresholds(magnitudes), strict=True):
                others = [torch.ge(magnitude, limit, out=torch.empty_like(magnitude))
                          for limit in limits[1:]]  # fmt: skip
                mask = magnitude.ge_(limits[0])
                for coat in others:
                    mask += coat
                yield mask

    @torch.no_grad()
    def thresholds(self, magnitudes: list[Tensor]) -> list[Tensor]:
        """Of each tensor of |scores|, its coats' thresholds (coats,), ascending.

        Frozen weights count as -inf and inf; no threshold is below 0, so that what is pruned
        stays so where locked and searched weights are fewer than the density asks for.
        """
        if self.threshold == "layer":
            return [self.limits([magnitude]).clamp_min_(0) for magnitude in magnitudes]
        limits = self.limits(magnitudes).clamp_min_(0)
        first, others = limits[:1], limits[1:]
        return [torch.cat([first.minimum(m.amax().clamp_min(0)), others]) for m in magnitudes]

    def limits(self, group: list[Tensor]) -> Tensor:
        """Thresholds (coats,), ascending, of the elements of several tensors together."""
        size = sum(magnitude.numel() for magnitude in group)
        return limits_of(group, [max(1, round(density * size)) for density in self.densities])

    @torch.no_grad()
    def weight(self, layer, mask: Tensor) -> Tensor:
        """The layer's effective weight."""
        weight = layer.sign * mask
        if layer.magnitudes is not None:
            weight.mul_(layer.magnitudes)
        return weight.mul_(self.scale(layer, mask))

    def scale(self, layer, mask: Tensor) -> float | Tensor:
        """The real number that a weight of one coat and magnitude 1 stands for."""
        return math.sqrt(2 / (layer.fan_in * self.densities[0]))

    def slope(self, layer) -> float:
        """What a score's gradient is multiplied with besides sign and magnitude."""
        return self.scale(layer, None) * len(self.densities)

    def after_epoch(self, model, epoch: int):
        """What the method changes once epoch `epoch` (the first is 0) is over."""
        if self.recycle_every and (epoch + 1) % self.recycle_every == 0:
            for layer in model.convs:
                recycle(layer, self.recycle_fraction)


def _magnitude(layer) -> Tensor:
    magnitude = layer.scores.abs()
    return magnitude if layer.frozen is None else magnitude.add_(layer.frozen)


class _StraightThrough(torch.autograd.Function):
    """`weight` as it is, with the gradient sign * magnitude * sgn(score) * slope of a score, and
    none of a frozen one. It keeps no tensor but those that the layer has anyway."""

    @staticmethod
    def forward(ctx, scores, weight, sign, magnitudes, frozen, slope):
        ctx.save_for_backward(scores, sign, magnitudes, frozen)
        ctx.slope = slope
        return weight.view_as(weight)

    @staticmethod
    def backward(ctx, grad):
        scores, sign, magnitudes, frozen = ctx.saved_tensors
        slope = scores.sign().mul_(sign).mul_(ctx.slope)
        if magnitudes is not None:
            slope.mul_(magnitudes)
        if frozen is not None:
            slope.mul_((frozen == 0).view(torch.uint8))
        return slope.mul_(grad), None, None, None, None, None


@torch.library.custom_op("golden::limits_of", mutates_args=())
def limits_of(magnitudes: Sequence[Tensor], keeps: Sequence[int]) -> Tensor:
    """`kth_largest_many` as an operator of its own, so that models can be traced, and of models
    that were widened to float64 for exact arithmetic: their scores are still float32's values."""
    narrow = [magnitude.float() for magnitude in magnitudes]
    return kth_largest_many(narrow, keeps).to(magnitudes[0].dtype)


@limits_of.register_fake
def _(magnitudes, keeps):
    return magnitudes[0].new_empty(len(keeps))
