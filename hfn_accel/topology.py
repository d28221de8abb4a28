"""Topology files of SCALE-Sim: the layers of a network as CSV, one a row.

Three headers are known (SHAPE: IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels,
Num Filter), each with an optional column `Sparsity` at its end:

    Layer name, SHAPE, Strides,
    Layer name, SHAPE, Stride Height, Stride Width,    (SCALE-Sim 2; version 3.0.0 fails on it)
    Layer, M, N, K,                                    (GEMM: M x K inputs times K x N weights)

Capitals, plurals, spaces and the comma behind the last field may differ; a last field that starts
with # is a comment. SCALE-Sim itself ignores the header and goes by position. Source of the format:
`scalesim/topology_utils.py` of SCALE-Sim 2 and 3.0.0.
"""

import re
from dataclasses import astuple, dataclass
from pathlib import Path

from .errors import HfnError
from .files import atomic_write, read_bytes
from .network import Architecture, Conv

MAX_SIZE = 1 << 24  # of every column: beyond any layer's

_SHAPE = ("IFMAP Height", "IFMAP Width", "Filter Height", "Filter Width", "Channels", "Num Filter")
_SQUARE = (*_SHAPE, "Strides")
_RECTANGULAR = (*_SHAPE, "Stride Height", "Stride Width")
_GEMM = ("M", "N", "K")
_SPARSITY = re.compile(r"([1-9][0-9]*):([1-9][0-9]*)")
_DEPTHWISE = "DP"  # SCALE-Sim splits a row of such a name into one layer a channel


@dataclass(frozen=True)
class Layer:
    """One convolution without padding of its own: the input map holds it already.

    ifmap_height, ifmap_width: pixels of the input map; filter_height, filter_width: taps;
    channels, filters: channels of input and output; stride_height, stride_width: in pixels.
    Raises HfnError unless all are integers from 1 to MAX_SIZE, the filter is within the map and
    the name is one that a row can hold.
    """

    name: str
    ifmap_height: int
    ifmap_width: int
    filter_height: int
    filter_width: int
    channels: int
    filters: int
    stride_height: int = 1
    stride_width: int = 1

    def __post_init__(self):
        if not self.name or self.name != self.name.strip() or not self.name.isprintable() \
                or "," in self.name:  # fmt: skip
            raise HfnError(f"layer name must be printable, without commas, not {self.name!r:.60}")
        _check_sizes(_RECTANGULAR, self.sizes)
        for side, taps, pixels in (
            ("Height", self.filter_height, self.ifmap_height),
            ("Width", self.filter_width, self.ifmap_width),
        ):
            if taps > pixels:
                raise HfnError(f"Filter {side} {taps} is larger than IFMAP {side} {pixels}")

    @classmethod
    def gemm(cls, name: str, m: int, n: int, k: int) -> "Layer":
        """M x K inputs times K x N weights: a filter of 1 x K taps on a map of M x K pixels."""
        _check_sizes(_GEMM, (m, n, k))
        return cls(name, m, k, 1, k, 1, n)

    @classmethod
    def of_conv(cls, conv: Conv) -> "Layer":
        """An executed convolution; of the padded map the part that its windows cover."""
        pixels = 1 if conv.classifier else conv.out_size
        size = (pixels - 1) * conv.stride + conv.kernel
        layer = cls(conv.name, size, size, conv.kernel, conv.kernel, conv.cin, conv.cout,
                    conv.stride, conv.stride)  # fmt: skip
        assert layer.macs == conv.macs, conv
        return layer

    @property
    def sizes(self) -> tuple[int, ...]:
        """All numbers, in the order of a row with two strides."""
        return astuple(self)[1:]

    @property
    def out_height(self) -> int:
        return _windows(self.ifmap_height, self.filter_height, self.stride_height)

    @property
    def out_width(self) -> int:
        return _windows(self.ifmap_width, self.filter_width, self.stride_width)

    @property
    def pixels(self) -> int:
        """Output pixels P."""
        return self.out_height * self.out_width

    @property
    def fan_in(self) -> int:
        """Products of one output, K."""
        return self.filter_height * self.filter_width * self.channels

    @property
    def macs(self) -> int:
        return self.pixels * self.fan_in * self.filters

    @property
    def ifmap_words(self) -> int:
        """Words of the input map that some output reads, padding included."""
        height = _covered(self.ifmap_height, self.filter_height, self.stride_height)
        width = _covered(self.ifmap_width, self.filter_width, self.stride_width)
        return height * width * self.channels

    @property
    def filter_words(self) -> int:
        return self.fan_in * self.filters

    @property
    def ofmap_words(self) -> int:
        return self.pixels * self.filters


@dataclass(frozen=True)
class Topology:
    """Layers in execution order; their names may repeat. Raises HfnError if there are none."""

    name: str
    layers: tuple[Layer, ...]

    def __post_init__(self):
        if not self.layers:
            raise HfnError(f"topology {self.name} has no layers")

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)


def of_network(arch: Architecture) -> Topology:
    """Every executed convolution: the iterations of a folded block are rows of their own.

    Max-pooling and residual additions have no row in this format.
    """
    return Topology(str(arch), tuple(map(Layer.of_conv, arch.layers)))


def read(path: str | Path) -> Topology:
    """A topology named like the file.

    Raises HfnError, naming file, line and column, for what is not such a file, and for layers that
    are sparse or depthwise.
    """
    try:
        lines = read_bytes(path).decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise HfnError(f"{path} is not a text file in UTF-8") from None
    form, layers = None, []
    for number, line in enumerate(lines, 1):
        cells = _cells(line)
        if not cells:
            continue
        try:
            if form is None:
                form = _form(cells)
            else:
                layers.append(_layer(form, cells))
        except HfnError as error:
            raise HfnError(f"{path}:{number}: {error}") from None
    if not layers:
        raise HfnError(f"{path}: no {'header' if form is None else 'layers'}")
    return Topology(Path(path).stem, tuple(layers))


def write(path: str | Path, topology: Topology):
    """A file of convolutions that SCALE-Sim reads; matrix products too, as what they are to it.

    If a layer's two strides differ, the form of SCALE-Sim 2. Raises HfnError for a name that
    SCALE-Sim would take for a depthwise layer.
    """
    square = all(layer.stride_height == layer.stride_width for layer in topology.layers)
    titles = _SQUARE if square else _RECTANGULAR
    rows = [("Layer name", *titles)]
    for layer in topology.layers:
        _check_name(layer.name)
        rows.append((layer.name, *layer.sizes[: len(titles)]))
    atomic_write(path, "".join(",".join(map(str, row)) + ",\n" for row in rows).encode())


def _windows(size: int, taps: int, stride: int) -> int:
    """Windows along one axis; as to SCALE-Sim, a last one that the map's edge cuts off counts."""
    return -(-(size - taps) // stride) + 1


def _covered(size: int, taps: int, stride: int) -> int:
    """Positions of one axis that lie within some window; the last may be all beyond the edge."""
    last = _windows(size, taps, stride) - 1
    return last * min(stride, taps) + max(min(taps, size - last * stride), 0)


def _check_sizes(titles, values):
    for title, value in zip(titles, values, strict=True):
        if type(value) is not int or not 1 <= value <= MAX_SIZE:
            raise HfnError(f"{title} must be an integer from 1 to {MAX_SIZE}, not {value!r:.40}")


def _check_name(name: str):
    if _DEPTHWISE in name:
        raise HfnError(f"layer {name!r}: depthwise, which {_DEPTHWISE} in a name means to "
                       "SCALE-Sim: only ordinary convolutions are supported")  # fmt: skip


def _cells(line: str) -> list[str]:
    """The fields of a line, without the empty one or the comment behind the last comma."""
    cells = [cell.strip() for cell in line.split(",")]
    return cells[:-1] if not cells[-1] or cells[-1].startswith("#") else cells


def _form(cells: list[str]) -> tuple[str, ...]:
    """The columns behind the name that a header announces, but for the sparsity."""

    def plain(titles):
        return [" ".join(title.lower().split()).removesuffix("s") for title in titles]

    first, *rest = plain(cells)
    if rest and rest[-1] in ("sparsity", "sparsitysupport"):
        rest.pop()
    for form in (_SQUARE, _RECTANGULAR, _GEMM):
        if first in ("layer", "layer name") and rest == plain(form):
            return form
    raise HfnError(f"header must be Layer name, {', '.join(_SQUARE)} or Layer, {', '.join(_GEMM)}, "
                   f"not {', '.join(cells)[:80]!r}")  # fmt: skip


def _layer(form: tuple[str, ...], cells: list[str]) -> Layer:
    name, *texts = cells
    if form != _GEMM:
        _check_name(name)
    try:
        if len(texts) > len(form) and ":" in texts[-1]:
            _check_dense(texts.pop())
        if len(texts) != len(form):
            missing = f": no {form[len(texts)]}" if len(texts) < len(form) else ""
            raise HfnError(f"{len(texts)} numbers where the header has {len(form)}{missing}")
        sizes: list = [int(t) if re.fullmatch("[0-9]{1,18}", t) else t for t in texts]
        _check_sizes(form, sizes)
        if form == _GEMM:
            return Layer.gemm(name, *sizes)
        return Layer(name, *sizes, *(sizes[-1:] if form == _SQUARE else ()))
    except HfnError as error:
        raise HfnError(f"layer {name!r:.80}: {error}") from None


def _check_dense(text: str):
    match = _SPARSITY.fullmatch(text)
    if not match:
        raise HfnError(f"Sparsity must be N:M, not {text!r:.40}")
    if match[1] != match[2]:
        raise HfnError(f"Sparsity {text}: only dense layers, 1:1, are supported")
