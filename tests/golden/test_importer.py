"""PyTorch modules as networks: folds from shared parameters, residuals, and what is refused."""

import sys

import pytest
import torch
from torch import nn

from golden.build import build
from golden.importer import graph_of
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.estimator import estimate_network
from hfn_accel.network import Architecture
from hfn_accel.networks import named
from hfn_accel.recipe import Recipe

SHAPE = ("norm", "cin", "cout", "kernel", "stride", "in_size", "source", "residual", "relu",
         "classifier", "max_pool", "macs")  # fmt: skip


@pytest.mark.parametrize("arch", [
    Architecture.parse("imagenet:8x2,16x3bf", classes=10, image_size=32),
    Architecture.parse("8x3f,16x2f,20x4b2f", classes=7, image_size=16, in_channels=2),
    named("hfn-resnet50", "cifar100"),
], ids=str)  # fmt: skip
def test_golden_network(arch):
    """The golden model comes back as its architecture: same layers, folds, cycles and bytes."""
    bits = [8] * (len(arch.layers) - 1)
    module = build(Recipe(dataset="digits", arch=str(arch)), arch)
    graph = graph_of(module, arch.in_channels, arch.image_size)
    pairs = {}
    for ours, found in zip(arch.layers, graph.layers, strict=True):
        assert {n: getattr(found, n) for n in SHAPE} == {n: getattr(ours, n) for n in SHAPE}
        assert pairs.setdefault(ours.tensor, found.tensor) == found.tensor
    assert len(set(pairs.values())) == len(arch.tensors) == len(graph.tensors)
    for config in (Config(), Config(activation_bytes=1 << 14, mask_bytes=1 << 15)):
        a, b = (estimate_network(net, bits, config, 16) for net in (arch, graph))
        assert a.cycles_by_cause == b.cycles_by_cause and a.bytes_by_class == b.bytes_by_class


class Block(nn.Module):
    """As in torchvision: the shortcut comes last."""

    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.downsample = None
        if stride != 1 or cin != cout:
            self.downsample = nn.Sequential(nn.Conv2d(cin, cout, 1, stride), nn.BatchNorm2d(cout))

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self, blocks=(2, 2, 2, 2), width=64, classes=1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(width), nn.ReLU()
        self.maxpool, layers, cin = nn.MaxPool2d(3, 2, 1), [], width
        for i, count in enumerate(blocks):
            for b in range(count):
                layers.append(Block(cin, width << i, 2 if i and not b else 1))
                cin = width << i
        self.layers, self.avgpool = nn.Sequential(*layers), nn.AdaptiveAvgPool2d(1)
        self.dropout, self.fc = nn.Dropout(), nn.Linear(cin, classes)

    def forward(self, x):
        x = self.layers(self.maxpool(self.relu(self.bn1(self.conv1(x)))))
        return self.fc(self.dropout(torch.flatten(self.avgpool(x), 1)))


def test_resnet18():
    """ResNet-18 as everybody writes it is ours, layer for layer, without folding."""
    graph = graph_of(ResNet(), 3, 224, name="resnet18")
    ours = named("hfn-resnet18", "imagenet").unfolded()
    assert sum(conv.macs for conv in graph.layers) == 1_814_073_344
    for a, b in zip(ours.layers, graph.layers, strict=True):
        assert {n: getattr(a, n) for n in SHAPE} == {n: getattr(b, n) for n in SHAPE}
    assert graph.layers[0].name == "conv1" and graph.layers[-1].name == "fc"
    assert graph.layers[8].name == "layers.3.conv1" and str(graph) == "resnet18"


class Folded(nn.Module):
    """A block that is called again, or one with another's parameters."""

    def __init__(self, alias: bool):
        super().__init__()
        self.stem, self.block = nn.Conv2d(3, 8, 3, 1, 1), Block(8, 8, 1)
        self.again = Block(8, 8, 1) if alias else self.block
        if alias:
            for name in ("conv1", "conv2"):
                getattr(self.again, name).weight = getattr(self.block, name).weight
        self.head = nn.Conv2d(8, 4, 1)

    def forward(self, x):
        x = self.again(self.block(self.stem(x).relu()))
        return self.head(x.mean((2, 3), keepdim=True)).flatten(1)


@pytest.mark.parametrize("alias", [False, True])
def test_folds(alias):
    graph = graph_of(Folded(alias), 3, 8)
    assert [conv.tensor for conv in graph.layers] == [0, 1, 2, 1, 2, 3]
    assert [conv.folded for conv in graph.layers] == [False, *[True] * 4, False]
    assert [conv.name for conv in graph.layers][1:4:2] == [
        "block.conv1[1]", "again.conv1[2]"]  # fmt: skip


def head(*layers, width=8):
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 4))


class Lambda(nn.Module):
    def __init__(self, function, *children):
        super().__init__()
        self.function, self.children_ = function, nn.ModuleList(children)

    def forward(self, x):
        return self.function(x, *self.children_)


@pytest.mark.parametrize("module, message", [
    (head(nn.Conv2d(3, 8, 3, 1, 1), nn.GELU()), r"1 \(gelu\): gelu is no layer"),
    (head(nn.Conv2d(3, 6, 3, 1, 1, groups=3), width=6), r"0 \(conv2d\): 3 groups: every lane"),
    (head(nn.Conv2d(3, 8, 3, 1, 2, dilation=2)), "it is dilated"),
    (head(nn.Conv2d(3, 8, 3, 3, 1)), r"stride \[3, 3\]: must be 1 or 2"),
    (head(nn.Conv2d(3, 8, 3, 1, 0)), r"padding \[0, 0\]: kernels must be square and odd"),
    (head(nn.Conv2d(3, 8, (3, 1), 1, (1, 0))), r"kernel \[3, 1\]"),
    (head(nn.Conv2d(3, 8, 4, 2, 2)), r"kernel \[4, 4\]"),
    (head(nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU(), nn.BatchNorm2d(8)), "a normalisation must directly"),
    (head(nn.BatchNorm2d(3), nn.Conv2d(3, 8, 3, 1, 1)), "a normalisation without a convolution"),
    (head(nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2)), "max pooling must be 3x3"),
    (head(nn.Conv2d(3, 8, 3, 1, 1), nn.MaxPool2d(3, 2, 1)), "max pooling must follow a rectified"),
    (head(nn.Conv2d(3, 8, 3, 1, 1), nn.AvgPool2d(2)), "average pooling must be global"),
    (head(nn.ConvTranspose2d(3, 8, 3, 1, 1)), "conv_transpose2d is no layer"),
    (nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), "flatten is no layer"),
    (nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU()), "its output must be that of a 1x1"),
    (head(Lambda(lambda x, c: torch.cat([c(x), x], 1), nn.Conv2d(3, 5, 1))), "cat is no layer"),
    (head(Lambda(lambda x, c: c(x).relu() + x, nn.Conv2d(3, 3, 1)), width=3),
     "one of two added maps"),
    (head(Lambda(lambda x, c: c(x) * x, nn.Conv2d(3, 3, 1)), width=3), "mul is no layer"),
    (Lambda(lambda x: x if x.sum() > 0 else -x), "Lambda cannot be traced"),
    (Lambda(lambda x: None), "must return one tensor"),
    (Lambda(lambda x, c: (c(x), c(x)), nn.Conv2d(3, 4, 1)), "must return one tensor"),
    (Lambda(lambda x: sys.exit(0)), "Lambda cannot be traced"),
    (head(nn.Conv2d(3, 8, 3, 1, 1), nn.Sigmoid()), "sigmoid is no layer"),
    (head(nn.Conv2d(3, 8, 3, 1, 1), nn.Hardtanh()), "a rectifier must cut at 0, not at -1"),
    (head(Lambda(lambda x, a, b: a(x) + b(x), nn.Conv2d(3, 8, 1), nn.Conv2d(3, 1, 1))),
     "added maps must have the same shape"),
    (head(Lambda(lambda x, a, b: torch.add(a(x), b(x), alpha=3), *(nn.Conv2d(3, 8, 1)
                                                                  for _ in range(2)))),
     "only two maps can be added, as they are"),
    (Lambda(lambda x, a, b: b(a(x).mean((1, 2), keepdim=True)), nn.Conv2d(3, 8, 1),
            nn.Conv2d(1, 4, 1)), "average pooling must be global"),
])  # fmt: skip
def test_refusals(module, message, capfd):
    with pytest.raises(HfnError, match=message) as caught:
        graph_of(module, 3, 8)
    assert "\n" not in str(caught.value) and not capfd.readouterr().err


@pytest.mark.parametrize("channels, size", [(5, 8), (0, 8), (3, 0), (3, 1025), (-1, 8)])
def test_images(channels, size):
    with pytest.raises(HfnError, match="of the images must be from 1 to"):
        graph_of(ResNet(), channels, size)


def test_average_pooling_of_all_pixels():
    """However it is written: as CIFAR networks have it, too."""
    body = nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU6(), nn.AvgPool2d(8), nn.Flatten(), nn.Linear(8, 4)
    graph = graph_of(nn.Sequential(*body), 3, 8)
    assert [conv.classifier for conv in graph.layers] == [False, True]
