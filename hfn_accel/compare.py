"""What two runs of a program computed and counted, side by side."""

import zlib

import numpy as np

from .estimator import Estimate
from .functional import Result, layers
from .network import Architecture
from .program import Program
from .shape import output_channels


def _name(arch: Architecture | None, layer: int, pooled: bool) -> str:
    return (arch.layers[layer].name if arch else f"layer{layer}") + ".pool" * pooled


def maps(program: Program, result: Result, arch: Architecture | None) -> dict[str, np.ndarray]:
    """Every layer's map by name, uint8 (N, channels, height, width); `.pool` names what a max
    pooling made of it. Empty for a program that does not say what belongs where.
    """
    if not program.origins or not result.activations:
        return {}
    whole = layers(program, result.activations)
    return {
        _name(arch, *key): values[: len(result.logits)] for key, values in sorted(whole.items())
    }


def checksum(values: np.ndarray) -> str:
    """CRC-32 of a layer's map, image after image, channels first: eight hexadecimal digits."""
    return f"{zlib.crc32(np.ascontiguousarray(values)):08x}"


def checksums(program: Program, result: Result, arch: Architecture | None) -> dict[str, str]:
    """Of every layer's map, by name; of the logits as int32."""
    found = {name: checksum(values) for name, values in maps(program, result, arch).items()}
    return found | {"logits": checksum(result.logits.astype("<i4"))}


def differences(program: Program, counted, model: Result, figures: Estimate,
                arch: Architecture | None = None) -> list[str]:  # fmt: skip
    """What of `counted`, the RTL's result, differs from the functional simulator's `model` or from
    the estimate, a line each: figures, and the first descriptor with a wrong value. Empty: none.
    """
    found = []
    names = [_descriptor(program, index, arch) for index in output_channels(program)]
    for name, values, wanted in zip(
        [*names, "the logits"], [*counted.activations, counted.logits],
        [*model.activations, model.logits], strict=True,
    ):  # fmt: skip
        where = np.argwhere(values != wanted)
        if len(where):
            at = tuple(where[0].tolist())
            found.append(f"{len(where)} of {values.size} values of {name}, the first at "
                         f"{at}: {values[at]}, not {wanted[at]}")  # fmt: skip
            break
    if counted.planes != model.planes:
        found.append(f"planes: {counted.planes}, not {model.planes}")
    for what, have, want in (
        ("bytes", counted.bytes, model.bytes),
        ("estimated bytes", counted.bytes, figures.bytes_by_class),
        ("estimated cycles", counted.cycles, figures.cycles_by_cause),
    ):
        found += [f"{what}: {name} {have[name]}, not {want[name]}"
                  for name in have if have[name] != want[name]]  # fmt: skip
    return found


def _descriptor(program: Program, index: int, arch: Architecture | None) -> str:
    """Which descriptor that is, and what part of which layer it computes."""
    origin = program.origins[index] if program.origins else None
    if origin is None:
        return f"descriptor {index}"
    name = _name(arch, origin.layer, origin.pooled)
    return (f"descriptor {index} ({name}, image {origin.image}, from row {origin.row} and "
            f"channel {origin.channel} on)")  # fmt: skip
