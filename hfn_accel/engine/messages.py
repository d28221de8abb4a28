"""What a Refusal says to people."""

from ..errors import HfnError, exceeded
from ..network import Architecture, Graph
from ..sequence import MAX_PATTERN_FAN_IN
from .records import ACTIVATIONS, BATCH, FAN_IN, FIELD, JOB, MASKS, PARTIAL_SUMS, Refusal

_EXCEEDED = {
    MASKS: ("mask bytes", "mask_bytes"),
    ACTIVATIONS: ("activation bytes", "activation_bytes"),
    PARTIAL_SUMS: ("partial sums", "psum_depth"),
}
"""What is too much, in the unit of the configuration field that mends it."""


def step_names(arch: Architecture | Graph) -> list[str]:
    """Names of the steps in order: of every layer, and of the pooling behind it."""
    return [name for layer in arch.layers
            for name in (layer.name, f"{layer.name}.pool")[: 1 + layer.max_pool]]  # fmt: skip


def error(refusal: Refusal, arch: Architecture | Graph) -> HfnError:
    """Names layer, figure and limit."""
    figure, limit = refusal.figure, refusal.limit
    if refusal.reason == BATCH:
        return HfnError(f"batch must be from 1 to {limit}, not {figure}")
    name = step_names(arch)[refusal.step] if refusal.step >= 0 else "BEGIN"
    if refusal.reason == FAN_IN:
        what = "fan-in under a frozen pattern" if limit == MAX_PATTERN_FAN_IN else "fan-in"
        return HfnError(f"{name}: {what} {figure}, the limit is {limit}")
    if refusal.reason == FIELD:
        return HfnError(f"{name}: descriptor field {JOB.names[refusal.field]} must be 0 to "
                        f"{limit}, not {figure}")  # fmt: skip
    what, option = _EXCEEDED[refusal.reason]
    return exceeded(name, what, figure, limit, option)
