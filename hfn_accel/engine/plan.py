"""The plan of a network on a configuration: every descriptor, and what lies where in the image.

What does not fit is cut and spilled, with the fewest bytes moved: `residency` decides where maps
and masks live, `tiling` cuts steps into bands and chunks, `emit` writes the descriptors, `tokens`
what may not overtake what and `regions` what lies where in the image. All of that is machine code
over tables (`records`); here it becomes Python's. Layouts: docs/architecture.md; image:
docs/program.md.
"""

from dataclasses import dataclass
from typing import NamedTuple

from ..config import Config
from ..network import Architecture, Graph
from ..program import FIELDS, PARAMETER_BYTES, Opcode, Origin
from . import lower
from .messages import error, step_names
from .records import FITS, Design, Network
from .sweep import plan as best_plan

_LATER = {"opcode", "version", "magic", "reserved", "sign_state", "pattern_state", "shift",
          "accumulator_bits", "image_crc32", "mask_crc32", "parameter_crc32"}  # fmt: skip
_FIELDS = {opcode: [f.name for f in fields if f.name not in _LATER]
           for opcode, fields in FIELDS.items()}  # fmt: skip
_MASKS = "mask fetched, passes", "mask fetched, stays", "mask still on chip"  # by `mask_state`


class Item(NamedTuple):
    """A descriptor: its fields but those that depend on weights (`sign_state`, `pattern_state`,
    `shift`, BEGIN's `accumulator_bits`, and what `program.seal` fills in). Note: what it does, in
    words."""

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


def plan(arch: Architecture | Graph, bits, config: Config, *, streams: lower.Streams,
         batch: int = 1, bipolar=None) -> Plan:  # fmt: skip
    """The plan that moves the fewest bytes for a run of `batch` images.

    bits: activation bits of every executed layer's output but the classifier's; bipolar: whether
    they mean -1 and +1 (default: nowhere). streams: sizes of the mask streams. Raises HfnError,
    naming layer, figure and limit, for what neither cutting nor spilling makes fit.
    """
    network = Network(*lower.lower(arch, bits, bipolar),
                      *lower.tensor_table(streams, arch.tensors, config))  # fmt: skip
    table, moved, refusal = best_plan(network, Design.of(config, latency=0, batch=batch))
    if refusal.reason != FITS:
        raise error(refusal, arch)
    jobs, steps, names = _rows(table), _rows(network.steps), step_names(arch)
    stores = dict.fromkeys(job["step"] for job in jobs if job["opcode"] == Opcode.STORE)
    spilled = tuple(names[number] for number in stores)
    text = f"spilled to memory: {', '.join(spilled)}" if spilled else "all maps stay in the banks"
    notes = _Notes(names, steps, _rows(network.maps), config.columns, batch)
    items, masks, parameters = [_item(jobs[0], None, text)], {}, {}
    for job in jobs[1:-1]:
        origin, step = None, steps[job["step"]]
        if job["opcode"] in (Opcode.CONV, Opcode.POOL):
            origin = Origin(step["layer"], bool(step["pooled"]), job["image"], job["row_first"],
                            job["first_tile"] * config.columns)  # fmt: skip
        if job["opcode"] == Opcode.CONV:
            masks[step["tensor"], job["first_tile"], job["tiles"]] = job["mask_address"]
            if not job["raw"]:
                first = origin.channel * PARAMETER_BYTES
                parameters[origin.layer] = job["parameter_address"] - first
        items.append(_item(job, origin, notes.of(job)))
    items.append(_item(jobs[-1], None, ""))
    return Plan(tuple(items), masks, parameters, int(moved), spilled)


def _rows(table) -> list[dict[str, int]]:
    return [dict(zip(table.dtype.names, row, strict=True)) for row in table.tolist()]


def _item(job: dict[str, int], origin: Origin | None, note: str) -> Item:
    opcode = Opcode(job["opcode"])
    return Item(opcode, {name: job[name] for name in _FIELDS[opcode]}, origin, note)


class _Notes:
    """What descriptors do, in words; names: of the steps."""

    def __init__(self, names: list[str], steps, maps, columns: int, batch: int):
        self._names, self._steps, self._maps = names, steps, maps
        self._columns, self._batch = columns, batch
        self._map_names = {step["output"]: name for step, name in zip(steps, names, strict=True)}

    def of(self, job: dict[str, int]) -> str:
        """Of one that belongs to a step."""
        step, name, number = self._steps[job["step"]], self._names[job["step"]], job["map"]
        if number >= 0:
            source = self._map_names.get(number, "image")
            return f"{name}: {source}{self._part(job, self._maps[number]['height'])}"
        text = f"{name}:{self._part(job, step['rows'])}"
        if step["pooled"]:
            return text
        if job["tiles"] * self._columns < step["cout"]:
            first = job["first_tile"] * self._columns
            text += f" channels {first}-{first + job['out_channels'] - 1},"
        return f"{text} {_MASKS[job['mask_state']]}"

    def _part(self, job: dict[str, int], all_rows: int) -> str:
        """What part of a map, nothing if it is the whole."""
        first, end = job["row_first"], job["row_end"]
        image = f" image {job['image']}" if self._batch > 1 else ""
        return image + (f" rows {first}-{end - 1}," if (first, end) != (0, all_rows) else "")
