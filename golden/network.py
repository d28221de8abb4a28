"""The folded residual network, in floating point, as its papers draw it.

Sources: Garcia-Arias et al., "Hidden-Fold Networks: Random Recurrent Residuals Using Sparse
Supermasks", BMVC 2021 (folding, unshared affine normalisation per iteration); Ramanujan et al.,
"What's Hidden in a Randomly Weighted Neural Network?", CVPR 2020 (edge-popup, signed constant
weights).
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from hfn_accel import sequence
from hfn_accel.network import Architecture, Conv

from .quantise import ActivationQuantiser


class TopMask(torch.autograd.Function):
    """1 where a magnitude is among the layer's largest `density` fraction; straight through."""

    @staticmethod
    def forward(ctx, magnitude, density):
        keep = max(1, round(density * magnitude.numel()))
        threshold = magnitude.flatten().kthvalue(magnitude.numel() - keep + 1).values
        return (magnitude >= threshold).to(magnitude.dtype)

    @staticmethod
    def backward(ctx, grad):
        return grad, None


class MaskedConv2d(nn.Module):
    """Convolution whose weights are `scale * sign * mask`: fixed random signs, a searched mask.

    `scores` (cout, cin, k, k) are the only thing that a search changes; `sign` comes from the
    weight sequence. scale = sqrt(2 / fan_in / density), the official model's scaled constant.
    `dense=True` trains the weights themselves instead, for comparison: `scores` then start at
    the Kaiming-normal weights and are the weights.
    """

    def __init__(self, conv: Conv, state: int, density: float, dense: bool = False):
        super().__init__()
        self.stride, self.pad, self.density, self.dense = conv.stride, conv.pad, density, dense
        self.scale = math.sqrt(2 / (conv.fan_in * density))
        self.scores = nn.Parameter(torch.empty(conv.cout, conv.cin, conv.kernel, conv.kernel))
        if dense:
            nn.init.kaiming_normal_(self.scores)
        else:
            nn.init.kaiming_uniform_(self.scores, a=math.sqrt(5))
        sign = sequence.signs(state, conv.tensor, conv.cout, conv.fan_in)
        # the sequence counts k = (ky * KW + kx) * Cin + ci
        sign = torch.from_numpy(sign).reshape(conv.cout, conv.kernel, conv.kernel, conv.cin)
        self.register_buffer("sign", sign.permute(0, 3, 1, 2).float().contiguous(), False)

    def mask(self) -> torch.Tensor:
        """The supermask, 0/1, shaped as the weights."""
        return TopMask.apply(self.scores.abs(), self.density)

    def weight(self) -> torch.Tensor:
        """The effective weights."""
        return self.scores if self.dense else self.mask() * (self.sign * self.scale)

    def forward(self, x, weight):
        return F.conv2d(x, weight, stride=self.stride, padding=self.pad)


class FoldedResNet(nn.Module):
    """A Hidden-Fold Network: images (N, C, H, W) as 0...1 floats to logits (N, classes).

    Normalisation is affine inside folded blocks, one for every iteration, and non-affine
    elsewhere. `bits[i]` are the activation bits of executed layer i's output; quantisation acts
    once `quantise(True)` was called, and is straight-through in training. Images enter without
    mean subtraction, so that zero padding is black in integers too.
    """

    def __init__(self, arch: Architecture, state: int, density: float, bits: list[int],
                 dense: bool = False):  # fmt: skip
        super().__init__()
        self.arch = arch
        self.convs = nn.ModuleList(MaskedConv2d(c, state, density, dense) for c in arch.tensors)
        executed = arch.layers[:-1]
        self.norms = nn.ModuleList(nn.BatchNorm2d(c.cout, affine=c.folded) for c in executed)
        self.quantisers = nn.ModuleList(
            ActivationQuantiser(b, signed=not c.relu) for c, b in zip(executed, bits, strict=True)
        )

    def quantise(self, on: bool):
        """Switch activation quantisation on or off."""
        for q in self.quantisers:
            q.enabled = on

    def forward(self, x, record=None):
        """Logits; `record`, a list, receives every layer's output (for calibration)."""
        weights = [conv.weight() for conv in self.convs]
        outputs = {-1: x}
        for conv in self.arch.layers:
            x = outputs[conv.source]
            if conv.classifier:
                x = x.mean((2, 3), keepdim=True)
            x = self.convs[conv.tensor](x, weights[conv.tensor])
            if conv.classifier:
                return x.flatten(1)
            x = self.norms[conv.norm](x)
            if conv.residual is not None:
                x = x + outputs[conv.residual]
            if record is not None:
                record.append(x.detach())
            outputs[conv.norm] = self.quantisers[conv.norm](x)
