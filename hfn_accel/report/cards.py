"""The tickets that ship: a line each for docs/results.md, a card each for docs/tickets.md."""

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..config import Config
from ..design_report import report as design_report
from ..ticket import load
from ..ticket.show import describe
from ..workload import Workload
from .tables import Column, Table

HOME = Path(__file__).parent.parent
TICKETS, DENSE = HOME / "tickets", HOME / "data" / "dense.csv"
_PERCENT = "{:.2%}"
_ACCURACIES = (
    Column("integer_accuracy", "accuracy, integer", _PERCENT),
    Column("float_quantised_accuracy", "float, quantised activations", _PERCENT),
    Column("float_accuracy", "float", _PERCENT),
)
_CARD = (
    Column("dataset", "data"), Column("test_images", "test images, all of them", "{:,}"),
    *_ACCURACIES, Column("dense", "the same architecture trained densely"),
    Column("arch", "architecture"), Column("weights", "weights", "{:,}"),
    Column("method", "method"), Column("mode", "weights held as"),
    Column("density", "density of the masks", "{:.4f}"), Column("bits", "activation bits"),
    Column("seed", "seed"), Column("bytes", "file (bytes)", "{:,}"),
    Column("coded_bytes", "coded masks and signs on 16x16 (bytes)", "{:,}"),
    Column("entropy_bytes", "their entropy (bytes)", "{:,.0f}"),
    Column("cycles", "cycles an image on 16x16", "{:,}"),
    Column("moved_bytes", "bytes moved an image on 16x16", "{:,}"),
    Column("spilled_bytes", "of these, activations (image and logits included)", "{:,}"),
    Column("buffers", "buffers used on 16x16"), Column("epochs", "epochs"),
    Column("seconds", "search (s)"), Column("note", "note"),
)  # fmt: skip


@dataclass(frozen=True)
class Cards(Table):
    """A section a row: its name, what is known of it, and the commands that find it again."""

    def markdown(self) -> str:
        return "\n".join([*map(self._card, self.rows), f"(`{self.command}`)\n"])

    text = markdown

    def _card(self, row: dict) -> str:
        lines = [f"| {c.heading} | {cell} |" for c in self.columns if (cell := c.cell(row))]
        commands = [f"{what}:\n\n```usage\n{row[key]}\n```\n" for what, key in
                    (("The search", "command"), ("The dense network", "dense_command"))
                    if row[key]]  # fmt: skip
        table = "\n".join(["| | |", "| --- | --- |", *lines])
        return "\n".join([f"## {row['ticket']}\n{table}\n", *commands])


def tickets() -> Table:
    """The tickets that ship, as their provenance says."""
    columns = (Column("ticket", "ticket"), Column("mode", "weights held as"), *_ACCURACIES,
               Column("bytes", "file (bytes)", "{:,}"),
               Column("cycles", "cycles an image on 16x16", "{:,}"),
               Column("moved_bytes", "bytes moved", "{:,}"), Column("epochs", "epochs"),
               Column("seconds", "search (s)"))  # fmt: skip
    keys = [c.key for c in columns]
    return Table("The tickets that ship, on all test images of their data", columns,
                 [{key: row[key] for key in keys} for row in _rows()],
                 "python -m hfn_accel.report tickets")  # fmt: skip


def cards() -> Table:
    """All that there is to say of each."""
    return Cards("The tickets that ship", _CARD, _rows(), "python -m hfn_accel.report cards")


@lru_cache
def _rows() -> list[dict]:
    return [row(path) for path in sorted(TICKETS.glob("*.safetensors"))]


def row(path: Path) -> dict:
    """What a card shows of a ticket's file, and of an image on the default configuration."""
    ticket, config = load(path), Config()
    about, found = ticket.provenance, describe(ticket, path, config)
    run, total = design_report(Workload.of_ticket(ticket, path.stem), config), found["total"]
    moved = run["bytes"]
    return {
        "ticket": path.stem, "dataset": about.get("dataset"), "arch": found["arch"],
        "test_images": _number(about, "test_images"),
        **{c.key: _number(about, c.key) for c in _ACCURACIES},
        **_dense(found["arch"], about.get("dataset")), "method": about.get("method"),
        "mode": "; ".join(dict.fromkeys(r["mode"] for r in found["tensors"])),
        "bits": ", ".join(sorted({bits for r in found["tensors"] for bits in r["bits"]})),
        "seed": ticket.seed, "bytes": found["bytes"], "weights": total["weights"],
        "density": total["density"], "coded_bytes": total["coded_bytes"],
        "entropy_bytes": total["entropy_bytes"], "cycles": run["cycles"],
        "moved_bytes": moved["total"], "spilled_bytes": moved["activation"],
        "buffers": ", ".join(f"{name} {b['used']:,} of {b['available']:,} {b['unit']}"
                             for name, b in run["occupancy"].items()),
        "epochs": _number(about, "epochs"), "seconds": _number(about, "seconds"),
        "note": about.get("note"), "command": about.get("command"),
    }  # fmt: skip


def _number(about: dict, key: str) -> float | None:
    if key not in about:
        return None
    value = float(about[key])
    return int(value) if value.is_integer() else value


def _dense(arch: str, dataset: str | None) -> dict:
    """The best dense training of data/dense.csv, and its command."""
    with open(DENSE, newline="") as file:
        rows = [r for r in csv.DictReader(file) if (r["arch"], r["dataset"]) == (arch, dataset)]
    if not rows:
        return {"dense": None, "dense_command": None}
    best = max(rows, key=lambda r: float(r["accuracy"]))
    said = f"{float(best['accuracy']):.2%} after {best['epochs']} epochs, {best['seconds']} s"
    return {"dense": said, "dense_command": best["command"]}
