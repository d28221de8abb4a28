"""The tables of docs/results.md, each from the models alone: a function a table."""

from .. import sizes as _sizes
from ..config import Config
from ..design_report import report as design_report
from ..networks import named
from ..random_ticket import random_ticket
from ..workload import Workload, resolve
from .tables import Column, Table

TICKET = "cifar10-32x1-64x2f-128x3f"
KIB = 1024
SHAPES = ("8x8", "16x16", "32x32", "64x64")
BANKS = (64, 256, 1024)  # KiB


def sizes() -> Table:
    """What every published network weighs and moves."""
    columns = (
        Column("network", "network"), Column("dataset", "images"),
        Column("dense_network", "dense"), Column("dense_mb", "dense (MB)", "{:.2f}"),
        Column("published_mb", "published model (MB)", "{:.3f}"),
        Column("published_ratio", "×", "{:.2f}"), Column("claimed_ratio", "claimed ×"),
        Column("full_mb", "full accounting, coded (MB)", "{:.3f}"),
        Column("full_ratio", "×", "{:.2f}"),
        Column("traffic_mb_reuse", "moved an image, masks kept (MB)", "{:.3f}"),
        Column("traffic_mb_refetch", "masks refetched (MB)", "{:.3f}"),
    )  # fmt: skip
    return Table("Model sizes and what an image moves of them", columns, _sizes.rows(),
                 "python -m hfn_accel.report sizes")  # fmt: skip


def encoding() -> Table:
    """From the published size to this design's."""
    columns = (Column("step", "HFN-ResNet-50, CIFAR-100"), Column("mb", "MB", "{:.3f}"),
               Column("built", "built"), Column("how", "how"))  # fmt: skip
    rows = [row | {"built": "yes" if row["built"] else "no"} for row in _sizes.steps()]
    return Table("What each step of the encoding gives", columns, rows,
                 "python -m hfn_accel.report encoding")  # fmt: skip


def ways() -> Table:
    """One network, its weights held in every way."""
    columns = (
        Column("way", "weights held as"), Column("stored", "bytes stored", "{:,}"),
        Column("reused", "moved an image, kept on chip", "{:,}"),
        Column("refetched", "moved, fetched for every layer", "{:,}"),
        Column("ratio", "stored, against dense float32", "{:.1f}×"),
    )  # fmt: skip
    found = _sizes.ways(named("hfn-resnet50", "cifar100"))
    dense = found["dense float32"].stored
    rows = [{"way": name, "ratio": dense / size.stored, **vars(size)}
            for name, size in found.items()]  # fmt: skip
    return Table("The weights of an HFN-ResNet-50 for CIFAR-100, held in other ways", columns, rows,
                 "python -m hfn_accel.report ways")  # fmt: skip


def shapes() -> Table:
    """The shipped ticket on arrays of other shapes."""
    columns = (Column("pe", "array"), Column("cycles", "cycles an image", "{:,}"),
               Column("utilisation", "utilisation", "{:.1%}"),
               Column("body_utilisation", "within the stages", "{:.1%}"))  # fmt: skip
    found = resolve({"ticket": TICKET})
    rows = [design_report(found, Config.parse(pe=pe)) for pe in SHAPES]
    return Table("The shipped ticket on arrays of other shapes", columns,
                 [{c.key: row[c.key] for c in columns} for row in rows],
                 "python -m hfn_accel.report shapes")  # fmt: skip


def traffic() -> Table:
    """What the shipped ticket stores and moves, against other ways to hold its weights."""
    columns = (
        Column("way", "weights held as"), Column("stored", "bytes stored", "{:,}"),
        Column("moved", "bytes moved", "{:,}"), Column("total", "all bytes moved", "{:,}"),
        Column("total_ratio", "against this design", "{:.2f}×"),
    )  # fmt: skip
    found = design_report(resolve({"ticket": TICKET}), Config())["baselines"]
    rows = [{"way": name, **row} for name, row in found.items()]
    return Table("What an image of the shipped ticket moves on 16x16", columns, rows,
                 "python -m hfn_accel.report traffic")  # fmt: skip


def buffers() -> Table:
    """HFN-ResNet-50 at 224x224 with activation banks that spill and that do not."""
    columns = (
        Column("pe", "array"), Column("bank", "banks (KiB)"),
        Column("cycles", "cycles", "{:,}"), Column("against_array", "× full array", "{:.3f}"),
        Column("body_utilisation", "within the stages", "{:.1%}"),
        Column("activation", "activation bytes moved", "{:,}"),
        Column("mask", "mask bytes moved", "{:,}"), Column("total", "all bytes", "{:,}"),
    )  # fmt: skip
    ticket, rows = random_ticket(named("hfn-resnet50", "imagenet"), 1), []
    found = Workload.of_ticket(ticket)
    for pe in ("16x16", "32x32"):
        for bank in BANKS:
            r = design_report(found, Config.parse(pe=pe).replace(activation_bytes=bank * KIB))
            rows.append({
                "pe": pe, "bank": bank, "cycles": r["cycles"],
                "against_array": r["cycles"] / r["ideal_cycles"],
                "body_utilisation": r["body_utilisation"],
                **{name: r["bytes"][name] for name in ("activation", "mask", "total")},
            })  # fmt: skip
    return Table("HFN-ResNet-50 at 224x224 with other activation banks", columns, rows,
                 "python -m hfn_accel.report buffers")  # fmt: skip
