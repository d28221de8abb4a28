"""The plan of a network on a configuration: every descriptor, and what lies where in the image.

What does not fit is cut and spilled, with the fewest bytes moved: `residency` decides where maps
and masks live, `tiling` cuts steps into bands and chunks, `emit_step` writes the descriptors and
`tokens` what may not overtake what. Layouts: docs/architecture.md; image: docs/program.md.
"""

from dataclasses import dataclass
from typing import NamedTuple

from ..config import Config
from ..errors import HfnError
from ..images import LOGIT_BYTES, PIXEL_BYTES, image_stride, logits_stride
from ..network import Architecture
from ..program import DESCRIPTOR_BYTES, FIELDS, PARAMETER_BYTES, Opcode, Origin, shape_fields
from ..sequence import MAX_PATTERN_FAN_IN
from .emit_step import StepEmitter
from .emitter import Emitter, Job, needs
from .residency import place
from .steps import steps
from .streams import RawStreams, Streams, TicketStreams
from .tiling import Tiler
from .tokens import Access, tokens

__all__ = ["Item", "Plan", "RawStreams", "TicketStreams", "plan"]

REGION_ALIGNMENT = 64  # of masks and parameters in the image
_WIDTHS = {op: {f.name: f.bits for f in table} for op, table in FIELDS.items()}


class Item(NamedTuple):
    """A descriptor: its fields but those that depend on weights (`sign_state`, `pattern_state`,
    `shift`, and BEGIN's `accumulator_bits` and `crc32`). Note: what it does, in words."""

    opcode: Opcode
    fields: dict[str, int]
    origin: Origin | None
    note: str


@dataclass(frozen=True)
class Plan:
    """items: BEGIN to END, in program order.

    masks: (tensor, first output tile, tiles) -> address of their stream in the image, once each.
    parameters: layer -> address of its records. moved: bytes of activations, masks and parameters
    that a run moves, its logits excepted; no plan that is looked at moves fewer. spilled: names of
    the maps that do not stay in a bank.
    """

    items: tuple[Item, ...]
    masks: dict[tuple[int, int, int], int]
    parameters: dict[int, int]
    moved: int
    spilled: tuple[str, ...]


def plan(arch: Architecture, bits, config: Config, *, streams: Streams, batch: int = 1,
         bipolar=None) -> Plan:  # fmt: skip
    """The plan that moves the fewest bytes for a run of `batch` images.

    bits: activation bits of every executed layer's output but the classifier's; bipolar: whether
    they mean -1 and +1 (default: nowhere). streams: sizes of the mask streams. Raises HfnError,
    naming layer, figure and limit, for what neither cutting nor spilling makes fit.
    """
    bipolar = (False, *(bipolar or (False,) * len(bits)))  # [i + 1]: of layer i, [0]: the image
    most = (1 << _WIDTHS[Opcode.BEGIN]["batch"]) - 1
    if not 1 <= batch <= most:
        raise HfnError(f"batch must be from 1 to {most}, not {batch}")
    _check_fan_in(arch, streams)
    sequence, maps = steps(arch, bits, config)
    tiler = Tiler(config, batch, maps, streams)
    placed, moved = place(sequence, tiler)
    emitter, jobs = Emitter(maps, placed, tiler), []
    for index, p in enumerate(placed):
        emitter.begin(index)
        jobs += StepEmitter(emitter, p, bipolar[p.step.conv.source + 1]).jobs
        emitter.end(index)
    jobs.append(Job(Opcode.END, {}, Access(), ""))
    for job, waits in zip(jobs, tokens([(j.opcode, j.access) for j in jobs]), strict=True):
        job.fields |= waits

    size = _aligned((len(jobs) + 1) * DESCRIPTOR_BYTES)
    masks, parameters = {}, {}
    for job in jobs:
        if job.masks and job.masks not in masks:
            masks[job.masks] = size
            size += _aligned(job.fields["mask_beats"] * config.bus_bytes)
    for conv in arch.layers[:-1]:
        parameters[conv.norm] = size
        size += _aligned(conv.cout * PARAMETER_BYTES)
    for job in jobs:
        if job.opcode == Opcode.CONV:
            job.fields["mask_address"] = masks[job.masks]
            if not job.fields["raw"]:
                first = job.origin.channel * PARAMETER_BYTES
                job.fields["parameter_address"] = parameters[job.origin.layer] + first
    pixels = arch.image_size**2
    image_bytes = -(-pixels * PIXEL_BYTES // config.bus_bytes) * config.bus_bytes
    begin = {
        **shape_fields(config), **needs(jobs, config), "image_bytes": size,
        "input_bytes": (batch - 1) * image_stride(pixels) + image_bytes,
        "output_bytes": (batch - 1) * logits_stride(arch.classes) + LOGIT_BYTES * arch.classes,
        "workspace_bytes": emitter.workspace.size, "descriptors": len(jobs) + 1, "batch": batch,
        "classes": arch.classes,
    }  # fmt: skip
    out = (p.step.output for p in placed if p.spilled[2])
    spilled = tuple(maps[number].name for number in out)
    note = f"spilled to memory: {', '.join(spilled)}" if spilled else "all maps stay in the banks"
    items = [Item(Opcode.BEGIN, begin, None, note)]
    items += [Item(j.opcode, j.fields, j.origin, j.note) for j in jobs]
    for item in items:
        _check_fields(item)
    return Plan(tuple(items), masks, parameters, moved, spilled)


def _aligned(size: int) -> int:
    return -(-size // REGION_ALIGNMENT) * REGION_ALIGNMENT


def _check_fan_in(arch: Architecture, streams: Streams):
    for conv in arch.tensors:
        frozen = streams.mode(conv.tensor).frozen
        limit = MAX_PATTERN_FAN_IN if frozen else (1 << _WIDTHS[Opcode.CONV]["fan_in"]) - 1
        if conv.fan_in > limit:
            what = "fan-in under a frozen pattern" if frozen else "fan-in"
            raise HfnError(f"{conv.name}: {what} {conv.fan_in}, the limit is {limit}")


def _check_fields(item: Item):
    """Raise HfnError, naming the layer, for a figure that its field cannot hold."""
    widths = _WIDTHS[item.opcode]
    for name, value in item.fields.items():
        if value >> widths[name]:  # of a negative one too
            owner = item.note.partition(":")[0] or item.opcode.name
            raise HfnError(f"{owner}: descriptor field {name} must be 0 to "
                           f"{(1 << widths[name]) - 1}, not {value}")  # fmt: skip
