"""The architecture of a folded residual network and its layers in execution order.

Follows the official Hidden-Fold Network model: a stem convolution, stages of residual blocks,
global average pooling and a 1x1 convolution as classifier. The first block of a stage (the
projection block) is never folded; in a folded stage, blocks 2...N are one block iterated N - 1
times, with normalisation of its own for every iteration.
"""

import re
from dataclasses import dataclass, replace
from functools import cached_property

from .errors import HfnError

_STAGE = re.compile(r"(\d{1,6})x(\d{1,6})(b(\d?))?(f?)")
_EXPANSION = 4  # a bottleneck block has 4 times its stage's width at its end
STEMS = {"cifar": (3, 1), "imagenet": (7, 2)}  # kernel, stride


@dataclass(frozen=True, kw_only=True)
class Stage:
    """`blocks` residual blocks; `folded`: blocks 2...N share their weights.

    A basic block is two 3x3 convolutions of `width` channels. A `bottleneck` block is a 1x1
    convolution to the inner channels, a 3x3 (with the block's stride) and a 1x1 to 4 * width;
    the inner channels are width * `widening` (2 in Wide ResNet-50-2).
    """

    width: int
    blocks: int
    folded: bool = False
    bottleneck: bool = False
    widening: int = 1

    @property
    def inner_width(self) -> int:
        return self.width * self.widening

    @property
    def out_width(self) -> int:
        """Channels that leave every block."""
        return self.width * (_EXPANSION if self.bottleneck else 1)

    def __str__(self):
        kind = f"b{self.widening if self.widening > 1 else ''}" if self.bottleneck else ""
        return f"{self.width}x{self.blocks}{kind}{'f' if self.folded else ''}"


@dataclass(frozen=True, kw_only=True)
class Conv:
    """One executed convolution.

    `tensor` names the weights (address `t` of the sequence); iterations of a folded block repeat
    it. `norm` counts executed convolutions, each of which has normalisation parameters of its
    own. `source` and `residual` are the `norm` indices of the layers whose outputs are read, -1
    for the image, and None for no residual. With `max_pool`, a 3x3 maximum of stride 2 and
    padding 1 follows, and its map is what others read.
    """

    name: str
    tensor: int
    norm: int
    cin: int
    cout: int
    kernel: int
    stride: int
    in_size: int
    source: int
    residual: int | None = None
    relu: bool = True
    folded: bool = False
    classifier: bool = False
    max_pool: bool = False

    @property
    def pad(self) -> int:
        """Zero padding on every side, in pixels."""
        return self.kernel // 2

    @property
    def out_size(self) -> int:
        """Height and width of the convolution's output in pixels, before any pooling."""
        return (self.in_size + 2 * self.pad - self.kernel) // self.stride + 1

    @property
    def map_size(self) -> int:
        """Height and width of what the layers behind read: after the max pooling, if any."""
        return (self.out_size - 1) // 2 + 1 if self.max_pool else self.out_size

    @property
    def fan_in(self) -> int:
        return self.kernel * self.kernel * self.cin

    @property
    def weights(self) -> int:
        return self.fan_in * self.cout

    @property
    def macs(self) -> int:
        """Multiply-accumulates; the classifier runs on the pooled features."""
        return self.weights * (1 if self.classifier else self.out_size**2)


class Layers:
    """What follows from `layers`, the executed convolutions in order."""

    layers: tuple[Conv, ...]

    @cached_property
    def tensors(self) -> tuple[Conv, ...]:
        """The first execution of each weight tensor; index = tensor number."""
        first: dict[int, Conv] = {}
        for layer in self.layers:
            first.setdefault(layer.tensor, layer)
        return tuple(first[t] for t in sorted(first))


@dataclass(frozen=True, kw_only=True)
class Graph(Layers):
    """Any network of supported convolutions, such as one that was imported: used for planning and
    estimates as an `Architecture` is. The stem is its first layer, the classifier its last."""

    name: str
    layers: tuple[Conv, ...]
    classes: int
    in_channels: int
    image_size: int

    def __str__(self):
        return self.name


@dataclass(frozen=True, kw_only=True)
class Architecture(Layers):
    """Shape of a folded residual network; hashable, comparable, written as one short string.

    `stem`: "cifar" is a 3x3 convolution, "imagenet" a 7x7 of stride 2 with max pooling behind it.
    Raises HfnError for shapes that no network has.
    """

    stages: tuple[Stage, ...]
    classes: int
    in_channels: int = 3
    image_size: int = 32
    stem: str = "cifar"

    def __post_init__(self):
        if not self.stages:
            raise HfnError("architecture needs at least one stage")
        for name, value, high in (
            ("classes", self.classes, 1024),
            ("in_channels", self.in_channels, 4),
            ("image_size", self.image_size, 1024),
            *(("stage width", s.width, 4096) for s in self.stages),
            *(("blocks of a stage", s.blocks, 128) for s in self.stages),
            *(("widening", s.widening, 9 if s.bottleneck else 1) for s in self.stages),
        ):
            if type(value) is not int or not 1 <= value <= high:
                raise HfnError(f"{name} must be an integer from 1 to {high}, not {value!r}")
        if self.stem not in STEMS:
            raise HfnError(f"stem must be {' or '.join(STEMS)}, not {self.stem!r}")

    @classmethod
    def parse(cls, text: str, **shape) -> "Architecture":
        """`32x1,64x2f,128x3f`: width x blocks per stage, `f` for a folded stage.

        `b` before it makes bottleneck blocks, `b2` such with twice the inner channels; a leading
        `imagenet:` chooses that stem: `imagenet:64x3b,128x4b,256x6bf,512x3bf`.
        """
        stages = []
        head, colon, tail = text.partition(":")
        for part in (tail if colon else head).split(","):
            match = _STAGE.fullmatch(part.strip())
            if not match or colon and head != "imagenet":
                raise HfnError(
                    "architecture must be WIDTHxBLOCKS[b[N]][f],... such as 32x1,64x2f "
                    f"or imagenet:64x3b,128x4bf, not {text!r}"
                )
            width, blocks, kind, widening, folded = match.groups()
            stages.append(Stage(width=int(width), blocks=int(blocks), folded=bool(folded),
                                bottleneck=bool(kind), widening=int(widening or 1)))  # fmt: skip
        return cls(stages=tuple(stages), stem=head if colon else "cifar", **shape)

    def __str__(self):
        stem = "" if self.stem == "cifar" else f"{self.stem}:"
        return stem + ",".join(map(str, self.stages))

    def unfolded(self) -> "Architecture":
        """The same computation with weights of its own for every block."""
        return replace(self, stages=tuple(replace(s, folded=False) for s in self.stages))

    @cached_property
    def layers(self) -> tuple[Conv, ...]:  # type: ignore[override]
        """The executed convolutions in order; the stem is first, the classifier last."""
        return tuple(_layers(self))


def _layers(arch: Architecture):
    tensor = norm = 0
    size, cin = arch.image_size, arch.in_channels

    def conv(name, number, cout, kernel, stride, source, **kw):
        nonlocal norm
        layer = Conv(name=name, tensor=number, norm=norm, cin=cin, cout=cout, kernel=kernel,
                     stride=stride, in_size=size, source=source, **kw)  # fmt: skip
        norm += 1
        return layer

    kernel, stride = STEMS[arch.stem]
    stem = conv("stem", tensor, arch.stages[0].width, kernel, stride, -1,
                max_pool=arch.stem == "imagenet")  # fmt: skip
    yield stem
    x, cin, size, tensor = stem.norm, stem.cout, stem.map_size, tensor + 1
    for s, stage in enumerate(arch.stages, 1):
        for b in range(stage.blocks):
            stride = 2 if s > 1 and b == 0 else 1
            project = stride != 1 or cin != stage.out_width
            # kernel, output channels and stride of the block's convolutions
            shapes = [(3, stage.width, stride), (3, stage.width, 1)]
            if stage.bottleneck:
                shapes = [(1, stage.inner_width, 1), (3, stage.inner_width, stride),
                          (1, stage.out_width, 1)]  # fmt: skip
            folded = stage.folded and b > 0
            if folded and b > 1:
                tensor -= len(shapes)  # the folded block's tensors once more
            name = f"stage{s}.folded" if folded else f"stage{s}.block{b + 1}"
            suffix = f"[{b}]" if folded else ""
            source, residual, block_in = x, x, (cin, size)
            for i, (kernel, cout, step) in enumerate(shapes):
                last = i == len(shapes) - 1
                layer = conv(f"{name}.conv{i + 1}{suffix}", tensor + i, cout, kernel, step, source,
                             residual=residual if last else None, folded=folded)  # fmt: skip
                yield layer
                if i == 0 and project:
                    cin, size = block_in
                    shortcut = conv(f"{name}.shortcut", tensor + len(shapes), stage.out_width, 1,
                                    stride, x, relu=False)  # fmt: skip
                    yield shortcut
                    residual = shortcut.norm
                source, cin, size = layer.norm, layer.cout, layer.out_size
            x = source
            tensor += len(shapes) + project
    yield conv("classifier", tensor, arch.classes, 1, 1, x, relu=False, classifier=True)
