"""The report of one design: what `python -m hfn_accel.estimate` prints, and pictures show."""

import re

import numpy as np

from . import evaluate
from .baselines import OURS, baselines
from .config import Config
from .estimator import DEFAULT_LATENCY, Estimate
from .workload import Workload

FETCHES = ("descriptor", "parameter", "mask", "load")  # causes: waiting for the fetcher
BUFFERS = {
    "bank": ("bank_used_bytes", "activation_bytes", "bytes"),
    "mask": ("mask_used_bytes", "mask_bytes", "bytes"),
    "partial sums": ("psum_used_pixels", "psum_depth", "pixels"),
    "parameters": ("parameter_used_channels", "parameter_channels", "channels"),
    "results": ("result_used_words", "result_words", "words"),
}
"""Buffer -> column of what is used, field of what there is, unit."""
_BLOCK = re.compile(r"(stage\d+\.\w+)\.\w+(\[\d+\])?")


def report(workload: Workload, config: Config, latency: int = DEFAULT_LATENCY, batch: int = 1,
           coded: bool = True) -> dict:  # fmt: skip
    """All that the models say of a run of `batch` images, as plain values for JSON.

    coded: as the compiler's. `layers`, `blocks` and `stages` are parts of the run, each with a list
    of the same figures; `figures` has every column of a table of points (docs/exploration.md).
    Raises HfnError for what the compiler refuses.
    """
    workload.check(config)
    e = workload.estimate(config, latency, batch, coded)
    others = baselines(workload.arch, workload.streams(config, coded), e)
    ours = others[OURS]
    point = evaluate.point(config, latency, batch, coded)
    figures = {name: _plain(values[0]) for name, values in
               evaluate.figures(workload, point).items()}  # fmt: skip
    return {
        "network": workload.name,
        "pe": config.name,
        "config": config.to_dict(),
        "latency": latency,
        "batch": batch,
        **_figures(e),
        "ideal_cycles": e.ideal_cycles,
        "bandwidth_cycles": e.bandwidth_cycles,
        "body_utilisation": e.body.utilisation,
        "compulsory_bytes": figures["compulsory_bytes"],
        "model_bytes": figures["model_bytes"],
        "occupancy": {name: {"used": figures[used], "available": getattr(config, field),
                             "unit": unit} for name, (used, field, unit) in BUFFERS.items()},
        "energy_uj": _energy(figures),
        "area": {name: figures[name] for name in
                 ("area_lut4", "area_ff", "area_bram_18kib", "area_dsp", "clock_mhz")},
        "time_ms": figures["time_ms"],
        "figures": figures,
        "baselines": {
            name: {
                "stored": b.stored,
                "moved": b.moved,
                "total": b.total,
                "stored_ratio": b.stored / ours.stored,
                "moved_ratio": b.moved / ours.moved,
                "total_ratio": b.total / ours.total,
            }
            for name, b in others.items()
        },
        "layers": _rows(e, lambda layer: layer),
        "blocks": _rows(e, block),
        "stages": _rows(e, lambda layer: layer.split(".")[0]),
    }  # fmt: skip


def _plain(value):
    """A figure as JSON has it: whole numbers as integers, None for what is unknown."""
    if isinstance(value, str):
        return value
    if np.isnan(value):
        return None
    return int(value) if float(value).is_integer() else float(value)


def _energy(figures: dict) -> dict[str, list[float]]:
    """Component, and `total` -> [low, high] in microjoules."""
    suffix = "_energy_low_uj"
    names = [name.removesuffix(suffix) for name in figures if name.endswith(suffix)]
    found = {name: [figures[f"{name}_energy_{end}_uj"] for end in ("low", "high")]
             for name in names}  # fmt: skip
    return found | {"total": [figures["energy_low_uj"], figures["energy_high_uj"]]}


def block(layer: str) -> str:
    """The residual block that a layer belongs to, and its iteration."""
    match = _BLOCK.fullmatch(layer)
    return match[1] + (match[2] or "") if match else layer


def _rows(e: Estimate, name_of) -> list[dict]:
    parts = e.parts([name_of(name) for name in e.names])
    return [{"name": name, **_figures(part)} for name, part in parts.items()]


def _figures(e: Estimate) -> dict:
    return {
        "cycles": e.total_cycles,
        "cycles_by_cause": e.cycles_by_cause,
        "macs": int(e.macs.sum()),
        "utilisation": e.utilisation,
        "bytes": e.bytes_by_class,
    }


def text(result: dict, layers: bool = False) -> str:
    """`report` as tables: stages (or layers), causes and classes, buffers, energy, baselines."""
    cycles, moved = result["cycles"], result["bytes"]
    run = "an image" if result["batch"] == 1 else f"a run of {result['batch']} images"
    area, (low, high) = result["area"], result["energy_uj"]["total"]
    lines = _parts(result["layers" if layers else "stages"])
    lines += ["", f"{cycles:,} cycles {run} on {result['pe']} (memory latency "
              f"{result['latency']}), {result['macs']:,} MACs, utilisation "
              f"{result['utilisation']:.1%}, {result['body_utilisation']:.1%} within the stages",
              f"{cycles / result['ideal_cycles']:.3f} x the {result['ideal_cycles']:,} of a full "
              f"array, {cycles / result['bandwidth_cycles']:.3f} x the "
              f"{result['bandwidth_cycles']:,} of a full bus",
              f"{moved['total']:,} bytes moved, {moved['total'] / result['compulsory_bytes']:.3f} "
              f"x the {result['compulsory_bytes']:,} that must; {result['model_bytes']:,} bytes of "
              "model stored", ""]  # fmt: skip
    lines += [f"cycles  {c:18}{n:14,}{n / cycles:8.1%}"
              for c, n in result["cycles_by_cause"].items()]  # fmt: skip
    lines += ["", *(f"bytes   {c:18}{n:14,}{n / moved['total']:8.1%}" for c, n in moved.items()
                    if c != "activation")]  # fmt: skip
    lines += ["", *(f"buffer  {name:18}{b['used']:14,} of {b['available']:,} {b['unit']}"
                    for name, b in result["occupancy"].items())]  # fmt: skip
    lines += ["", *(f"energy  {name:18}{low:14,.3f} to {high:,.3f} uJ" for name, (low, high) in
                    result["energy_uj"].items()),
              f"{low:,.1f} to {high:,.1f} uJ {run} over the tables of docs/energy.md",
              f"ECP5: {area['area_lut4']:,.0f} LUT4, {area['area_ff']:,.0f} FF, "
              f"{area['area_bram_18kib']:,.0f} block RAMs of 18 Kib, {area['area_dsp']:,.0f} "
              f"multipliers; {area['clock_mhz']:.0f} MHz, {result['time_ms']:,.2f} ms {run} "
              "(docs/area.md)"]  # fmt: skip
    return "\n".join([*lines, "", *_baselines(result["baselines"])])


def _parts(rows: list[dict]) -> list[str]:
    lines = [f"{'part':28}{'cycles':>12}{'compute':>12}{'waiting':>10}{'fetch':>9}{'other':>8}"
             f"{'MACs':>15}{'util.':>8}{'mask B':>12}{'other B':>12}"]  # fmt: skip
    for row in rows:
        c, b = row["cycles_by_cause"], row["bytes"]
        waiting, fetch = c["fill"] + c["stall"], sum(c[cause] for cause in FETCHES)
        lines.append(
            f"{row['name']:28}{row['cycles']:12,}{c['compute']:12,}{waiting:10,}{fetch:9,}"
            f"{row['cycles'] - c['compute'] - waiting - fetch:8,}{row['macs']:15,}"
            f"{row['utilisation']:8.1%}{b['mask']:12,}{b['total'] - b['mask']:12,}"
        )
    return lines


def _baselines(rows: dict[str, dict]) -> list[str]:
    lines = [f"{'weights held as':20}{'bytes stored':>14}{'bytes moved':>13}{'all moved':>13}"
             f"{'stored x':>10}{'moved x':>9}{'all x':>7}"]  # fmt: skip
    return lines + [
        f"{name:20}{b['stored']:14,}{b['moved']:13,}{b['total']:13,}"
        f"{b['stored_ratio']:10.2f}{b['moved_ratio']:9.2f}{b['total_ratio']:7.2f}"
        for name, b in rows.items()
    ]
