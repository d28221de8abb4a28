"""What a ticket is, tensor by tensor: modes, densities, and its sizes by codec."""

from pathlib import Path

import numpy as np

from ..config import Config
from ..modes import FROZEN_PARTS, Mode
from ..program import PARAMETER_BYTES, Signs
from ..report.tables import Column, Table
from ..sizes import entropy
from ..streams import TicketStreams
from .contents import Ticket

_COLUMNS = (
    Column("name", "tensor"), Column("shape", "shape"), Column("mode", "mode"),
    Column("runs", "runs"), Column("bits", "bits"), Column("density", "density", "{:.4f}"),
    Column("weights", "weights", "{:,}"), Column("packed_bytes", "in the file", "{:,}"),
    Column("raw_bytes", "raw stream", "{:,}"), Column("coded_bytes", "coded", "{:,}"),
    Column("entropy_bytes", "entropy", "{:,.0f}"), Column("norm_bytes", "norms", "{:,}"),
)  # fmt: skip
_SUMS = ("weights", "packed_bytes", "raw_bytes", "coded_bytes", "entropy_bytes", "norm_bytes")


def describe(ticket: Ticket, path: Path, config: Config | None = None) -> dict:
    """All that there is to say of a ticket without running it, as plain values for JSON.

    `tensors`: a row a weight tensor. `bits`: of its runs' outputs, b: bipolar. Bytes are of
    masks and sign planes: packed as in the file, as the streams of `config` (16x16 if not given)
    raw and coded, and as no code of independent weights goes below; `norm_bytes` of the records of
    all its executions in a program. `total` sums them.
    """
    config = config or Config()
    streams = [TicketStreams(ticket, config, coded) for coded in (False, True)]
    rows = [_row(ticket, tensor, streams, config) for tensor in range(len(ticket.masks))]
    arch, total = ticket.arch, {name: sum(row[name] for row in rows) for name in _SUMS}
    kept = sum(np.count_nonzero(mask) for mask in ticket.masks)
    return {
        "ticket": path.stem, "bytes": path.stat().st_size, "arch": str(arch),
        "classes": arch.classes, "in_channels": arch.in_channels, "image_size": arch.image_size,
        "seed": ticket.seed, "density": ticket.density, "class_names": list(ticket.class_names),
        "array": config.name, "tensors": rows,
        "total": total | {"density": kept / total["weights"],
                          "macs": sum(conv.macs for conv in arch.layers)},
        "provenance": ticket.provenance,
    }  # fmt: skip


def _row(ticket: Ticket, tensor: int, streams, config: Config) -> dict:
    conv, mode = ticket.arch.tensors[tensor], ticket.modes[tensor]
    runs = [layer for layer in ticket.arch.layers if layer.tensor == tensor]
    norms = [ticket.norms[layer.norm] for layer in runs if not layer.classifier]
    tiles = -(-conv.cout // config.columns)
    raw, coded = (s.beats(tensor, 0, tiles) * config.bus_bytes for s in streams)
    bits = [f"{norm.bits}{'b' if norm.bipolar else ''}" for norm in norms]
    return {
        "name": conv.name.partition("[")[0],
        "shape": f"{conv.cout}x{conv.cin}x{conv.kernel}x{conv.kernel}",
        "mode": mode_text(mode), "coats": mode.coats, "signs": mode.signs.name.lower(),
        "pruned": mode.pruned, "locked": mode.locked, "runs": len(runs),
        "bits": bits,
        "weights": conv.weights, "density": float((ticket.masks[tensor] > 0).mean()),
        "packed_bytes": mode.planes * -(-conv.weights // 8), "raw_bytes": raw,
        "coded_bytes": coded, "entropy_bytes": information(ticket, tensor) / 8,
        "norm_bytes": PARAMETER_BYTES * conv.cout * len(norms),
    }  # fmt: skip


def mode_text(mode: Mode) -> str:
    """How the weights are said, such as "2 coats, signs with exceptions"."""
    parts = [f"{mode.coats} coats"] if mode.coats > 1 else []
    parts += [f"{getattr(mode, what)}/{FROZEN_PARTS} {what}" for what in ("pruned", "locked")
              if getattr(mode, what)]  # fmt: skip
    if mode.signs != Signs.SEQUENCE:
        parts.append("signs with exceptions" if mode.signs == Signs.EXCEPTIONS
                     else "explicit signs")  # fmt: skip
    return ", ".join(parts) or "plain"


def information(ticket: Ticket, tensor: int) -> float:
    """Bits that a tensor's masks and signs carry if weights are independent and alike: of each
    coat, those of the weights in the coat before; of frozen tensors, the searchable ones; of
    stored signs, those of the kept weights."""
    mask, mode = ticket.masks[tensor], ticket.modes[tensor]
    under: np.ndarray = np.ones(mask.shape, bool)
    if mode.frozen:
        numbers = ticket.pattern(tensor)
        assert numbers is not None  # it is frozen
        under = numbers >= mode.frozen
    bits = 0.0
    for coat in range(mode.coats):
        bits += _bits((mask > coat)[under])
        under = mask > coat
    if (plane := ticket.sign_planes[tensor]) is not None:
        bits += _bits(plane[mask > 0])
    return bits


def _bits(plane: np.ndarray) -> float:
    ones = np.count_nonzero(plane)
    return plane.size * entropy(ones / plane.size) if 0 < ones < plane.size else 0.0


def text(r: dict) -> str:
    """`describe` for a terminal."""
    total = r["total"]
    rows = [row | {"bits": ",".join(sorted(set(row["bits"])))} for row in r["tensors"]]
    last = {"name": "all", "shape": "", "mode": "", "runs": None, "bits": "", **total}
    table = Table(
        f"{r['ticket']}: {r['arch']}, {r['in_channels']} channels of {r['image_size']}x"
        f"{r['image_size']} pixels to {r['classes']} classes, seed {r['seed']}",
        _COLUMNS, [*rows, last], "")  # fmt: skip
    lines = [table.text(), "", f"bytes of masks and signs; streams and norms on {r['array']}",
             f"{r['bytes']:,} bytes of file, {total['macs']:,} MACs an image",
             f"classes: {', '.join(r['class_names'])}", ""]  # fmt: skip
    return "\n".join([*lines, *(f"{k:26}{v}" for k, v in r["provenance"].items())]).rstrip()
