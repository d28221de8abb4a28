"""Everything that the models say of a workload on many designs at once: the columns of a table.

Names of columns carry their units (docs/exploration.md). Plan and time come from the engine
(`hfn_accel.engine.sweep`), energy and area from their tables and fits.
"""

import numpy as np

from .area import area
from .config import Config
from .energy import energy
from .engine import lower, messages, sweep
from .engine.records import DESIGN, FITS, Design, Network
from .errors import HfnError
from .estimator import DEFAULT_LATENCY, check_latency
from .exploration.columns import FIELDS
from .program import PARAMETER_BYTES
from .workload import Workload

RUN_COLUMNS = {"latency_cycles": DEFAULT_LATENCY, "batch_images": 1, "coded": 1}
"""A design's columns beside `FIELDS`, with what stands where one is not given."""


def complete(designs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All columns of a design, with `Config`'s defaults for those that are not given."""
    count = len(next(iter(designs.values())))
    defaults = {column: getattr(Config(), field) for column, field in FIELDS.items()}
    return {name: np.asarray(designs.get(name, np.full(count, value)), np.int64)
            for name, value in (defaults | RUN_COLUMNS).items()}  # fmt: skip


def configuration(designs: dict[str, np.ndarray], i: int) -> Config:
    """Of point i of a table. Raises HfnError for one that the RTL does not support."""
    return Config(**{f: int(designs[c][i]) for c, f in FIELDS.items() if c in designs})


def point(config: Config, latency: int, batch: int = 1, coded: bool = True) -> dict:
    """One design, as `figures` wants it."""
    values = {column: getattr(config, field) for column, field in FIELDS.items()}
    values |= {"latency_cycles": latency, "batch_images": batch, "coded": int(coded)}
    return {name: np.array([value]) for name, value in values.items()}


def figures(workload: Workload, designs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a run of the workload takes on each design: column -> array, one entry a design.

    designs: some of FIELDS and RUN_COLUMNS, integers (points,). Figures are NaN where the network
    does not fit, which `infeasible_reason` explains ("" where it does). Raises HfnError for a
    design that the RTL does not support, and a latency that the closed forms do not hold for.
    """
    d = complete(designs)
    for latency in (d["latency_cycles"].min(), d["latency_cycles"].max()):
        check_latency(latency)
    count = len(d["rows_lanes"])
    found = {name: np.zeros(count) for name in sweep.RUN.names or ()}
    found["model_bytes"], reasons = np.zeros(count), np.full(count, "", object)
    steps, maps = lower.lower(workload.arch, workload.bits, workload.bipolar)
    keys = np.stack([d[name] for name in ("columns_channels", "bus_bits", "coded")])
    groups, member = np.unique(keys, axis=1, return_inverse=True)
    for group, (columns, bus, coded) in enumerate(groups.T.tolist()):
        mine = np.flatnonzero(member.ravel() == group)
        config = Config(columns=columns, axi_data_width=bus)
        streams = workload.streams(config, bool(coded))
        network = Network(steps, maps, *lower.tensor_table(streams, workload.arch.tensors, config))
        run, why = sweep.run(network, _table(d, mine))
        for name in run.dtype.names or ():
            found[name][mine] = run[name]
        found["model_bytes"][mine] = _stored(workload, streams, config)
        for i in np.flatnonzero(why.reason != FITS):
            reasons[mine[i]] = str(messages.error(why[i], workload.arch))
    _check_accumulators(workload, d["accumulator_bits"], reasons)
    return _columns(workload, d, found, reasons)


def _table(d: dict[str, np.ndarray], mine: np.ndarray) -> np.recarray:
    """The engine's table of the designs `mine`."""
    rows = [tuple(Design.of(configuration(d, i), int(d["latency_cycles"][i]),
                            int(d["batch_images"][i]))) for i in mine]  # fmt: skip
    return np.array(rows, DESIGN).view(np.recarray)


def _stored(workload: Workload, streams, config: Config) -> int:
    """Bytes of mask streams and parameters in memory."""
    beats = sum(streams.beats(conv.tensor, 0, -(-conv.cout // config.columns))
                for conv in workload.arch.tensors)  # fmt: skip
    return beats * config.bus_bytes + workload.parameters * PARAMETER_BYTES


def _check_accumulators(workload: Workload, bits: np.ndarray, reasons: np.ndarray):
    for width in np.unique(bits).tolist():
        try:
            workload.check(Config(accumulator_bits=width))
        except HfnError as error:
            reasons[(bits == width) & (reasons == "")] = str(error)


def _modes(workload: Workload) -> dict:
    """What the energy of masks depends on: the most that any tensor has."""
    modes = workload.modes
    return {"coats": max(m.coats for m in modes), "locked_sixteenths": max(m.locked for m in modes),
            "pruned_sixteenths": max(m.pruned for m in modes)}  # fmt: skip


def _columns(workload: Workload, d, found, reasons) -> dict[str, np.ndarray]:
    """The table's figures from the engine's, NaN where nothing fits."""
    positions = d["rows_lanes"] * d["columns_channels"]
    work = found.pop("work")
    read_written = found["activation_read_moved_bytes"], found["activation_write_moved_bytes"]
    classes = [name for name in found if name.endswith("_moved_bytes")]
    found["total_moved_bytes"] = sum(found[name] for name in classes)
    found["activation_moved_bytes"] = sum(read_written)
    moved = np.maximum(found["total_moved_bytes"] - read_written[1], read_written[1])
    found["full_array_cycles"] = np.ceil(work / positions)
    found["full_bus_cycles"] = np.ceil(moved * 8 / d["bus_bits"])
    found["utilisation_ratio"] = work / np.maximum(found["cycles"] * positions, 1)
    found |= area(d)
    found |= energy(d | found | _modes(workload))
    found["time_ms"] = found["cycles"] / (found["clock_mhz"] * 1e3)
    accuracy = np.nan if workload.accuracy is None else workload.accuracy
    found["accuracy_ratio"] = np.full(len(reasons), accuracy)
    fits = reasons == ""
    return {name: np.where(fits, values, np.nan) for name, values in found.items()} | {
        "infeasible_reason": reasons}  # fmt: skip
