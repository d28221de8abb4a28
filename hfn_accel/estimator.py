"""Cycles by cause and bytes by class, in closed form.

The figures equal the RTL's counters on the deterministic memory model, whose read data begin
`latency` clocks after the address. No clock, tile or pixel is simulated: the duration of every job
of every descriptor follows from its fields (`hfn_accel.timing`), as arrays over the descriptors,
and `hfn_accel.schedule` says what waits for what. docs/estimator.md derives the formulas.
"""

from dataclasses import dataclass

import numpy as np

from .config import Config
from .errors import HfnError
from .images import LOGIT_BYTES, PIXEL_BYTES
from .jobs import jobs
from .network import Architecture
from .planner import Plan, plan
from .planner.streams import RawStreams
from .program import DESCRIPTOR_BYTES, PARAMETER_BYTES, Opcode, Program, Signs
from .registers import Cause
from .schedule import descriptor_cycles, schedule

CAUSES = tuple(c.name.lower() for c in Cause if c != Cause.IDLE)
CLASSES = ("descriptor", "mask", "parameter", "activation_read", "activation_write", "weight")
DEFAULT_LATENCY, MAX_LATENCY = 16, 512  # clocks


@dataclass(frozen=True)
class Estimate:
    """What a run, or a part of it, takes: one entry a descriptor in every array and tuple.

    names: the layer that a descriptor belongs to: BEGIN and END to themselves, IMAGE and LOAD to
    the layer behind them, STORE to the one before. cycles[cause]: clocks of the executor.
    bytes[class]: on the memory bus. macs: multiply-accumulates; work: bit-operations of the array
    that they need, macs * in_bits * coats (each coat is a ternary pass of its own).
    """

    config: Config
    names: tuple[str, ...]
    cycles: dict[str, np.ndarray]
    bytes: dict[str, np.ndarray]
    macs: np.ndarray
    work: np.ndarray

    @property
    def total_cycles(self) -> int:
        return int(sum(value.sum() for value in self.cycles.values()))

    @property
    def cycles_by_cause(self) -> dict[str, int]:
        """Clocks by cause, and their `total`."""
        sums = {cause: int(value.sum()) for cause, value in self.cycles.items()}
        return sums | {"total": self.total_cycles}

    @property
    def bytes_by_class(self) -> dict[str, int]:
        """Bytes by class, with `activation` = read + written and the `total`."""
        sums = {name: int(value.sum()) for name, value in self.bytes.items()}
        total = sum(sums.values())
        activation = sums["activation_read"] + sums["activation_write"]
        return sums | {"activation": activation, "total": total}

    @property
    def utilisation(self) -> float:
        """Share of the array's bit-operations that are the network's, 0 to 1."""
        positions = self.config.rows * self.config.columns
        return float(self.work.sum() / max(self.total_cycles * positions, 1))

    @property
    def ideal_cycles(self) -> int:
        """Clocks of an array that is always full: work / (R * C)."""
        return -(-int(self.work.sum()) // (self.config.rows * self.config.columns))

    @property
    def bandwidth_cycles(self) -> int:
        """Clocks of a bus that always moves: the beats read, or written if those are more."""
        written = self.bytes_by_class["activation_write"]
        read = self.bytes_by_class["total"] - written
        return -(-max(read, written) // self.config.bus_bytes)

    @property
    def body(self) -> "Estimate":
        """The stages: everything but stem and classifier."""
        return self.part([name.startswith("stage") for name in self.names])

    def part(self, where) -> "Estimate":
        """The descriptors for which `where` (one bool each) is true."""
        where = np.asarray(where, bool)
        return Estimate(
            config=self.config,
            names=tuple(name for name, here in zip(self.names, where, strict=True) if here),
            cycles={cause: value[where] for cause, value in self.cycles.items()},
            bytes={name: value[where] for name, value in self.bytes.items()},
            macs=self.macs[where],
            work=self.work[where],
        )

    def parts(self, labels) -> dict[str, "Estimate"]:
        """By label (one a descriptor), in order of first appearance."""
        labels = np.asarray(labels)
        return {str(label): self.part(labels == label) for label in dict.fromkeys(labels)}


def check_latency(latency: int) -> int:
    """`latency`, or HfnError if bursts would no longer follow each other without a gap."""
    if not 1 <= latency <= MAX_LATENCY:
        raise HfnError(f"--latency must be 1 to {MAX_LATENCY} clocks, not {latency}")
    return latency


def estimate(
    program: Program, config: Config, latency: int, arch: Architecture | None = None
) -> Estimate:
    """A compiled program. Raises HfnError if it was compiled for another configuration.

    With `arch`, layers have its names; else numbers.
    """
    program.check(config)
    origins = program.origins or len(program.descriptors) * (None,)
    return _estimate(program.descriptors, origins, config, latency, arch)


def estimate_plan(
    planned: Plan, config: Config, latency: int, arch: Architecture | None = None
) -> Estimate:
    """The same of a plan, without compiling it."""
    descriptors = [(item.opcode, item.fields) for item in planned.items]
    origins = [item.origin for item in planned.items]
    return _estimate(descriptors, origins, config, latency, arch)


def estimate_network(
    arch: Architecture, bits, config: Config, latency: int, batch: int = 1, streams=None
) -> Estimate:
    """The same of a network: a run of `batch` images.

    bits: activation bits of every executed layer's output but the classifier's; streams: sizes
    of the mask streams (`planner.plan`), raw ones if not given. Raises HfnError, naming layer and
    limit, if the network does not fit.
    """
    streams = streams or RawStreams(arch, config)
    planned = plan(arch, bits, config, streams=streams, batch=batch)
    return estimate_plan(planned, config, latency, arch)


class _Columns(dict):
    """Field name -> int64 (descriptors,), 0 where a descriptor has no such field."""

    def __init__(self, fields: list[dict[str, int]]):
        super().__init__()
        self._fields = fields

    def __missing__(self, name: str) -> np.ndarray:
        self[name] = np.array([fields.get(name, 0) for fields in self._fields], np.int64)
        return self[name]


def _estimate(descriptors, origins, config: Config, latency: int, arch) -> Estimate:
    check_latency(latency)
    opcode = np.array([int(code) for code, _ in descriptors])
    f = _Columns([fields for _, fields in descriptors])
    timeline = schedule(jobs(opcode, f, config, latency), descriptor_cycles(config, latency))
    moved = _bytes(opcode, f, config)
    rows = (f["strips"] - 1) * f["strip_rows"] + f["last_strip_rows"]
    pixels = np.where(f["pool"], f["close"], rows * f["out_width"])
    macs = (opcode == Opcode.CONV) * f["fan_in"] * f["out_channels"] * pixels
    return Estimate(
        config=config,
        names=_names(opcode, origins, arch),
        cycles={cause.name.lower(): np.array(clocks) for cause, clocks in timeline.spent.items()},
        bytes=moved,
        macs=macs,
        work=macs * f["in_bits"] * f["coats"],
    )


def _names(opcode, origins, arch: Architecture | None) -> tuple[str, ...]:
    """See `Estimate`."""

    def name(i: int) -> str:
        origin = origins[i]
        if origin is None:
            kind = Opcode(opcode[i]).name.lower()
            return kind if kind in ("begin", "end") else f"{kind}{i}"
        layer = arch.layers[origin.layer].name if arch else f"layer{origin.layer}"
        return layer + (".pool" if origin.pooled else "")

    executed = np.flatnonzero(np.isin(opcode, (Opcode.CONV, Opcode.POOL)))
    index = np.arange(len(opcode))
    behind = np.searchsorted(executed, index)
    into = np.isin(opcode, (Opcode.IMAGE, Opcode.LOAD))
    owner = np.where(into, executed[np.minimum(behind, len(executed) - 1)], index)
    owner = np.where(opcode == Opcode.STORE, executed[np.maximum(behind - 1, 0)], owner)
    return tuple(name(i) for i in owner.tolist())


def _bytes(opcode, f: dict[str, np.ndarray], config: Config) -> dict[str, np.ndarray]:
    """Per descriptor, by class. Reads move whole beats."""

    def beats(size):
        return -(-size // config.bus_bytes) * config.bus_bytes

    conv, image = opcode == Opcode.CONV, opcode == Opcode.IMAGE
    stream = f["fetch_mask"] * f["mask_beats"] * config.bus_bytes
    explicit = conv & (f["signs"] == Signs.EXPLICIT)
    moved = f["groups"] * f["beats"] * config.bus_bytes  # of a LOAD or a STORE
    return {
        "descriptor": np.full(opcode.shape, DESCRIPTOR_BYTES),
        "mask": np.where(explicit, 0, stream),
        "parameter": f["fetch_parameters"] * beats(f["out_channels"] * PARAMETER_BYTES),
        "activation_read": image * beats(f["rows"] * f["width"] * PIXEL_BYTES)
        + (opcode == Opcode.LOAD) * moved,
        "activation_write": f["raw"] * f["close"] * f["out_channels"] * LOGIT_BYTES
        + (opcode == Opcode.STORE) * moved,
        "weight": np.where(explicit, stream, 0),
    }
