"""What a ticket holds, and what must agree in it."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from .. import sequence
from ..errors import HfnError
from ..modes import PLAIN, Mode
from ..network import Architecture, Conv
from ..norm import Norm
from ..program import Signs
from . import file

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
    modes: tuple[Mode, ...] = ()
    sign_planes: tuple[np.ndarray | None, ...] = ()
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
        if len(names) != self.arch.classes or not all(map(_printable, names)):
            raise HfnError("ticket does not name every class in printable characters")
        if not (isinstance(self.density, int | float) and 0 <= self.density <= 1):
            raise HfnError(f"ticket's density must be from 0 to 1, not {self.density!r}")
        if not all(_printable(text) for item in self.provenance.items() for text in item):
            raise HfnError("ticket's provenance must be printable texts by name")
        if type(self.seed) is not int:
            raise HfnError(f"ticket's seed must be an integer, not {self.seed!r}")
        sequence.seed_state(self.seed)
        for conv in tensors:
            self._check_mask(conv)
        for conv, norm in zip(executed, self.norms, strict=True):
            norm.check(conv.name, conv.cout)

    def _check_mask(self, conv: Conv):
        tensor = conv.tensor
        mask, mode, plane = self.masks[tensor], self.modes[tensor], self.sign_planes[tensor]
        if mask.shape != (conv.cout, conv.fan_in) or mask.dtype != np.uint8:
            raise HfnError(f"ticket's mask of {conv.name} has the wrong shape or type")
        if mask.max() > mode.coats:
            raise HfnError(f"ticket's mask of {conv.name} exceeds its {mode.coats} coats")
        if (numbers := self.pattern(tensor)) is not None:
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
        negative = np.zeros((), np.uint8)
        if mode.signs != Signs.EXPLICIT:
            negative = sequence.bits(self.state, tensor, conv.cout, conv.fan_in)
        if plane is not None:
            negative = negative ^ plane.view(np.uint8)
        return self.masks[tensor].view(np.int8) * (np.int8(1) - (negative.view(np.int8) << 1))

    def parts(self) -> tuple[dict, dict[str, np.ndarray]]:
        """What its file says: the JSON object, and the arrays by name (docs/ticket.md)."""
        arch, norms = self.arch, self.norms
        coats = [mask > i for mask, mode in zip(self.masks, self.modes, strict=True)
                 for i in range(mode.coats)]  # fmt: skip
        planes = [plane for plane in self.sign_planes if plane is not None]
        tensors = {
            "masks": file.packed(coats),
            "signs": file.packed(planes),
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
        return about, tensors

    def save(self, path: str | Path):
        """Write atomically."""
        file.write(path, *self.parts())


def _printable(text) -> bool:
    return isinstance(text, str) and text.isprintable()
