"""The folded residual network, in floating point, as its papers draw it.

Source: Garcia-Arias et al., "Hidden-Fold Networks: Random Recurrent Residuals Using Sparse
Supermasks", BMVC 2021 (folding, unshared affine normalisation per iteration). Which weights exist
is up to a method of golden.methods.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from hfn_accel.modes import PLAIN
from hfn_accel.network import Architecture, Conv
from hfn_accel.recipe import LayerBits

from .methods import EdgePopup
from .quantise import ActivationQuantiser
from .weights import Weights, as_weights


class MaskedConv2d(nn.Module):
    """Convolution of fixed random weights, of which a method's mask chooses those that exist.

    `scores` (cout, cin, k, k) are all that a search changes, and without a method (None) the
    Kaiming-normal weights themselves, for comparison. Buffers, shaped alike, are `sign`, +1 and
    -1, `magnitudes` (None: all 1), and `frozen`, what is added to |score|: inf for a locked
    weight, -inf for a pruned one (None: no weight is frozen). Signs and magnitudes are part of
    the state only where recycling changes them.
    """

    def __init__(self, conv: Conv, method: EdgePopup | None, weights: Weights | None):
        super().__init__()
        self.stride, self.pad, self.fan_in = conv.stride, conv.pad, conv.fan_in
        self.scores = nn.Parameter(torch.empty(conv.cout, conv.cin, conv.kernel, conv.kernel))
        if method is None:
            self.mode = PLAIN
            nn.init.kaiming_normal_(self.scores)
            return
        nn.init.kaiming_uniform_(self.scores, a=math.sqrt(5))
        self.mode = method.mode(conv)
        rows = {"sign": weights.signs(conv), "frozen": method.frozen(conv), "magnitudes": None}
        if method.magnitudes == "normal":
            rows["magnitudes"] = weights.magnitudes(conv)
        for name, values in rows.items():
            values = None if values is None else as_weights(values, conv).float()
            if name == "frozen" and values is not None:
                values = torch.where(values == 0, 0.0, values * math.inf)
            self.register_buffer(name, values, persistent=method.recycle_every > 0)

    def forward(self, x, weight):
        return F.conv2d(x, weight, stride=self.stride, padding=self.pad)


class FoldedResNet(nn.Module):
    """A Hidden-Fold Network: images (N, C, H, W) as 0...1 floats to logits (N, classes).

    `method`: the rule of its supermasks (None: a dense network), over the random `weights`.
    Normalisation is affine inside folded blocks, and non-affine elsewhere; `norms`: "unshared",
    one for every iteration, as published, or "shared", one for all iterations of a convolution.
    `bits[i]` are those of executed layer i's output and `scales` its quantiser's, "calibrated" or
    "learned"; quantisation acts once `quantise(True)` was called, and is straight-through in
    training. Images enter without mean subtraction, so that zero padding is black in integers too.
    """

    def __init__(self, arch: Architecture, *, method: EdgePopup | None, weights: Weights | None,
                 bits: Sequence[LayerBits], scales: str = "calibrated",
                 norms: str = "unshared"):  # fmt: skip
        super().__init__()
        self.arch, self.method = arch, method
        self.convs = nn.ModuleList(MaskedConv2d(conv, method, weights) for conv in arch.tensors)
        executed = arch.layers[:-1]
        self._owners = [str(c.tensor if norms == "shared" else c.norm) for c in executed]
        self.normalisations = nn.ModuleDict(
            {owner: nn.BatchNorm2d(c.cout, affine=c.folded)
             for owner, c in dict(zip(self._owners, executed, strict=True)).items()}
        )  # fmt: skip
        self.quantisers = nn.ModuleList(
            ActivationQuantiser(b.bits, signed=not c.relu, bipolar=b.bipolar,
                                learned=scales == "learned")
            for c, b in zip(executed, bits, strict=True)
        )  # fmt: skip

    @property
    def dense(self) -> bool:
        """Whether the weights themselves are trained."""
        return self.method is None

    @property
    def norms(self) -> tuple[nn.BatchNorm2d, ...]:
        """Of each executed layer but the classifier; one module may stand for several layers."""
        return tuple(self.normalisations[owner] for owner in self._owners)

    def quantise(self, on: bool):
        """Switch activation quantisation on or off."""
        for q in self.quantisers:
            q.enabled = on

    def weights(self) -> list[torch.Tensor]:
        """The effective weights, one a tensor."""
        if self.dense:
            return [conv.scores for conv in self.convs]
        return self.method.weights(self.convs)

    def masks(self) -> list[torch.Tensor]:
        """The coats that each weight is in, uint8, one a tensor; of a dense network all 1."""
        if self.dense:
            return [torch.ones_like(conv.scores, dtype=torch.uint8) for conv in self.convs]
        return [mask.to(torch.uint8) for mask in self.method.masks(self.convs)]

    def densities(self) -> list[float]:
        """Fraction of the weights that exist, one a tensor."""
        return [mask.count_nonzero().item() / mask.numel() for mask in self.masks()]

    def scales_of_weights(self) -> list[float]:
        """What a weight of one coat (and magnitude 1) stands for, one a tensor of a method."""
        masks = self.method.masks(self.convs)
        return [float(self.method.scale(*pair)) for pair in zip(self.convs, masks, strict=True)]

    def forward(self, x, record=None):
        """Logits; `record`, a list, receives every layer's output (for calibration), which is
        before the ReLU and the max pooling."""
        weights, norms, outputs = self.weights(), self.norms, {-1: x}
        for conv in self.arch.layers:
            x = outputs[conv.source]
            if conv.classifier:
                x = x.mean((2, 3), keepdim=True)
            x = self.convs[conv.tensor](x, weights[conv.tensor])
            if conv.classifier:
                return x.flatten(1)
            x = norms[conv.norm](x)
            if conv.residual is not None:
                x = x + outputs[conv.residual]
            if record is not None:
                record.append(x.detach())
            x = self.quantisers[conv.norm](x)
            if conv.max_pool:
                x = F.max_pool2d(x, kernel_size=3, stride=2, padding=1)
            outputs[conv.norm] = x
