"""Cycles by cause, bytes by class and activity of a run, in closed form.

The figures equal the RTL's counters on the deterministic memory model, whose read data begin
`latency` clocks after the address. No clock, tile or pixel is simulated: `hfn_accel.engine` says
how long every job of every descriptor takes, what waits for what, and what is moved and done.
docs/estimator.md derives the formulas.
"""

from dataclasses import dataclass

import numpy as np

from .config import Config
from .engine import figures, lower, records
from .engine.durations import durations
from .engine.messages import error, step_names
from .engine.plan import Plan
from .engine.records import FITS, Design, Network
from .engine.sweep import plan
from .engine.timeline import descriptor_cycles, timeline
from .errors import HfnError
from .network import Architecture, Graph
from .program import Opcode, Program
from .registers import Cause
from .streams import RawStreams, Streams

CAUSES = tuple(c.name.lower() for c in Cause if c != Cause.IDLE)
CLASSES = ("descriptor", "mask", "parameter", "activation_read", "activation_write", "weight")
ACTIVITY = (
    "array_planes", "tile_rows", "mask_read_rows", "psum_updates", "requantised", "parameter_reads",
    "residual_words", "pool_words", "bank_write_words", "load_beats", "store_beats",
    "mask_write_beats",
)  # fmt: skip
"""What the RTL does, see `engine.figures.FIGURE`."""
OCCUPANCY = ("bank_used_bytes", "mask_used_bytes", "psum_used_pixels", "parameter_used_channels",
             "result_used_words")  # fmt: skip
"""What a program uses of one activation bank and of the other buffers."""
DEFAULT_LATENCY, MAX_LATENCY = 16, 512  # clocks
MAX_BATCH = (1 << 16) - 1  # what BEGIN's field holds


@dataclass(frozen=True)
class Estimate:
    """What a run, or a part of it, takes.

    names: the layer that a descriptor belongs to: BEGIN and END to themselves, IMAGE and LOAD to
    the layer behind them, STORE to the one before. clocks: int64 (descriptors, causes), of the
    executor, indexed by `Cause`. figures: table of `engine.figures.FIGURE`, a row a descriptor.
    """

    config: Config
    names: tuple[str, ...]
    clocks: np.ndarray
    figures: np.recarray

    @property
    def cycles(self) -> dict[str, np.ndarray]:
        """By cause, clocks of every descriptor."""
        return {cause: self.clocks[:, Cause[cause.upper()]] for cause in CAUSES}

    @property
    def bytes(self) -> dict[str, np.ndarray]:
        """By class, bytes of every descriptor on the memory bus."""
        return {name: self.figures[f"{name}_moved_bytes"] for name in CLASSES}

    @property
    def activity(self) -> dict[str, np.ndarray]:
        """By name of ACTIVITY, counts of every descriptor."""
        return {name: self.figures[name] for name in ACTIVITY}

    @property
    def macs(self) -> np.ndarray:
        """Multiply-accumulates of every descriptor."""
        return self.figures.macs

    @property
    def work(self) -> np.ndarray:
        """Bit-operations of the array that they need, macs * in_bits * coats."""
        return self.figures.work

    @property
    def occupancy(self) -> dict[str, int]:
        """By name of OCCUPANCY: what BEGIN asks for, so zeros in a part without it."""
        return {name: int(self.figures[name].sum()) for name in OCCUPANCY}

    @property
    def total_cycles(self) -> int:
        return int(self.clocks.sum())

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
        names = tuple(name for name, here in zip(self.names, where, strict=True) if here)
        return Estimate(self.config, names, self.clocks[where], self.figures[where])

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
    descriptors = program.descriptors
    origins = program.origins or len(descriptors) * (None,)
    return _described(descriptors, origins, config, latency, arch)


def estimate_plan(
    planned: Plan, config: Config, latency: int, arch: Architecture | None = None
) -> Estimate:
    """The same of a plan, without compiling it."""
    descriptors = [(item.opcode, item.fields) for item in planned.items]
    return _described(descriptors, [i.origin for i in planned.items], config, latency, arch)


def estimate_network(
    arch: Architecture | Graph, bits, config: Config, latency: int, batch: int = 1,
    streams: Streams | None = None,
) -> Estimate:  # fmt: skip
    """The same of a network: a run of `batch` images.

    bits: activation bits of every executed layer's output but the classifier's; streams: sizes
    of the mask streams, raw ones if not given. Raises HfnError, naming layer and limit, if the
    network does not fit.
    """
    return estimate_lowered(_network(arch, bits, config, streams), arch, config, latency, batch)


def estimate_lowered(
    network: Network, arch, config: Config, latency: int, batch: int = 1
) -> Estimate:
    """The same of the engine's tables; `arch`: what has `layers` with the names of the steps."""
    design = Design.of(config, check_latency(latency), batch)
    jobs, _, refusal = plan(network, design)
    if refusal.reason != FITS:
        raise error(refusal, arch)
    names = step_names(arch)
    names = ["begin", *(names[step] for step in jobs["step"][1:-1].tolist()), "end"]
    return _estimate(jobs, names, config, latency)


def compulsory_bytes(
    arch: Architecture, config: Config, batch: int = 1, streams: Streams | None = None
) -> int:
    """The least that a run of `batch` images moves, descriptors apart: every tensor's mask stream
    once, every executed layer's parameters once, the images and their logits."""
    network = _network(arch, [1] * (len(arch.layers) - 1), config, streams)
    return figures.compulsory_bytes(network, Design.of(config, DEFAULT_LATENCY, batch))


def _network(arch: Architecture | Graph, bits, config: Config, streams: Streams | None) -> Network:
    """The network as tables; parameters as of `estimate_network`."""
    streams = streams or RawStreams(arch, config)
    return Network(*lower.lower(arch, bits), *lower.tensor_table(streams, arch.tensors, config))


def _described(descriptors, origins, config: Config, latency: int, arch) -> Estimate:
    check_latency(latency)
    jobs = records.jobs(descriptors)
    return _estimate(jobs, _names(jobs["opcode"], origins, arch), config, latency)


def _estimate(jobs: np.ndarray, names, config: Config, latency: int) -> Estimate:
    """`jobs`: a table of JOB."""
    design = Design.of(config, latency)
    spent = timeline(jobs, durations(jobs, design), descriptor_cycles(design))[0]
    each = figures.figures(jobs, design).view(np.recarray)
    return Estimate(config, tuple(names), spent, each)


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
