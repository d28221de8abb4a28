"""The ticket: everything that a Hidden-Fold Network is, in one .safetensors file without pickles.

It holds the architecture, the seed, the masks, and the integer normalisation parameters of every
executed layer; never a weight. See docs/ticket.md for the layout.
"""

import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from . import sequence, ticket_file
from .errors import HfnError
from .modes import PLAIN, Mode
from .network import Architecture, Conv
from .norm import Norm
from .program import Signs
from .ticket_file import find

IMAGE_BITS = 8  # activation bits of the network's input


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A found network; independent of any array's shape.

    `masks[t]`: uint8 (cout, fan_in) in address order k, the coats that a weight is in, from 0 to
    `modes[t].coats` (a bool array is converted; with freezing, pruned weights are 0 and locked
    ones 1). `sign_planes[t]`: None, or bool (cout, fan_in), 0 where the mask is 0: 1 is the
    opposite of the sequence's sign (EXCEPTIONS) or -1 (EXPLICIT). `modes` and `sign_planes`
    default to plain tensors. `norms[i]`: of executed layer i, the classifier excepted (its logits
    are its accumulators). `provenance`: free text fields (data, accuracy, command...).
    Raises HfnError, naming the layer, for parts that do not belong together.
    """

    arch: Architecture
    seed: int
    density: float
    masks: tuple[np.ndarray, ...]
    norms: tuple[Norm, ...]
    class_names: tuple[str, ...]
    modes: tuple[Mode, ...] | None = None
    sign_planes: tuple[np.ndarray | None, ...] | None = None
    provenance: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        tensors, executed = self.arch.tensors, self.arch.layers[:-1]
        adopt = partial(object.__setattr__, self)  # the way into a frozen dataclass
        adopt("modes", self.modes or (PLAIN,) * len(tensors))
        adopt("sign_planes", self.sign_planes or (None,) * len(tensors))
        if not len(self.masks) == len(self.modes) == len(self.sign_planes) == len(tensors):
            raise HfnError("ticket does not hold one mask, mode and sign plane a tensor")
        if len(self.norms) != len(executed):
            raise HfnError("ticket does not hold one norm a layer")
        adopt("masks", tuple(m.view(np.uint8) if m.dtype == bool else m for m in self.masks))
        names = self.class_names
        if len(names) != self.arch.classes or not all(isinstance(n, str) for n in names):
            raise HfnError("ticket does not name every class")
        sequence.seed_state(self.seed)
        for conv in tensors:
            self._check_mask(conv)
        for conv, norm in zip(executed, self.norms, strict=True):
            norm.check(conv.name, conv.cout)

    def _check_mask(self, conv: Conv):
        mask, mode, plane = (x[conv.tensor] for x in (self.masks, self.modes, self.sign_planes))
        if mask.shape != (conv.cout, conv.fan_in) or mask.dtype != np.uint8:
            raise HfnError(f"ticket's mask of {conv.name} has the wrong shape or type")
        if mask.max() > mode.coats:
            raise HfnError(f"ticket's mask of {conv.name} exceeds its {mode.coats} coats")
        if mode.frozen:
            numbers = self.pattern(conv.tensor)
            frozen = numbers < mode.frozen
            if not np.array_equal(mask[frozen], numbers[frozen] >= mode.pruned):
                raise HfnError(f"ticket's mask of {conv.name} contradicts its frozen pattern")
        if (plane is None) != (mode.signs == Signs.SEQUENCE):
            raise HfnError(f"ticket's signs of {conv.name} are {mode.signs.name}, which "
                           f"{'needs a' if plane is None else 'has no'} sign plane")  # fmt: skip
        if plane is not None:
            if plane.shape != mask.shape or plane.dtype != bool:
                raise HfnError(f"ticket's sign plane of {conv.name} has the wrong shape or type")
            if plane[mask == 0].any():
                raise HfnError(f"ticket's sign plane of {conv.name} is not 0 outside its mask")

    @property
    def state(self) -> int:
        """Seed state of the weight sequence."""
        return sequence.seed_state(self.seed)

    def bits_of(self, layer: int) -> int:
        """Activation bits of an executed layer's output; -1 is the image."""
        return IMAGE_BITS if layer < 0 else self.norms[layer].bits

    def bipolar_of(self, layer: int) -> bool:
        """Whether that output's bits mean -1 and +1."""
        return layer >= 0 and self.norms[layer].bipolar

    def pattern(self, tensor: int) -> np.ndarray | None:
        """Frozen pattern, uint8 (cout, fan_in) (see `sequence.pattern`); None if none is frozen."""
        conv = self.arch.tensors[tensor]
        if not self.modes[tensor].frozen:
            return None
        if conv.fan_in > sequence.MAX_PATTERN_FAN_IN:
            raise HfnError(f"fan-in of {conv.name} is {conv.fan_in}, the frozen pattern's limit "
                           f"is {sequence.MAX_PATTERN_FAN_IN}")  # fmt: skip
        return sequence.pattern(self.state, tensor, conv.cout, conv.fan_in)

    def weights(self, tensor: int) -> np.ndarray:
        """Effective integer weights, int8 (cout, fan_in) of -coats...coats, in address order."""
        conv, mode, plane = self.arch.tensors[tensor], self.modes[tensor], self.sign_planes[tensor]
        negative = np.uint8(0)
        if mode.signs != Signs.EXPLICIT:
            negative = sequence.bits(self.state, tensor, conv.cout, conv.fan_in)
        if plane is not None:
            negative = negative ^ plane.view(np.uint8)
        return self.masks[tensor].view(np.int8) * (np.int8(1) - (negative.view(np.int8) << 1))

    def save(self, path: str | Path):
        """Write atomically."""
        arch, norms = self.arch, self.norms
        coats = [mask > i for mask, mode in zip(self.masks, self.modes, strict=True)
                 for i in range(mode.coats)]  # fmt: skip
        planes = [plane for plane in self.sign_planes if plane is not None]
        tensors = {
            "masks": _packed(coats),
            "signs": _packed(planes),
            "modes": np.array([[m.coats, m.signs, m.pruned, m.locked] for m in self.modes],
                              np.uint8),
            "multiplier": np.concatenate([n.multiplier for n in norms]),
            "residual": np.concatenate([n.residual for n in norms]),
            "bias": np.concatenate([n.bias for n in norms]),
            "shift": np.array([n.shift for n in norms], np.uint8),
            "bits": np.array([n.bits for n in norms], np.uint8),
            "bipolar": np.array([n.bipolar for n in norms], np.uint8),
        }  # fmt: skip
        about = {
            "arch": str(arch), "classes": arch.classes, "in_channels": arch.in_channels,
            "image_size": arch.image_size, "seed": self.seed, "density": self.density,
            "class_names": self.class_names, "provenance": self.provenance,
        }  # fmt: skip
        ticket_file.write(path, about, tensors)


def load(name: str | Path) -> Ticket:
    """Read a ticket by file or shipped name; of format version 1 or 2.

    Raises HfnError for a missing, damaged, truncated or foreign file.
    """
    path = find(name)
    version, text, tensors = ticket_file.read(path)
    try:
        about = json.loads(text)
        if version == 1:
            tensors |= _plain(about, tensors)
        return _build(about, tensors)
    except HfnError as error:
        raise HfnError(f"{path}: {error}") from None
    except (LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise HfnError(f"{path} is a damaged ticket ({type(error).__name__}: {error})") from None


def _packed(planes: list[np.ndarray]) -> np.ndarray:
    """Bits 8 a byte, the first in bit 0; every plane begins at a new byte."""
    parts = [np.packbits(plane, bitorder="little") for plane in planes]
    return np.concatenate([np.zeros(0, np.uint8), *parts])


def _packed_bytes(conv: Conv) -> int:
    return -(-conv.weights // 8)


def _unpacked(data: np.ndarray, convs: list[Conv]):
    """A bool (cout, fan_in) for each of `convs`, the inverse of `_packed`."""
    position = 0
    for conv in convs:
        part = data[position : position + _packed_bytes(conv)]
        bits = np.unpackbits(part, bitorder="little", count=conv.weights)
        yield bits.view(bool).reshape(conv.cout, conv.fan_in)
        position += _packed_bytes(conv)


def _plain(about: dict, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a file of version 1 lacks."""
    if about["coats"] != 1 or about["frozen"]:
        raise HfnError("a ticket of version 1 has no coats and no frozen weights")
    count = len(_architecture(about).tensors)
    return {"modes": np.tile(np.uint8([1, 0, 0, 0]), (count, 1)), "signs": np.zeros(0, np.uint8),
            "bipolar": np.zeros_like(tensors["bits"])}  # fmt: skip


def _architecture(about: dict) -> Architecture:
    shape = {name: about[name] for name in ("classes", "in_channels", "image_size")}
    return Architecture.parse(about["arch"], **shape)


def _expect(tensors: dict[str, np.ndarray], name: str, dtype, *shape: int):
    have = tensors[name]
    if have.dtype != dtype or have.shape != shape:
        raise ValueError(f"{name} must be {' x '.join(map(str, shape))} of {dtype.__name__}")


def _build(about: dict, tensors: dict[str, np.ndarray]) -> Ticket:
    arch = _architecture(about)
    executed = arch.layers[:-1]
    _expect(tensors, "modes", np.uint8, len(arch.tensors), 4)
    modes = tuple(_mode(*map(int, row)) for row in tensors["modes"])
    coated = [c for c, m in zip(arch.tensors, modes, strict=True) for _ in range(m.coats)]
    signed = [c for c, m in zip(arch.tensors, modes, strict=True) if m.signs != Signs.SEQUENCE]
    _expect(tensors, "masks", np.uint8, sum(map(_packed_bytes, coated)))
    _expect(tensors, "signs", np.uint8, sum(map(_packed_bytes, signed)))
    for name, dtype in (("multiplier", np.int16), ("residual", np.int16), ("bias", np.int32)):
        _expect(tensors, name, dtype, sum(conv.cout for conv in executed))
    for name in ("shift", "bits", "bipolar"):
        _expect(tensors, name, np.uint8, len(executed))
    if not isinstance(about["class_names"], list):
        raise ValueError("class_names must be a list")
    coats, planes = _unpacked(tensors["masks"], coated), _unpacked(tensors["signs"], signed)
    masks = tuple(_stacked(c, m, coats) for c, m in zip(arch.tensors, modes, strict=True))
    sign_planes = tuple(None if m.signs == Signs.SEQUENCE else next(planes) for m in modes)
    return Ticket(
        arch=arch, seed=about["seed"], density=about["density"], modes=modes,
        masks=masks, sign_planes=sign_planes, norms=tuple(_norms(executed, tensors)),
        class_names=tuple(about["class_names"]), provenance=dict(about["provenance"]),
    )  # fmt: skip


def _mode(coats: int, signs: int, pruned: int, locked: int) -> Mode:
    return Mode(coats=coats, signs=Signs(signs), pruned=pruned, locked=locked)


def _stacked(conv: Conv, mode: Mode, coats) -> np.ndarray:
    """The mask of the next `mode.coats` of the coats."""
    mask = np.zeros((conv.cout, conv.fan_in), np.uint8)
    for i in range(mode.coats):
        coat = next(coats)
        if (coat & (mask < i)).any():
            raise HfnError(f"coats of {conv.name} are not nested")
        mask += coat
    return mask


def _norms(executed: tuple[Conv, ...], tensors: dict[str, np.ndarray]):
    position = 0
    for i, conv in enumerate(executed):
        part = slice(position, position + conv.cout)
        yield Norm(
            multiplier=tensors["multiplier"][part], residual=tensors["residual"][part],
            bias=tensors["bias"][part], shift=int(tensors["shift"][i]),
            bits=int(tensors["bits"][i]), bipolar=bool(tensors["bipolar"][i]),
        )  # fmt: skip
        position += conv.cout
