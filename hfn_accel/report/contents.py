"""The tables of docs/results.md and docs/tickets.md, from the models alone: a function a table."""

from functools import lru_cache

from .. import rooms, scalesim
from .. import sizes as _sizes
from ..area import FIGURES as AREA
from ..area import measured
from ..area import report as area_report
from ..config import Config
from ..design_report import report as design_report
from ..energy import weight_energy
from ..network import Architecture
from ..networks import named
from ..random_ticket import random_ticket
from ..synthesis_table import MEASURED, read
from ..topology import of_network
from ..topology_network import alone
from ..workload import Workload, resolve
from . import bismo, synthesis
from .cards import cards, tickets
from .tables import Column, Table

TICKET = "cifar10-32x1-64x2f-128x3f"
KIB = 1024
SHAPES = ("8x8", "16x16", "32x32", "64x64")
BANKS = (64, 256, 1024)  # KiB


@lru_cache
def _random(arch: Architecture, seed: int = 1, bits: int = 8) -> Workload:
    """A random ticket's workload, which several tables are of."""
    return Workload.of_ticket(random_ticket(arch, seed, bits=bits))


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
        Column("parameters", "normalisation bytes", "{:,}"),
        Column("ratio", "stored with normalisation, against dense float32", "{:.1f}×"),
    )  # fmt: skip
    found = _sizes.ways(named("hfn-resnet50", "cifar100"))
    first = found["dense float32, unfolded"]
    dense = first.stored + first.parameters
    rows = [{"way": name, "ratio": dense / (size.stored + size.parameters), **vars(size)}
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
    found, rows = _random(named("hfn-resnet50", "imagenet")), []
    for pe in ("16x16", "32x32"):
        for bank in BANKS:
            r = design_report(found, Config.parse(pe=pe).replace(activation_bytes=bank * KIB))
            rows.append({"bank": bank, **_speed(r), **r["bytes"]})
    return Table("HFN-ResNet-50 at 224x224 with other activation banks", columns, rows,
                 "python -m hfn_accel.report buffers")  # fmt: skip


def _speed(r: dict) -> dict:
    """Of a design's report: cycles, and what they are against the bounds."""
    return {"pe": r["pe"], "cycles": r["cycles"], "body_utilisation": r["body_utilisation"],
            "against_array": r["cycles"] / r["ideal_cycles"],
            "against_bus": r["cycles"] / r["bandwidth_cycles"]}  # fmt: skip


def networks() -> Table:
    """The networks that `make test-networks` runs on the RTL, estimated."""
    columns = (
        Column("network", "network, input"), Column("pe", "array"),
        Column("cycles", "cycles", "{:,}"), Column("against_array", "× full array", "{:.3f}"),
        Column("against_bus", "× full bus", "{:.3f}"),
        Column("body_utilisation", "within the stages", "{:.1%}"),
        Column("bytes", "bytes", "{:,}"), Column("compulsory", "compulsory bytes", "{:,}"),
        Column("energy", "energy (mJ)"), Column("time", "time on ECP5 (ms)", "{:,.0f}"),
    )  # fmt: skip
    rows = []
    for name, case in rooms.load("sim.networks", "sim").CASES.items():
        workload = _random(case.arch, case.seed, case.bits)
        r = design_report(workload, case.config, batch=case.batch, coded=case.coded)
        low, high = r["energy_uj"]["total"]
        rows.append({"network": name, **_speed(r), "bytes": r["bytes"]["total"],
                     "compulsory": r["compulsory_bytes"], "time": r["time_ms"],
                     "energy": f"{low / 1e3:.2f} to {high / 1e3:.2f}"})  # fmt: skip
    return Table("The networks that run whole on the RTL, estimated", columns, rows,
                 "python -m hfn_accel.report networks")  # fmt: skip


def causes() -> Table:
    """Where the clocks of these networks go."""
    names = ("compute", "mask", "load", "pool", "store", "fill", "stall", "drain", "parameter",
             "descriptor")  # fmt: skip
    columns = (Column("network", "cycles of"), *(Column(n, n, "{:,}") for n in names))
    rows = []
    for name, case in rooms.load("sim.networks", "sim").CASES.items():
        workload = _random(case.arch, case.seed, case.bits)
        e = workload.estimate(case.config, batch=case.batch, coded=case.coded)
        rows.append({"network": name, **e.cycles_by_cause})
    return Table("Where their clock cycles go, by what the executor does", columns, rows,
                 "python -m hfn_accel.report causes")  # fmt: skip


def energy() -> Table:
    """A weight regenerated, kept or fetched."""
    columns = (Column("weight", "a weight held as"), Column("place", "from"),
               Column("off_chip_bits", "off-chip bits", "{:.3f}"),
               Column("energy_low_pj", "at least (pJ)", "{:.3f}"),
               Column("energy_high_pj", "at most (pJ)", "{:.3f}"))  # fmt: skip
    found = weight_energy(Config())
    rows = [dict(zip(found, row, strict=True)) for row in
            zip(*(values.tolist() for values in found.values()), strict=True)]  # fmt: skip
    return Table("Energy of one weight on 16x16, once to the array", columns, rows,
                 "python -m hfn_accel.report energy")  # fmt: skip


def area() -> Table:
    """Synthesis results and the model's error on each."""
    found = area_report(measured())
    columns = (Column("design", "design"), *(Column(n, f"{n} measured (error)") for n in AREA))
    rows = [{"design": row["design"], **{n: _measured(row.get(n)) for n in AREA}}
            for row in found["designs"]]  # fmt: skip
    return Table("Area and clock on an ECP5, and how far the fit to these very rows is off",
                 columns, rows, "python -m hfn_accel.report area")  # fmt: skip


def _measured(pair: dict | None) -> str:
    if pair is None:
        return ""
    return f"{pair['measured']:,.0f} ({pair['computed'] / pair['measured'] - 1:+.1%})"


def _synthesised(table):
    """A function without arguments that makes a table of the packaged synthesis results."""
    return lambda: table(list(read(MEASURED).values()))


def estimators() -> Table:
    """ResNet-18 at 224x224 on 32x32 positions, by several estimators."""
    columns = (
        Column("name", "layer"), Column("macs", "MACs", "{:,}"),
        Column("full_array_cycles", "full array", "{:,}"),
        Column("scalesim_ws_cycles", "SCALE-Sim weight-stationary", "{:,}"),
        Column("scalesim_os_cycles", "SCALE-Sim output-stationary", "{:,}"),
        Column("ours_cycles", "this core, 8-bit", "{:,}"),
        Column("compulsory_bytes", "compulsory bytes, 8-bit weights", "{:,}"),
        Column("ours_bytes", "bytes of this core", "{:,}"),
    )  # fmt: skip
    config = Config(rows=32, columns=32)
    layers = of_network(named("hfn-resnet18", "imagenet"))
    found = scalesim.compare(layers, 32, 32, lambda layer: alone(layer, config))
    rows = [*found["layers"], {**found, "name": "all"}]
    return Table("Cycles of ResNet-18, 224x224, on 32x32 positions, layer by layer", columns, rows,
                 "python -m hfn_accel.report estimators")  # fmt: skip


TABLES = {
    "sizes": sizes, "encoding": encoding, "ways": ways, "tickets": tickets, "cards": cards,
    "networks": networks, "causes": causes, "buffers": buffers, "shapes": shapes,
    "traffic": traffic, "estimators": estimators, "energy": energy, "area": area,
    "synthesis": _synthesised(synthesis.designs), "blocks": _synthesised(synthesis.blocks),
    "arrays": _synthesised(synthesis.arrays), "bismo": _synthesised(bismo.table),
}  # fmt: skip
"""By the name that the command takes."""
