"""Small trained networks, convolutional and residual, that a ticket is to approximate."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from hfn_accel.network import Architecture, Conv

from ..data import Dataset

ACTIVATIONS = {"relu": F.relu, "leaky_relu": F.leaky_relu, "elu": F.elu, "gelu": F.gelu,
               "silu": F.silu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}  # fmt: skip
KINDS = {"conv": "4x1,8x1", "residual": "4x1,8x2f"}  # architecture of each target


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network of `arch` with normalisation folded: every layer is gain * conv(x) + bias.

    What the stem gives is the image itself, or with `stem` (W,), a ticket's univariate layer, W
    copies activation(stem[c] * image). `weights[t]` (cout, cin, k, k) of tensor t (None: the stem,
    or a layer that is not there); `gains[i]` and `biases[i]` (cout,) of executed layer i. The first
    block's residual, which is the stem's output, is null, and so are all others unless `residual`.
    All numbers are float64.
    """

    arch: Architecture
    activation: str
    residual: bool
    weights: list[torch.Tensor | None]
    gains: list[torch.Tensor | None]
    biases: list[torch.Tensor | None]
    stem: torch.Tensor | None = None

    @torch.no_grad()
    def __call__(self, images: np.ndarray, record: dict | None = None) -> torch.Tensor:
        """Logits (N, classes) of uint8 images (N, 1, H, W); `record`: see `walk`.

        The image is padded with black before the univariate layer, so that an activation with
        activation(0) != 0 sees it at the border, too.
        """
        x = F.pad(torch.from_numpy(images).double() / 255, (1, 1, 1, 1))
        if self.stem is not None:
            x = ACTIVATIONS[self.activation](x * self.stem[:, None, None])

        def layer(conv: Conv, x):
            z = F.conv2d(x, self.weights[conv.tensor], stride=conv.stride,
                         padding=0 if conv.source == 0 else conv.pad)  # fmt: skip
            gain, bias = self.gains[conv.norm], self.biases[conv.norm]
            return z * gain[:, None, None] + bias[:, None, None]

        return walk(self.arch, layer, x, ACTIVATIONS[self.activation], self.residual, record)


def used(arch: Architecture, residual: bool) -> list[Conv]:
    """The executed layers of a target: all but the stem and, without residuals, the shortcuts."""
    return [c for c in arch.layers[1:] if residual or c.relu or c.classifier]


def walk(arch: Architecture, layer: Callable, x, activation: Callable, residual: bool,
         record: dict | None = None):  # fmt: skip
    """Logits, with layer(conv, x) for every convolution; `record[i]` becomes layer i's output."""
    outputs = {0: x}
    for conv in used(arch, residual):
        x = outputs[conv.source]
        if conv.classifier:
            return layer(conv, x.mean((2, 3), keepdim=True)).flatten(1)
        x = layer(conv, x)
        if residual and conv.residual:  # 0 is the stem's output
            x = x + outputs[conv.residual]
        outputs[conv.norm] = activation(x) if conv.relu else x
        if record is not None:
            record[conv.norm] = outputs[conv.norm]


class _Trainable(nn.Module):
    def __init__(self, arch: Architecture, activation: str, residual: bool):
        super().__init__()
        self.arch, self.activation, self.residual = arch, ACTIVATIONS[activation], residual
        self.convs = nn.ModuleList(
            nn.Conv2d(arch.in_channels if c.source == 0 else c.cin, c.cout, c.kernel, c.stride,
                      c.pad, bias=False)
            for c in arch.tensors
        )  # fmt: skip
        self.norms = nn.ModuleList(nn.BatchNorm2d(c.cout) for c in arch.layers[:-1])

    def forward(self, x):
        def layer(conv, x):
            x = self.convs[conv.tensor](x)
            return x if conv.classifier else self.norms[conv.norm](x)

        return walk(self.arch, layer, x, self.activation, self.residual)


def train(kind: str, activation: str, data: Dataset, *, epochs: int, seed: int) -> Network:
    """A target of KINDS, trained with Adam on one-channel images; the same for the same seed.

    Its weights are scaled to a largest magnitude of 1 for every output channel (of the whole
    classifier, whose logits have no gains of their own).
    """
    torch.manual_seed(seed)
    arch = Architecture.parse(KINDS[kind], classes=len(data.class_names), in_channels=1,
                              image_size=data.train_images.shape[-1])  # fmt: skip
    model = _Trainable(arch, activation, kind == "residual")
    images = torch.from_numpy(data.train_images).float() / 255
    labels = torch.from_numpy(data.train_labels)
    batch = 64
    steps = epochs * (len(images) // batch)
    optimiser = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.02, total_steps=max(steps, 1))
    for step in range(steps):
        if step % (steps // epochs) == 0:
            order = torch.randperm(len(images))
        some = order[step % (steps // epochs) * batch :][:batch]
        loss = F.cross_entropy(model(images[some]), labels[some])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return _folded(model.double().eval(), activation)


@torch.no_grad()
def _folded(model: _Trainable, activation: str) -> Network:
    arch = model.arch
    layers = used(arch, model.residual)
    weights, tops = [None] * len(arch.tensors), [None] * len(arch.tensors)
    gains, biases = [None] * len(arch.layers), [None] * len(arch.layers)
    for conv in layers:
        weight = model.convs[conv.tensor].weight
        top = weight.abs().amax((1, 2, 3)) if not conv.classifier else weight.abs().max()
        tops[conv.tensor], weights[conv.tensor] = top, weight / top.reshape(-1, 1, 1, 1)
    for conv in layers:
        scale, shift = torch.ones(conv.cout).double(), torch.zeros(conv.cout).double()
        if not conv.classifier:
            norm = model.norms[conv.norm]
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            shift = norm.bias - norm.running_mean * scale
        gains[conv.norm], biases[conv.norm] = tops[conv.tensor] * scale, shift
    return Network(arch=arch, activation=activation, residual=model.residual, weights=weights,
                   gains=gains, biases=biases)  # fmt: skip


def accuracy(logits: torch.Tensor, labels: np.ndarray) -> float:
    """Fraction of images whose largest logit is the label's."""
    return float((logits.argmax(1).numpy() == labels).mean())
