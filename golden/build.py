"""From a recipe to the network that it searches."""

import torch

from hfn_accel.network import Architecture
from hfn_accel.recipe import Recipe

from . import methods, weights
from .data import Dataset
from .network import FoldedResNet


def architecture(recipe: Recipe, data: Dataset) -> Architecture:
    """The recipe's architecture for a data set's images and classes."""
    _, channels, size, _ = data.train_images.shape
    return Architecture.parse(recipe.arch, classes=len(data.class_names), in_channels=channels,
                              image_size=size)  # fmt: skip


def build(recipe: Recipe, arch: Architecture) -> FoldedResNet:
    """The network before its search; the same for the same recipe. Seeds PyTorch's generator.

    Raises HfnError for what the recipe asks of a layer that the layer cannot have.
    """
    torch.manual_seed(recipe.seed)
    return FoldedResNet(
        arch, method=methods.make(recipe, arch), weights=weights.make(recipe.weights, recipe.seed),
        bits=recipe.layer_bits(arch), scales=recipe.scales, norms=recipe.norms,
    )  # fmt: skip
