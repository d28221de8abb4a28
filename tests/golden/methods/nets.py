"""Small networks of recipes, for the tests of methods."""

import torch

from golden.build import build
from golden.network import FoldedResNet, MaskedConv2d
from golden.weights import Weights
from hfn_accel.network import Architecture, Conv
from hfn_accel.recipe import Recipe

ARCH = Architecture.parse("4x1,6x3f", classes=5, in_channels=2, image_size=8)


def recipe(**fields) -> Recipe:
    return Recipe(**{"dataset": "digits", "arch": str(ARCH), "density": 0.3, "seed": 7} | fields)


def net(arch: Architecture = ARCH, **fields) -> FoldedResNet:
    return build(recipe(arch=str(arch), **fields), arch)


def layer(method, scores: torch.Tensor, kernel: int = 1, seed: int = 7) -> MaskedConv2d:
    """One layer with scores (cout, cin, k, k)."""
    cout, cin = scores.shape[:2]
    conv = Conv(name="conv", tensor=0, norm=0, cin=cin, cout=cout, kernel=kernel, stride=1,
                in_size=4, source=-1)  # fmt: skip
    made = MaskedConv2d(conv, method, Weights(seed))
    with torch.no_grad():
        made.scores.copy_(scores)
    return made


def gradient(method, layers, upstream):
    """Effective weights of layers, and their scores' gradients for gradients of the weights."""
    weights = method.weights(layers)
    torch.autograd.backward(weights, upstream)
    return [w.detach() for w in weights], [made.scores.grad for made in layers]
