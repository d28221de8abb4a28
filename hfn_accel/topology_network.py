"""A topology's layers on this accelerator: each reads its map from memory and writes one there.

A topology says nothing of what lies between its layers, so no map stays on the chip from one to
the next; only the next layer's masks and maps are fetched while one computes. Where the first
layer has at most four channels, its map is an image, whose taps lie side by side in the lanes.
"""

from dataclasses import dataclass

from .config import Config
from .engine import lower
from .engine.records import MAP, STEP, Network, table
from .errors import HfnError
from .estimator import DEFAULT_LATENCY, Estimate, estimate_lowered
from .expected_streams import ExpectedStreams
from .images import PIXEL_BYTES
from .modes import PLAIN
from .networks import DENSITY
from .topology import Layer, Topology

BITS = 8  # of activations, for comparison with other estimators
MAX_STRIDE = 2  # docs/program.md, CONV
_WIDEST = 64  # pixels of a row of a pointwise layer, whose pixels may stand in any rows


@dataclass(frozen=True)
class _Weights:
    """What mask streams depend on, and `engine.messages.step_names`."""

    name: str
    fan_in: int
    cout: int
    max_pool: bool = False


@dataclass(frozen=True)
class _Layers:
    layers: tuple[_Weights, ...]


def estimate_topology(topology: Topology, config: Config, latency: int = DEFAULT_LATENCY,
                      bits: int = BITS, density: float = DENSITY) -> Estimate:  # fmt: skip
    """A run of all layers in order; parts have the layers' names, numbered if not unique.

    bits: of all activations; density: of the masks, coded with the sizes to expect. Raises
    HfnError, naming the layer, for what the core does not compute or the buffers do not hold.
    """
    names = _unique([layer.name for layer in topology.layers])
    shapes = [_shape(layer) for layer in topology.layers]
    steps, maps = table(STEP, len(shapes)), table(MAP, 2 * len(shapes))
    for i, (layer, shape) in enumerate(zip(topology.layers, shapes, strict=True)):
        _lower(i, names[i], layer, shape, steps, maps, bits)
    weights = tuple(_Weights(name, layer.fan_in, layer.filters)
                    for name, layer in zip(names, topology.layers, strict=True))  # fmt: skip
    streams = ExpectedStreams(weights, (PLAIN,) * len(weights), config, density)
    network = Network(steps, maps, *lower.tensor_table(streams, weights, config))
    return estimate_lowered(network, _Layers(weights), config, latency)


def _unique(names: list[str]) -> list[str]:
    seen, found = {}, []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return found


def _shape(layer: Layer) -> Layer:
    """The same products and sums with fewer taps: a filter as wide or as high as its map reads
    channels of one pixel, and the pixels of a pointwise layer may stand in any rows."""
    height, width, taps_y, taps_x, channels, filters, *strides = layer.sizes
    if taps_x == width:
        channels, width, taps_x = channels * taps_x, 1, 1
    if taps_x == width == 1 and taps_y == height:
        channels, height, taps_y = channels * taps_y, 1, 1
    if taps_x == taps_y == 1 and (strides == [1, 1] or height == width == 1):
        pixels, strides = height * width, (1, 1)
        width = max(n for n in range(1, _WIDEST + 1) if pixels % n == 0)
        height = pixels // width
    return Layer(layer.name, height, width, taps_y, taps_x, channels, filters, *strides)


def _lower(i: int, name: str, layer: Layer, shape: Layer, steps, maps, bits: int):
    """Rows of the tables for layer i: its step, its source 2i and its output 2i + 1."""
    if shape.stride_height != shape.stride_width:
        raise HfnError(f"{name}: strides {shape.stride_height} and {shape.stride_width} differ: "
                       "the core has one for rows and columns")  # fmt: skip
    if shape.stride_height > MAX_STRIDE:
        raise HfnError(f"{name}: stride {shape.stride_height}, the limit is {MAX_STRIDE}")
    source, output, step = maps[2 * i], maps[2 * i + 1], steps[i]
    image = i == 0 and shape.channels <= PIXEL_BYTES and shape.ifmap_width > 1
    source.channels = shape.channels * (shape.filter_width if image else 1)
    source.height, source.bits, source.outside = shape.ifmap_height, bits, int(not image)
    source.width = shape.out_width if image else shape.ifmap_width
    source.image, source.image_width = int(image), shape.ifmap_width if image else 0
    output.channels, output.bits, output.outside = shape.filters, bits, 1
    output.height, output.width = shape.out_height, shape.out_width
    step.layer = step.tensor = step.run = i
    step.source, step.residual, step.output = 2 * i, -1, 2 * i + 1
    step.kernel, step.kernel_width = shape.filter_height, shape.filter_width
    step.stride, step.rows, step.width = shape.stride_height, shape.out_height, shape.out_width
    step.cin, step.cout, step.fan_in = shape.channels, shape.filters, layer.fan_in


def alone(layer: Layer, config: Config) -> tuple[int, int]:
    """(cycles, bytes) of a run of this layer and no other: for `scalesim.compare`."""
    e = estimate_topology(Topology(layer.name, (layer,)), config)
    return e.total_cycles, e.bytes_by_class["total"]


def report(topology: Topology, config: Config, latency: int = DEFAULT_LATENCY) -> dict:
    """A run of all layers, as plain values for JSON; `layers` are its parts. Raises HfnError."""
    e = estimate_topology(topology, config, latency)
    parts = [{"name": name, **_figures(part)} for name, part in e.parts(list(e.names)).items()]
    return {"model": "hfn", "topology": topology.name, "pe": config.name, "bits": BITS,
            "density": DENSITY, "latency": latency, **_figures(e), "layers": parts}  # fmt: skip


def _figures(e: Estimate) -> dict:
    return {"cycles": e.total_cycles, "full_array_cycles": e.ideal_cycles,
            "macs": int(e.macs.sum()), "bytes": e.bytes_by_class}  # fmt: skip


def text(result: dict) -> str:
    """`report` as a table."""
    lines = [f"{'layer':28}{'MACs':>16}{'cycles':>14}{'full array':>14}{'mask B':>12}"
             f"{'other B':>14}"]  # fmt: skip
    for row in [*result["layers"], {**result, "name": "total"}]:
        mask = row["bytes"]["mask"]
        lines.append(
            f"{row['name']:28}{row['macs']:16,}{row['cycles']:14,}"
            f"{row['full_array_cycles']:14,}{mask:12,}{row['bytes']['total'] - mask:14,}"
        )
    return "\n".join(lines)
