"""The functional simulator: executes a program image, bit for bit what the RTL computes.

It follows the program, never the network: descriptors are decoded, masks pass through a mask
buffer that keeps its content between layers, signs are regenerated from the descriptors' LFSR
states, and activations live in three banks of bit-plane words (docs/architecture.md). What the
order of the loops cannot change (strips, tiles, planes) is computed at once, over all images.
"""

from dataclasses import dataclass, field

import numpy as np

from . import sequence
from .arithmetic import requantise
from .check import check
from .compiler import BANKS
from .config import Config
from .errors import HfnError
from .images import PIXEL_BYTES
from .images import pack as pack_images
from .program import DESCRIPTOR_BYTES, PARAMETER_BYTES, Opcode, Program
from .shape import LayerShape
from .ticket import IMAGE_BITS

TRAFFIC = ("descriptor", "mask", "parameter", "activation", "weight")
_CHUNK_BYTES = 1 << 26  # of simulated banks: images are taken in groups that fit
_PARAMETERS = np.dtype([("multiplier", "<i2"), ("residual", "<i2"), ("bias", "<i4")])


@dataclass(frozen=True)
class Result:
    """What a run computes and counts.

    logits: int64 (N, classes). activations: per CONV that writes a bank, uint8 (N, channels,
    height, width); empty if not kept. bytes: moved over the bus by class, an image. macs: useful
    multiply-accumulates an image. planes: bit-planes that enter the array, an image.
    """

    logits: np.ndarray
    activations: list[np.ndarray] = field(repr=False)
    bytes: dict[str, int]
    macs: int
    planes: int

    @property
    def predictions(self) -> np.ndarray:
        """Class index of each image; the first of equal logits."""
        return self.logits.argmax(1)


def execute(program: Program, config: Config, images: np.ndarray, keep: bool = True) -> Result:
    """Run the program on images, uint8 (N, height, width, channels).

    `keep`: keep every intermediate activation. Raises HfnError for a program of another
    configuration, images of another shape, or descriptors that contradict themselves.
    """
    program.check(config)
    load, layers, traffic = _fetch(program, config)
    check_images(program, images)
    pixels = pack_images(images)
    bank_bytes = BANKS * program.header["bank_words"] * config.group
    chunk = max(1, _CHUNK_BYTES // bank_bytes)
    logits, activations = [], [[] for layer in layers if not layer.fields["raw"]]
    for start in range(0, len(images), chunk):
        part = pixels[start : start + chunk]
        banks = Banks(len(part), program.header["bank_words"], config.group)
        values = part.reshape(len(part), -1, PIXEL_BYTES)[..., : load["channels"]]
        banks.write(load["dst_bank"], values, IMAGE_BITS, load["group_stride"])
        for i, layer in enumerate(layers):
            out = layer.run(banks)
            if layer.fields["raw"]:
                logits.append(out)
            elif keep:
                activations[i].append(out.transpose(0, 3, 1, 2))
    return Result(
        logits=np.concatenate(logits),
        activations=[np.concatenate(a) for a in activations if a],
        bytes=traffic,
        macs=macs(program),
        planes=sum(layer.shape.planes for layer in layers),
    )


def check_images(program: Program, images: np.ndarray):
    """Raise HfnError for images of another shape than a legal program's."""
    (_, load), (_, first) = program.descriptors[1:3]
    want = tuple(f.get(n) for f, n in (
        (first, "in_height"), (first, "in_width"), (load, "channels")))  # fmt: skip
    if images.shape[1:] != want:
        raise HfnError(f"images must be {want} (height, width, channels), not {images.shape[1:]}")


def shapes(program: Program) -> list[LayerShape]:
    """Shapes of the executed layers."""
    convs = (f for code, f in program.descriptors if code == Opcode.CONV)
    return [LayerShape.of(program.header, f) for f in convs]


def macs(program: Program) -> int:
    """Useful multiply-accumulates an image."""
    return sum(s.macs for s in shapes(program))


def work(program: Program) -> int:
    """Multiply-accumulates times activation bits: what R*C positions do one of each clock."""
    return sum(s.macs * s.in_bits for s in shapes(program))


class Banks:
    """The activation banks of `count` images: `words` bit-plane words of `group` lanes each."""

    def __init__(self, count: int, words: int, group: int):
        self.group = group
        self.bits = np.zeros((BANKS, count, words, group), np.uint8)

    def write(self, bank: int, values: np.ndarray, bits: int, group_stride: int):
        """Store uint8 values (N, pixels, channels) from word 0; lanes without a channel get 0."""
        count, pixels, channels = values.shape
        groups = -(-channels // self.group)
        padded = np.zeros((count, pixels, groups * self.group), np.uint8)
        padded[..., :channels] = values
        for g in range(groups):
            lanes = padded[..., g * self.group : (g + 1) * self.group]
            for plane in range(bits):
                at = slice(g * group_stride + plane, g * group_stride + pixels * bits, bits)
                self.bits[bank, :, at] = lanes >> (bits - 1 - plane) & 1

    def read(self, bank: int, words: np.ndarray, bits: int, group_stride: int, channels: int):
        """uint8 (N, *words.shape, channels): the pixels whose planes begin at `words`."""
        parts = []
        for g in range(-(-channels // self.group)):
            at = words + g * group_stride
            lanes = self.bits[bank][:, at]
            for plane in range(1, bits):
                lanes = lanes << 1 | self.bits[bank][:, at + plane]
            parts.append(lanes)
        return np.concatenate(parts, axis=-1)[..., :channels]


@dataclass(frozen=True)
class Layer:
    """A CONV after its fetch phases: weights int8 (cout, kernel, kernel, cin), parameters."""

    fields: dict[str, int]
    shape: LayerShape
    weights: np.ndarray
    parameters: np.ndarray | None

    def run(self, banks: Banks) -> np.ndarray:
        """Compute on the banks; activations (N, height, width, cout), or logits if raw."""
        f, s = self.fields, self.shape
        rows = np.arange(s.in_height)[:, None] * f["row_stride"]
        words = rows + np.arange(s.in_width) * f["in_bits"]
        x = banks.read(f["src_bank"], words, f["in_bits"], f["in_group_stride"], s.cin)
        acc = _convolve(x, self.weights, f["stride"], f["pad"], s)
        if f["raw"]:
            return acc.reshape(len(x), s.cout).astype(np.int64)
        residual = None
        if f["residual"]:
            words = np.arange(s.pixels).reshape(s.out_height, s.out_width) * f["res_bits"]
            residual = banks.read(
                f["res_bank"], words, f["res_bits"], f["res_group_stride"], s.cout
            )
        p = self.parameters
        y = requantise(acc, p["multiplier"], p["bias"], f["shift"], f["out_bits"],
                       residual, p["residual"])  # fmt: skip
        banks.write(f["dst_bank"], y.reshape(len(y), s.pixels, s.cout), f["out_bits"],
                    f["out_group_stride"])  # fmt: skip
        return y


def _convolve(x: np.ndarray, weights: np.ndarray, stride: int, pad: int, s: LayerShape):
    """Exact accumulators (N, height, width, cout); summed over all pixels if the layer pools.

    Floating-point products of small integers are exact while every partial sum stays below
    2^24 in single and 2^53 in double precision.
    """
    if s.pool:
        x = x.sum((1, 2), keepdims=True, dtype=np.int64)
        largest = int(x.max(initial=0))
        height = width = 1
    else:
        largest, height, width = (1 << s.in_bits) - 1, s.out_height, s.out_width
    bound = int(np.abs(weights).sum((1, 2, 3), dtype=np.int64).max()) * largest
    number = np.float32 if bound < 1 << 24 else np.float64
    x = np.pad(x.astype(number), ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    w = weights.astype(number)
    acc = np.zeros((len(x) * height * width, s.cout), number)
    for ky in range(s.kernel):
        for kx in range(s.kernel):
            tap = x[:, ky : ky + stride * height : stride, kx : kx + stride * width : stride]
            acc += tap.reshape(-1, s.cin) @ w[:, ky, kx].T
    return acc.reshape(len(x), height, width, s.cout)


def _fetch(program: Program, config: Config):
    """Walk the descriptors once: (LOAD's fields, layers, bytes by class)."""
    header, descriptors = program.header, program.descriptors
    check(descriptors, config)
    image = np.frombuffer(program.image, np.uint8)
    buffer = np.zeros(header["mask_words"] * config.bus_bytes, np.uint8)
    traffic = dict.fromkeys(TRAFFIC, 0)
    traffic["descriptor"] = len(descriptors) * DESCRIPTOR_BYTES
    load, layers = descriptors[1][1], []
    traffic["activation"] = _beats(load["pixels"] * PIXEL_BYTES, config) * config.bus_bytes
    for _, f in descriptors[2:-1]:
        shape = LayerShape.of(header, f)
        if f["fetch_mask"]:
            size, base = f["mask_beats"] * config.bus_bytes, f["mask_base"] * config.bus_bytes
            buffer[base : base + size] = image[f["mask_address"] : f["mask_address"] + size]
            traffic["mask"] += size
        parameters = None
        if f["raw"]:
            traffic["activation"] += 4 * shape.cout
        else:
            size = shape.cout * PARAMETER_BYTES
            raw = image[f["parameter_address"] : f["parameter_address"] + size]
            parameters = raw.view(_PARAMETERS)
            traffic["parameter"] += _beats(size, config) * config.bus_bytes
        layers.append(Layer(f, shape, _weights(buffer, f, shape, config), parameters))
    return load, layers, traffic


def _beats(size: int, config: Config) -> int:
    return -(-size // config.bus_bytes)


def _weights(buffer: np.ndarray, f: dict[str, int], s: LayerShape, config: Config) -> np.ndarray:
    """int8 (cout, kernel, kernel, cin) from the mask buffer and regenerated signs."""
    base, size = f["mask_base"] * config.bus_bytes, f["mask_beats"] * config.bus_bytes
    tiles = buffer[base : base + size].reshape(s.out_tiles, -1)
    count = s.fan_in * config.columns
    rows = np.unpackbits(tiles, axis=1, count=count, bitorder="little")
    mask = rows.reshape(s.out_tiles, s.fan_in, config.columns).transpose(0, 2, 1)
    mask = mask.reshape(-1, s.fan_in)[: s.cout]
    signs = sequence.signs(f["sign_state"], 0, s.cout, s.fan_in)
    return (signs * mask.view(np.int8)).reshape(s.cout, s.kernel, s.kernel, s.cin)
