"""What a network executes, step by step, and the maps of activations between the steps.

A step is a convolution or the max-pooling behind one; a map is what it leaves. Lengths are those of
docs/architecture.md, Memory layouts: words of a bank, beats of the bus.
"""

from dataclasses import dataclass, field
from math import gcd

from ..config import Config
from ..images import PIXEL_BYTES
from ..network import Architecture, Conv
from ..ticket import IMAGE_BITS

POOL_KERNEL, POOL_STRIDE, POOL_PAD = 3, 2, 1


@dataclass(frozen=True, kw_only=True)
class Map:
    """Activations of one image. The network's input is one too, with its taps side by side.

    `memory_row` of `memory_beat`: what part of a bus beat a row in memory is (and for all but the
    input, which lies there pixel after pixel, a row of one group in a bank).
    """

    name: str = field(compare=False)
    channels: int
    height: int
    width: int
    bits: int
    groups: int
    beat_words: int
    memory_row: int
    memory_beat: int
    image: bool = False

    @property
    def row_words(self) -> int:
        return self.width * self.bits

    @property
    def memory_groups(self) -> int:
        return 1 if self.image else self.groups

    @property
    def grain(self) -> int:
        """Bands begin at multiples of so many rows: there, they begin at whole beats."""
        return self.memory_beat // gcd(self.memory_beat, self.memory_row)

    @property
    def size(self) -> int:
        """Beats of the map in memory."""
        return self.memory_groups * self.beats(self.height)

    def stride(self, rows: int) -> int:
        """Words from group to group of a band: whole beats."""
        return -(-rows * self.row_words // self.beat_words) * self.beat_words

    def rows_in(self, words: int, groups: int) -> int:
        """Rows of so many groups that fit."""
        return words // groups // self.beat_words * self.beat_words // self.row_words

    def beats(self, rows: int) -> int:
        """Beats of a group's rows in memory (of the input: of its rows)."""
        return -(-rows * self.memory_row // self.memory_beat)


@dataclass(frozen=True, kw_only=True)
class Step:
    """A convolution, or the pooling behind it (`pooled`). Maps are given by number, 0 the input.

    Output row y reads source rows y * stride - pad ... + kernel - 1. The classifier has no output
    map; its rows are those that it sums over.
    """

    name: str
    conv: Conv
    pooled: bool
    source: int
    residual: int | None
    output: int | None
    kernel: int
    stride: int
    pad: int
    rows: int

    @property
    def operands(self) -> tuple[int, int | None, int | None]:
        """Source, residual and output."""
        return self.source, self.residual, self.output


def steps(arch: Architecture, bits, config: Config) -> tuple[tuple[Step, ...], tuple[Map, ...]]:
    """The steps in order and the maps; `bits`: of every layer's output but the classifier's."""
    beat = config.axi_data_width // config.group

    def new(name, channels, size, a, width=None, image=False):
        """The number of a new map."""
        width = size if width is None else width
        row, whole = (size * PIXEL_BYTES, config.bus_bytes) if image else (width * a, beat)
        maps.append(Map(name=name, channels=channels, height=size, width=width, bits=a,
                        groups=-(-channels // config.group), beat_words=beat, memory_row=row,
                        memory_beat=whole, image=image))  # fmt: skip
        return len(maps) - 1

    maps, found = [], []
    stem = arch.layers[0]
    new("image", stem.kernel * stem.cin, arch.image_size, IMAGE_BITS, stem.out_size, True)
    numbers = {-1: 0}  # of the map that a layer's readers see
    for conv in arch.layers:
        name, output = conv.name, None
        if not conv.classifier:
            a = int(bits[conv.norm])
            output = new(name, conv.cout, conv.out_size, a)
        found.append(Step(
            name=name, conv=conv, pooled=False, source=numbers[conv.source],
            residual=None if conv.residual is None else numbers[conv.residual], output=output,
            kernel=conv.kernel, stride=conv.stride, pad=conv.pad, rows=conv.out_size,
        ))  # fmt: skip
        if conv.max_pool:
            pooled = new(f"{name}.pool", conv.cout, conv.map_size, a)
            found.append(Step(
                name=f"{name}.pool", conv=conv, pooled=True, source=output, residual=None,
                output=pooled, kernel=POOL_KERNEL, stride=POOL_STRIDE, pad=POOL_PAD,
                rows=conv.map_size,
            ))  # fmt: skip
            output = pooled
        numbers[conv.norm] = output
    return tuple(found), tuple(maps)
