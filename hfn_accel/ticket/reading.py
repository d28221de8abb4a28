"""From a ticket's file to the ticket, or to one line that says what is wrong with it."""

import json
from pathlib import Path

import numpy as np

from ..errors import HfnError
from ..modes import Mode
from ..network import Architecture, Conv
from ..norm import Norm
from ..program import Signs
from . import file
from .contents import Ticket


def load(name: str | Path) -> Ticket:
    """Read a ticket by file or shipped name; of format version 1 or 2.

    Raises HfnError for a missing, damaged, truncated or foreign file.
    """
    path = file.find(name)
    version, text, tensors = file.read(path)
    try:
        about = json.loads(text)
        if version == 1:
            tensors |= _plain(about, tensors)
        return _build(about, tensors)
    except HfnError as error:
        raise HfnError(f"{path}: {error}") from None
    except (LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise HfnError(f"{path} is a damaged ticket ({type(error).__name__}: {error})") from None


def _plain(about: dict, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a file of version 1 lacks."""
    if about["coats"] != 1 or about["frozen"]:
        raise HfnError("a ticket of version 1 has no coats and no frozen weights")
    count = len(_architecture(about).tensors)
    modes = np.tile(np.array([1, 0, 0, 0], np.uint8), (count, 1))
    return {"modes": modes, "signs": np.zeros(0, np.uint8),
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
    _expect(tensors, "masks", np.uint8, sum(map(file.packed_bytes, coated)))
    _expect(tensors, "signs", np.uint8, sum(map(file.packed_bytes, signed)))
    for name, dtype in (("multiplier", np.int16), ("residual", np.int16), ("bias", np.int32)):
        _expect(tensors, name, dtype, sum(conv.cout for conv in executed))
    for name in ("shift", "bits", "bipolar"):
        _expect(tensors, name, np.uint8, len(executed))
    if not isinstance(about["class_names"], list):
        raise ValueError("class_names must be a list")
    if not isinstance(about["provenance"], dict):
        raise ValueError("provenance must be an object")
    coats, planes = file.unpacked(tensors["masks"], coated), file.unpacked(tensors["signs"], signed)
    masks = tuple(_stacked(c, m, coats) for c, m in zip(arch.tensors, modes, strict=True))
    sign_planes = tuple(None if m.signs == Signs.SEQUENCE else next(planes) for m in modes)
    return Ticket(
        arch=arch, seed=about["seed"], density=about["density"], modes=modes,
        masks=masks, sign_planes=sign_planes, norms=tuple(_norms(executed, tensors)),
        class_names=tuple(about["class_names"]), provenance=about["provenance"],
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
