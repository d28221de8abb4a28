"""The ticket: everything that a Hidden-Fold Network is, in one .safetensors file without pickles.

It holds the architecture, the seed, one mask bit a weight, and the integer normalisation
parameters of every executed layer; never a weight. See docs/ticket.md for the layout.
"""

import json
import os
import zlib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from . import sequence
from .arithmetic import MAX_ACTIVATION_BITS, MAX_SHIFT
from .errors import HfnError
from .files import atomic_write, read_bytes
from .network import Architecture

FORMAT = "hfn-ticket"
VERSION = 1
IMAGE_BITS = 8  # activation bits of the network's input


@dataclass(frozen=True, kw_only=True)
class Norm:
    """Integer normalisation of one executed layer.

    y = clamp((acc * multiplier + residual_in * residual + bias + 2^(shift-1)) >> shift,
    0, 2^bits - 1) per output channel: int16, int16 and int32 arrays (cout,), `shift` in 1...47,
    `bits` in 1...8. Batch normalisation, weight scale and activation scales are folded in.
    """

    multiplier: np.ndarray
    residual: np.ndarray
    bias: np.ndarray
    shift: int
    bits: int


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A found network; independent of any array's shape.

    `masks[t]`: bool (cout, fan_in) in address order k; `norms[i]`: of executed layer i, the
    classifier excepted (its logits are its accumulators). `provenance`: free text fields (data,
    accuracy, command...).
    """

    arch: Architecture
    seed: int
    density: float
    masks: tuple[np.ndarray, ...]
    norms: tuple[Norm, ...]
    class_names: tuple[str, ...]
    provenance: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        tensors, executed = self.arch.tensors, self.arch.layers[:-1]
        if len(self.masks) != len(tensors) or len(self.norms) != len(executed):
            raise HfnError("ticket does not hold one mask a tensor and one norm a layer")
        for conv, mask in zip(tensors, self.masks, strict=True):
            if mask.shape != (conv.cout, conv.fan_in) or mask.dtype != bool:
                raise HfnError(f"ticket's mask of {conv.name} has the wrong shape")
        for conv, norm in zip(executed, self.norms, strict=True):
            for name, dtype in (("multiplier", np.int16), ("residual", np.int16),
                                ("bias", np.int32)):  # fmt: skip
                array = getattr(norm, name)
                if array.shape != (conv.cout,) or array.dtype != dtype:
                    raise HfnError(f"ticket's {name} of {conv.name} has the wrong shape or type")
            if not (1 <= norm.shift <= MAX_SHIFT and 1 <= norm.bits <= MAX_ACTIVATION_BITS):
                raise HfnError(f"ticket's shift or bits of {conv.name} are out of range")
        names = self.class_names
        if len(names) != self.arch.classes or not all(isinstance(n, str) for n in names):
            raise HfnError("ticket does not name every class")
        sequence.seed_state(self.seed)

    @property
    def state(self) -> int:
        """Seed state of the weight sequence."""
        return sequence.seed_state(self.seed)

    def bits_of(self, layer: int) -> int:
        """Activation bits of an executed layer's output; -1 is the image."""
        return IMAGE_BITS if layer < 0 else self.norms[layer].bits

    def weights(self, tensor: int) -> np.ndarray:
        """Effective integer weights, int8 (cout, fan_in) of -1, 0, +1, in address order."""
        conv = self.arch.tensors[tensor]
        signs = sequence.signs(self.state, tensor, conv.cout, conv.fan_in)
        return signs * self.masks[tensor]

    def save(self, path: str | Path):
        """Write atomically."""
        arch = self.arch
        tensors = {
            "masks": np.concatenate([np.packbits(m, bitorder="little") for m in self.masks]),
            "multiplier": np.concatenate([n.multiplier for n in self.norms]),
            "residual": np.concatenate([n.residual for n in self.norms]),
            "bias": np.concatenate([n.bias for n in self.norms]),
            "shift": np.array([n.shift for n in self.norms], np.uint8),
            "bits": np.array([n.bits for n in self.norms], np.uint8),
        }
        about = {
            "arch": str(arch), "classes": arch.classes, "in_channels": arch.in_channels,
            "image_size": arch.image_size, "seed": self.seed, "density": self.density,
            "coats": 1, "frozen": 0.0, "class_names": self.class_names,
            "provenance": self.provenance,
        }  # fmt: skip
        text = json.dumps(about)
        metadata = {"format": FORMAT, "version": str(VERSION), "ticket": text,
                    "crc32": _checksum(text, tensors)}  # fmt: skip
        atomic_write(path, _ordered(save_tensors(tensors, metadata)))


def find(name: str | Path) -> Path:
    """A file's path, or the path of a shipped file given by bare name (with or without suffix)."""
    path = Path(name)
    if os.path.exists(path) or path.parent != Path("."):
        return path
    shipped = Path(str(resources.files(__package__) / "tickets"))
    for candidate in (path.name, f"{path.name}.safetensors", f"{path.name}.npz"):
        if os.path.isfile(shipped / candidate):
            return shipped / candidate
    return path


def _header(data: bytes) -> tuple[dict, bytes]:
    """A safetensors file's JSON header, and the bytes behind it."""
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def _ordered(data: bytes) -> bytes:
    """The same file with sorted metadata, whose order safetensors draws at random."""
    header, rest = _header(data)
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + rest


def _checksum(about: str, tensors: dict[str, np.ndarray]) -> str:
    """CRC-32 of the JSON text, then of every tensor's bytes in order of name; decimal."""
    crc = zlib.crc32(about.encode())
    for _, tensor in sorted(tensors.items()):
        crc = zlib.crc32(tensor.tobytes(), crc)
    return str(crc)


def load(name: str | Path) -> Ticket:
    """Read a ticket by file or shipped name.

    Raises HfnError for a missing, damaged, truncated or foreign file.
    """
    path = find(name)
    data = read_bytes(path)
    try:
        tensors, metadata = load_tensors(data), _header(data)[0].get("__metadata__") or {}
    except (SafetensorError, ValueError, KeyError, AttributeError):
        raise HfnError(f"{path} is not a ticket: damaged, truncated or no safetensors") from None
    if metadata.get("format") != FORMAT:
        raise HfnError(f"{path} is a safetensors file but not a ticket")
    if metadata.get("version") != str(VERSION):
        raise HfnError(f"{path} has ticket version {metadata.get('version')}, not {VERSION}")
    try:
        text = metadata["ticket"]
        if metadata["crc32"] != _checksum(text, tensors):
            raise HfnError("damaged ticket (CRC-32 differs)")
        return _build(json.loads(text), tensors)
    except HfnError as error:
        raise HfnError(f"{path}: {error}") from None
    except (LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise HfnError(f"{path} is a damaged ticket ({type(error).__name__}: {error})") from None


def _build(about: dict, tensors: dict[str, np.ndarray]) -> Ticket:
    if about["coats"] != 1 or about["frozen"]:
        raise HfnError("tickets with several coats or frozen weights are not supported yet")
    arch = Architecture.parse(about["arch"], classes=about["classes"],
                              in_channels=about["in_channels"],
                              image_size=about["image_size"])  # fmt: skip
    executed = arch.layers[:-1]
    channels = sum(conv.cout for conv in executed)
    for name, dtype, length in (
        ("masks", np.uint8, sum(-(-conv.weights // 8) for conv in arch.tensors)),
        ("multiplier", np.int16, channels), ("residual", np.int16, channels),
        ("bias", np.int32, channels),
        ("shift", np.uint8, len(executed)), ("bits", np.uint8, len(executed)),
    ):  # fmt: skip
        have = tensors[name]
        if have.dtype != dtype or have.shape != (length,):
            raise ValueError(f"{name} must be {length} of {dtype.__name__}")
    if not isinstance(about["class_names"], list):
        raise ValueError("class_names must be a list")
    masks, position = [], 0
    for conv in arch.tensors:
        count = -(-conv.weights // 8)
        packed = tensors["masks"][position : position + count]
        bits = np.unpackbits(packed, bitorder="little", count=conv.weights)
        masks.append(bits.astype(bool).reshape(conv.cout, conv.fan_in))
        position += count
    norms, position = [], 0
    for i, conv in enumerate(executed):
        part = slice(position, position + conv.cout)
        norms.append(Norm(
            multiplier=tensors["multiplier"][part], residual=tensors["residual"][part],
            bias=tensors["bias"][part], shift=int(tensors["shift"][i]),
            bits=int(tensors["bits"][i]),
        ))  # fmt: skip
        position += conv.cout
    return Ticket(arch=arch, seed=about["seed"], density=about["density"], masks=tuple(masks),
                  norms=tuple(norms), class_names=tuple(about["class_names"]),
                  provenance=dict(about["provenance"]))  # fmt: skip
