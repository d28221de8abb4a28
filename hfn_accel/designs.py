"""Many configurations at once, and what the compiler plans for a network on each of them.

`plan` gives the descriptor fields that `hfn_accel.compiler` would write, without masks and
without a loop over designs: every value is an array over designs (leading axes) and descriptors
(last axis), so that one formula of the estimator serves a compiled program, one configuration and
a sweep alike. tests/hfn_accel/test_designs.py pins the equality with the compiler.
"""

from dataclasses import dataclass, fields

import numpy as np

from .compiler import REGION_ALIGNMENT, tile_beats
from .config import Config
from .network import Architecture
from .program import DESCRIPTOR_BYTES, FIELDS, PARAMETER_BYTES, Opcode
from .ticket import IMAGE_BITS, Ticket


@dataclass(frozen=True, kw_only=True)
class Designs:
    """Configurations as integer arrays; fields and derived values are named as in `Config`.

    Each field is a scalar (one design) or an array (designs, 1), whose last axis broadcasts
    against the descriptors of a program. Values are not validated: take them from `Config`s.
    """

    rows: np.ndarray
    columns: np.ndarray
    axi_data_width: np.ndarray
    accumulator_bits: np.ndarray
    requantisers: np.ndarray
    activation_bytes: np.ndarray
    psum_depth: np.ndarray
    mask_bytes: np.ndarray
    parameter_channels: np.ndarray
    result_words: np.ndarray

    @classmethod
    def of(cls, config: "Config | Designs", **axes) -> "Designs":
        """`config`, with the fields in `axes` replaced by 1-D arrays, one value a design."""
        values = {f.name: np.int64(getattr(config, f.name)) for f in fields(cls)}
        values |= {name: np.asarray(value, np.int64)[:, None] for name, value in axes.items()}
        return cls(**dict(zip(values, np.broadcast_arrays(*values.values()), strict=True)))

    @property
    def group(self):
        return np.maximum(self.rows, self.columns)

    @property
    def units(self):
        return np.minimum(self.requantisers, self.columns)

    @property
    def bus_bytes(self):
        return self.axi_data_width // 8

    @property
    def burst_bytes(self):
        return np.minimum(4096, 256 * self.bus_bytes)

    @property
    def bank_words(self):
        return self.activation_bytes * 8 // self.group

    @property
    def mask_words(self):
        return self.mask_bytes // self.bus_bytes

    @property
    def buffer_bytes(self):
        """All on-chip buffers: three banks, mask, partial sums, parameters and results."""
        return (
            3 * self.activation_bytes
            + self.mask_bytes
            + self.psum_depth * self.columns * self.accumulator_bits // 8
            + self.parameter_channels * PARAMETER_BYTES
            + self.result_words * 4
        )


@dataclass(frozen=True)
class Plan:
    """`fields`: descriptor field -> array (..., descriptors), 0 where a descriptor lacks it.

    Descriptors are BEGIN, LOAD, one CONV an executed layer, END. `needs`: requirement fields of
    BEGIN -> array (...). `reason`: per design, what the network does not fit, or "".
    """

    fields: dict[str, np.ndarray]
    needs: dict[str, np.ndarray]
    reason: np.ndarray


def ceil_div(a, b):
    return -(-a // b)


def bit_length(value) -> np.ndarray:
    """Bits of non-negative integers below 2^53."""
    return np.frexp(value)[1].astype(np.int64)


def extremes(ticket: Ticket) -> np.ndarray:
    """Per tensor, the most negative and the most positive weights of a channel: (tensors, 2)."""
    tensors = (ticket.weights(t) for t in range(len(ticket.masks)))
    return np.array([[(w < 0).sum(1).max(), (w > 0).sum(1).max()] for w in tensors])


def plan(arch: Architecture, bits, config: Config | Designs, weights=None) -> Plan:
    """The compiler's descriptors of `arch` for every design.

    bits: activation bits of every executed layer's output but the classifier's, shape
        (layers - 1,) or (designs, layers - 1); the image has 8.
    weights: what bounds the accumulators, see `extremes`; the fan-in if not given.
    """
    d = config if isinstance(config, Designs) else Designs.of(config)
    layers = arch.layers

    def each(value):
        return np.array([value(c) for c in layers], np.int64)

    bits = np.asarray(bits, np.int64)
    known = np.concatenate([np.full_like(bits[..., :1], IMAGE_BITS), bits], -1)  # [i+1]: of norm i
    in_bits = known[..., each(lambda c: c.source + 1)]
    residual = each(lambda c: c.residual is not None)
    res_bits = known[..., each(lambda c: (c.residual or 0) + 1)] * residual
    raw = each(lambda c: c.classifier)
    out_bits = np.concatenate([bits, np.zeros_like(bits[..., :1])], -1)
    cin, cout, kernel = each(lambda c: c.cin), each(lambda c: c.cout), each(lambda c: c.kernel)
    stride = each(lambda c: c.stride)
    width, out_width = each(lambda c: c.in_size), each(lambda c: c.out_size)

    in_tiles, out_tiles = ceil_div(cin, d.rows), ceil_div(cout, d.columns)
    strip_rows = np.where(raw, out_width, np.minimum(out_width, d.psum_depth // out_width))
    strip_rows = np.maximum(strip_rows, 1)
    strips = ceil_div(out_width, strip_rows)
    mask_beats = out_tiles * tile_beats(kernel**2 * cin, d)
    tensor = each(lambda c: c.tensor)
    tensors = np.array([c.norm for c in arch.tensors])  # where each is executed first
    new = tensors[tensor] == np.arange(len(layers))
    together = mask_beats @ _blocks(layers, new)
    stays = each(lambda c: c.folded) * (together <= d.mask_words)

    begin = DESCRIPTOR_BYTES * (len(layers) + 3)
    stored = _aligned((mask_beats * d.bus_bytes)[..., tensors])
    mask_address = (begin + np.cumsum(stored, -1) - stored)[..., tensor]
    sizes = _aligned(PARAMETER_BYTES * cout * (1 - raw))
    parameter_address = begin + stored.sum(-1, keepdims=True) + np.cumsum(sizes) - sizes

    conv = {
        "raw": raw, "pool": raw, "residual": residual, "fetch_mask": 1 - stays * ~new,
        "in_bits": in_bits, "out_bits": out_bits, "res_bits": res_bits, "kernel": kernel,
        "stride": stride, "pad": kernel // 2,
        "in_height": width, "in_width": width, "out_width": out_width,
        "last_rows": cin - (in_tiles - 1) * d.rows, "in_tiles": in_tiles, "out_tiles": out_tiles,
        "strips": strips, "strip_rows": strip_rows,
        "last_strip_rows": out_width - (strips - 1) * strip_rows,
        "row_stride": width * in_bits, "origin": kernel // 2 * (width + 1) * in_bits,
        "strip_stride": strip_rows * stride * width * in_bits,
        "mask_beats": mask_beats, "out_channels": cout,
        "in_group_stride": width**2 * in_bits,
        "out_group_stride": out_width**2 * out_bits,
        "res_group_stride": out_width**2 * res_bits,
        "mask_address": mask_address, "parameter_address": parameter_address * (1 - raw),
    }  # fmt: skip
    load = {
        "pixels": arch.image_size**2,
        "channels": arch.in_channels,
        "granules": ceil_div(arch.in_channels, d.columns),
    }
    shape = np.broadcast_shapes(mask_beats.shape, in_bits.shape)[:-1]

    def row(conv, load):
        conv = np.broadcast_to(conv, (*shape, len(layers)))
        load = np.broadcast_to(load, (*shape, 1))
        zero = np.zeros((*shape, 1), np.int64)
        return np.concatenate([zero, load, conv, zero], -1)

    table = {name: row(conv.get(name, 0), load.get(name, 0)) for name in {**conv, **load}}
    table["opcode"] = np.array([Opcode.BEGIN, Opcode.LOAD] + [Opcode.CONV] * len(layers)
                               + [Opcode.END]) + np.zeros((*shape, 1), np.int64)  # fmt: skip

    negative, positive = (
        np.asarray(weights).T[:, tensor] if weights is not None else 2 * [kernel**2 * cin]
    )
    largest = ((1 << in_bits) - 1) * np.where(raw, width**2, 1)
    image_words = ceil_div(arch.in_channels, d.group) * arch.image_size**2 * IMAGE_BITS
    words = np.maximum(ceil_div(cout, d.group) * out_width**2 * out_bits, image_words)
    needs = {
        "bank_words": words,
        "mask_words": np.where(stays, together, mask_beats),
        "psum_depth": np.where(raw, 1, strip_rows * out_width),
        "parameter_channels": out_tiles * d.columns * (1 - raw),
        "result_words": out_tiles * d.columns * raw,
        "accumulator_bits": 1
        + np.maximum(
            bit_length(np.maximum(negative * largest - 1, 0)), bit_length(positive * largest)
        ),
    }
    reason = _reason(layers, needs, conv, d, shape)
    return Plan(table, {n: np.broadcast_to(v.max(-1), shape) for n, v in needs.items()}, reason)


def _aligned(size):
    return ceil_div(size, REGION_ALIGNMENT) * REGION_ALIGNMENT


def _blocks(layers, new) -> np.ndarray:
    """(i, j): layer i is the first execution of a tensor of layer j's folded block."""
    folded = np.array([c.folded for c in layers])
    block = np.cumsum(folded != np.roll(folded, 1))
    return (block[:, None] == block) * new[:, None].astype(np.int64)


_NAMES = {
    "bank_words": "needs {} words of an activation bank, has {}: enlarge activation_bytes",
    "mask_words": "needs {} beats of mask buffer, has {}: enlarge mask_bytes",
    "psum_depth": "needs {} partial sums for a row, has {}: enlarge psum_depth",
    "parameter_channels": "needs {} channels of parameters, has {}: enlarge parameter_channels",
    "result_words": "needs {} result words, has {}: enlarge result_words",
    "accumulator_bits": "needs {} bits of accumulator, has {}: enlarge accumulator_bits",
}


def _reason(layers, needs, conv, d, shape):
    """Per design: the first requirement that is not met, with its layer, or ""."""
    reason = np.full(shape, "", object)

    def note(bad, text):
        bad = np.broadcast_to(bad, shape + bad.shape[-1:])
        for at in np.argwhere(bad.any(-1) & (reason == "")):
            at = tuple(at)
            reason[at] = text(at, int(bad[at].argmax()))

    for name, value in needs.items():
        have = getattr(d, name)
        value = np.broadcast_to(value, (*shape, len(layers)))
        limit = np.broadcast_to(have, (*shape, 1))
        note(value > limit, lambda at, i, n=name, v=value, m=limit: (
            f"{layers[i].name} {_NAMES[n].format(v[(*at, i)], m[(*at, 0)])}"))  # fmt: skip
    widths = {f.name: f.bits for f in FIELDS[Opcode.CONV]}
    for name, value in conv.items():
        note(np.asarray(value) >> widths[name] > 0, lambda at, i, n=name: (
            f"{layers[i].name} does not fit the descriptor field {n}"))  # fmt: skip
    return reason
