"""Checkpoints of a search, one safetensors file each: nothing is ever unpickled."""

import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from hfn_accel.errors import HfnError
from hfn_accel.files import atomic_write
from hfn_accel.network import Architecture
from hfn_accel.recipe import Recipe

from .. import build

_SHAPE = ("classes", "in_channels", "image_size")


@dataclass(kw_only=True)
class State:
    """How far a search is: `step` steps of `epoch`, both from 0.

    metrics (steps, 2): loss and accuracy of each step of the epoch, so far done. seconds: spent on
    the epoch. rows, densities: metrics and kept fractions a tensor, of each finished epoch.
    """

    metrics: torch.Tensor
    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    rows: list[dict] = field(default_factory=list)
    densities: list[list[float]] = field(default_factory=list)

    def quantised(self, recipe: Recipe) -> bool:
        """Whether activations have become integers."""
        return (self.epoch, self.step) > (recipe.quantise_from, 0)


def identity(recipe: Recipe, arch: Architecture, images: int, processes: int) -> dict:
    """What decides a search's result, as a checkpoint's JSON has it."""
    shape = {name: getattr(arch, name) for name in _SHAPE}
    found = {"recipe": recipe.to_dict(), "shape": shape,
             "run": {"training images": images, "processes": processes}}  # fmt: skip
    return json.loads(json.dumps(found))


@dataclass
class Checkpoint:
    """The file of a search: its model and the momentum of every parameter that has one.

    The model is on the device on which it is trained, whatever wrote the file.
    """

    path: Path
    model: torch.nn.Module
    optimiser: torch.optim.Optimizer
    identity: dict

    def save(self, state: State):
        """Replace the file by the present state, whole or not at all."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for name, parameter in self.model.named_parameters():
            momentum = self.optimiser.state[parameter].get("momentum_buffer")
            if momentum is not None:
                tensors[f"momentum.{name}"] = momentum
        tensors["metrics"] = state.metrics
        tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        place = {name: value for name, value in vars(state).items() if name != "metrics"}
        text = json.dumps(self.identity | {"state": place})
        metadata = {"format": "hfn-checkpoint", "search": text, "crc32": _crc32(text, tensors)}
        atomic_write(self.path, save(tensors, metadata))

    def load(self) -> State | None:
        """Restore model and momentum, and return the state; None if there is no file.

        Raises HfnError if the file is damaged or belongs to another search.
        """
        if not self.path.exists():
            return None
        search, tensors = _read(self.path)
        for part, values in self.identity.items():
            for name in values.keys() | search[part].keys():
                there, here = search[part].get(name), values.get(name)
                if there != here:
                    raise HfnError(f"{self.path} belongs to a search with {name} {there!r}, not "
                                   f"{here!r}; delete or move it, or search as it did")  # fmt: skip
        _restore(self.model, tensors, self.path)
        for name, parameter in self.model.named_parameters():
            if (momentum := tensors.get(f"momentum.{name}")) is not None:
                buffer = torch.empty_like(parameter, requires_grad=False).copy_(momentum)
                self.optimiser.state[parameter]["momentum_buffer"] = buffer
        return State(metrics=tensors["metrics"], **search["state"])


@dataclass(frozen=True)
class Restored:
    """A search's network as its checkpoint has it: on the CPU, in evaluation mode."""

    model: torch.nn.Module
    recipe: Recipe
    arch: Architecture
    epochs_done: int


def restore(path: str | Path) -> Restored:
    """Rebuild a network from its checkpoint alone. Raises HfnError if that is missing or damaged.

    Quantisation is on if the search had come to it.
    """
    if not Path(path).exists():
        raise HfnError(f"there is no checkpoint {path}")
    search, tensors = _read(path)
    recipe = Recipe.from_dict(search["recipe"])
    arch = Architecture.parse(recipe.arch, **search["shape"])
    model = build.build(recipe, arch)
    _restore(model, tensors, path)
    state = State(metrics=tensors["metrics"], **search["state"])
    model.quantise(state.quantised(recipe))
    model.eval().to(memory_format=torch.channels_last)  # as it was trained, so that sums are equal
    return Restored(model, recipe, arch, state.epoch)


def _restore(model, tensors: dict, path):
    state = {name.removeprefix("model."): value for name, value in tensors.items()
             if name.startswith("model.")}  # fmt: skip
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise HfnError(f"checkpoint {path} does not fit its own recipe ({error}): it is another "
                       "version's; delete it") from None  # fmt: skip


def _crc32(text: str, tensors: dict[str, torch.Tensor]) -> str:
    crc = zlib.crc32(text.encode())
    for name, value in sorted(tensors.items()):
        crc = zlib.crc32(name.encode(), crc)
        crc = zlib.crc32(value.reshape(-1).view(torch.uint8).numpy(), crc)
    return f"{crc:08x}"


def _read(path) -> tuple[dict, dict[str, torch.Tensor]]:
    """What the file says of its search, and its tensors."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        if metadata.get("format") != "hfn-checkpoint":
            raise HfnError(f"{path} is not a checkpoint of a search")
        if metadata["crc32"] != _crc32(metadata["search"], tensors):
            raise ValueError("its checksum differs")
        return json.loads(metadata["search"]), tensors
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise HfnError(f"checkpoint {path} is damaged ({error}); delete it") from None
