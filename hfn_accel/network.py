"""The architecture of a folded residual network and its layers in execution order.

Follows the official Hidden-Fold Network model: a stem convolution, stages of basic residual
blocks, global average pooling and a 1x1 convolution as classifier. The first block of a stage
(the projection block) is never folded; in a folded stage, blocks 2...N are one block iterated
N - 1 times, with normalisation of its own for every iteration.
"""

import re
from dataclasses import dataclass, replace
from functools import cached_property

from .errors import HfnError

_STAGE = re.compile(r"(\d{1,6})x(\d{1,6})(f?)")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """`blocks` basic blocks of `width` channels; `folded`: blocks 2...N share their weights."""

    width: int
    blocks: int
    folded: bool = False

    def __str__(self):
        return f"{self.width}x{self.blocks}{'f' if self.folded else ''}"


@dataclass(frozen=True, kw_only=True)
class Conv:
    """One executed convolution.

    `tensor` names the weights (address `t` of the sequence); iterations of a folded block repeat
    it. `norm` counts executed convolutions, each of which has normalisation parameters of its
    own. `source` and `residual` are the `norm` indices of the layers whose outputs are read, -1
    for the image, and None for no residual.
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

    @property
    def pad(self) -> int:
        """Zero padding on every side, in pixels."""
        return self.kernel // 2

    @property
    def out_size(self) -> int:
        """Output height and width in pixels, before the classifier's pooling."""
        return (self.in_size + 2 * self.pad - self.kernel) // self.stride + 1

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


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Shape of a folded residual network; hashable, comparable, written as one short string.

    Raises HfnError for shapes that no network has.
    """

    stages: tuple[Stage, ...]
    classes: int
    in_channels: int = 3
    image_size: int = 32

    def __post_init__(self):
        if not self.stages:
            raise HfnError("architecture needs at least one stage")
        for name, value, high in (
            ("classes", self.classes, 1024),
            ("in_channels", self.in_channels, 4),
            ("image_size", self.image_size, 1024),
            *(("stage width", s.width, 4096) for s in self.stages),
            *(("blocks of a stage", s.blocks, 128) for s in self.stages),
        ):
            if type(value) is not int or not 1 <= value <= high:
                raise HfnError(f"{name} must be an integer from 1 to {high}, not {value!r}")

    @classmethod
    def parse(cls, text: str, **shape) -> "Architecture":
        """`32x1,64x2f,128x3f`: width x blocks per stage, `f` for a folded stage."""
        stages = []
        for part in text.split(","):
            match = _STAGE.fullmatch(part.strip())
            if not match:
                raise HfnError(
                    f"architecture must be WIDTHxBLOCKS[f],... such as 32x1,64x2f, not {text!r}"
                )
            width, blocks, folded = match.groups()
            stages.append(Stage(width=int(width), blocks=int(blocks), folded=bool(folded)))
        return cls(stages=tuple(stages), **shape)

    def __str__(self):
        return ",".join(map(str, self.stages))

    def unfolded(self) -> "Architecture":
        """The same computation with weights of its own for every block."""
        return replace(self, stages=tuple(replace(s, folded=False) for s in self.stages))

    @cached_property
    def layers(self) -> tuple[Conv, ...]:
        """The executed convolutions in order; the stem is first, the classifier last."""
        return tuple(_layers(self))

    @cached_property
    def tensors(self) -> tuple[Conv, ...]:
        """The first execution of each weight tensor; index = tensor number."""
        first = {}
        for layer in self.layers:
            first.setdefault(layer.tensor, layer)
        return tuple(first[t] for t in sorted(first))


def _layers(arch: Architecture):
    tensor = norm = 0
    size, cin = arch.image_size, arch.in_channels

    def conv(name, number, cout, kernel, stride, source, **kw):
        nonlocal norm
        layer = Conv(name=name, tensor=number, norm=norm, cin=cin, cout=cout, kernel=kernel,
                     stride=stride, in_size=size, source=source, **kw)  # fmt: skip
        norm += 1
        return layer

    stem = conv("stem", tensor, arch.stages[0].width, 3, 1, -1)
    yield stem
    x, cin, tensor = stem.norm, stem.cout, tensor + 1
    for s, stage in enumerate(arch.stages, 1):
        for b in range(stage.blocks):
            stride = 2 if s > 1 and b == 0 else 1
            project = stride != 1 or cin != stage.width
            again = stage.folded and b > 1
            if again:
                tensor -= 2  # the folded block's two tensors once more
            folded = stage.folded and b > 0
            name = f"stage{s}.folded" if folded else f"stage{s}.block{b + 1}"
            suffix = f"[{b}]" if folded else ""
            conv1 = conv(f"{name}.conv1{suffix}", tensor, stage.width, 3, stride, x, folded=folded)
            yield conv1
            residual = x
            if project:
                shortcut = conv(f"{name}.shortcut", tensor + 2, stage.width, 1, stride, x,
                                relu=False)  # fmt: skip
                yield shortcut
                residual = shortcut.norm
            size, cin = conv1.out_size, stage.width
            conv2 = conv(f"{name}.conv2{suffix}", tensor + 1, stage.width, 3, 1, conv1.norm,
                         residual=residual, folded=folded)  # fmt: skip
            yield conv2
            x = conv2.norm
            tensor += 3 if project else 2
    yield conv("classifier", tensor, arch.classes, 1, 1, x, relu=False, classifier=True)
