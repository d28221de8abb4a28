"""The folded residual network, in floating point, as its papers draw it.

Sources: Garcia-Arias et al., "Hidden-Fold Networks: Random Recurrent Residuals Using Sparse
Supermasks", BMVC 2021 (folding, unshared affine normalisation per iteration); Ramanujan et al.,
"What's Hidden in a Randomly Weighted Neural Network?", CVPR 2020 (edge-popup, signed constant
weights); Okoshi et al., "Multicoated Supermasks Enhance Hidden Networks", ICML 2022 (coats); Otsuka
et al., "Partially Frozen Random Networks Contain Compact Strong Lottery Tickets", 2024 (freezing).
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from hfn_accel import sequence
from hfn_accel.modes import PLAIN, Mode
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
    With `mode.coats` N, the mask is the sum of N with the densities density * i / N, i = N...1;
    with frozen weights, `numbers` is their pattern, shaped as the scores. `dense=True` trains the
    weights themselves instead, for comparison: `scores` then start at the Kaiming-normal weights
    and are the weights.
    """

    def __init__(self, conv: Conv, state: int, density: float, dense: bool = False,
                 mode: Mode = PLAIN):  # fmt: skip
        super().__init__()
        self.stride, self.pad, self.density, self.dense = conv.stride, conv.pad, density, dense
        self.mode = mode
        self.scale = math.sqrt(2 / (conv.fan_in * density))
        self.scores = nn.Parameter(torch.empty(conv.cout, conv.cin, conv.kernel, conv.kernel))
        if dense:
            nn.init.kaiming_normal_(self.scores)
        else:
            nn.init.kaiming_uniform_(self.scores, a=math.sqrt(5))
        sign = sequence.signs(state, conv.tensor, conv.cout, conv.fan_in)
        self.register_buffer("sign", _as_weights(sign, conv).float().contiguous(), False)
        numbers = None
        if mode.frozen:
            pattern = sequence.pattern(state, conv.tensor, conv.cout, conv.fan_in)
            numbers = _as_weights(pattern, conv)
        self.register_buffer("numbers", numbers, False)

    def mask(self) -> torch.Tensor:
        """The supermask, 0...coats, shaped as the weights."""
        magnitude, mode = self.scores.abs(), self.mode
        if mode.frozen:  # counted as the least and the largest, so that the density holds
            pruned, frozen = self.numbers < mode.pruned, self.numbers < mode.frozen
            magnitude = magnitude.masked_fill(frozen, math.inf).masked_fill(pruned, -math.inf)
        coats = [TopMask.apply(magnitude, self.density * i / mode.coats)
                 for i in range(mode.coats, 0, -1)]  # fmt: skip
        mask = sum(coats[1:], coats[0])
        if mode.frozen:
            mask = mask.masked_fill(frozen, 1).masked_fill(pruned, 0)
        return mask

    def weight(self) -> torch.Tensor:
        """The effective weights."""
        return self.scores if self.dense else self.mask() * (self.sign * self.scale)

    def forward(self, x, weight):
        return F.conv2d(x, weight, stride=self.stride, padding=self.pad)


def _as_weights(rows, conv: Conv) -> torch.Tensor:
    """(cout, fan_in) in the order of the sequence, k = (ky * KW + kx) * Cin + ci, as weights."""
    rows = torch.from_numpy(rows).reshape(conv.cout, conv.kernel, conv.kernel, conv.cin)
    return rows.permute(0, 3, 1, 2)


class FoldedResNet(nn.Module):
    """A Hidden-Fold Network: images (N, C, H, W) as 0...1 floats to logits (N, classes).

    Normalisation is affine inside folded blocks, one for every iteration, and non-affine
    elsewhere. `bits[i]` are the activation bits of executed layer i's output; quantisation acts
    once `quantise(True)` was called, and is straight-through in training. `modes`: one a tensor.
    Images enter without mean subtraction, so that zero padding is black in integers too.
    """

    def __init__(self, arch: Architecture, state: int, density: float, bits: list[int],
                 dense: bool = False, modes: tuple[Mode, ...] | None = None):  # fmt: skip
        super().__init__()
        self.arch = arch
        self.convs = nn.ModuleList(
            MaskedConv2d(conv, state, density, dense, mode)
            for conv, mode in zip(arch.tensors, modes or (PLAIN,) * len(arch.tensors), strict=True)
        )
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
        """Logits; `record`, a list, receives every layer's output (for calibration), which is
        before the ReLU and the max pooling."""
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
            x = self.quantisers[conv.norm](x)
            if conv.max_pool:
                x = F.max_pool2d(x, kernel_size=3, stride=2, padding=1)
            outputs[conv.norm] = x
