"""A network as the exploration varies it: folding, coats, freezing, signs, precision."""

from dataclasses import dataclass, replace
from functools import cached_property

from .compiler import check_accumulators
from .config import Config
from .errors import HfnError
from .estimator import DEFAULT_LATENCY, Estimate, estimate_network
from .expected_streams import ExpectedStreams
from .modes import FROZEN_PARTS, PLAIN, Mode
from .network import Architecture, Graph
from .networks import DENSITY, named
from .program import Signs
from .streams import Streams, TicketStreams
from .ticket import Ticket, load

OWN = "own"  # activation bits, and folding, as the ticket or the published network has them
AXES = {
    "ticket": None, "network": None, "dataset": "cifar100", "folding": OWN, "coats": 1,
    "pruned": 0, "locked": 0, "signs": "sequence", "density": DENSITY, "activation_bits": OWN,
}  # fmt: skip
"""The axes that say a workload, and their defaults."""
OWN_BITS = 8  # activation bits of a network without a ticket


@dataclass(frozen=True)
class Workload:
    """What is computed, whatever the array: `arch`, activation bits of every executed layer's
    output but the classifier's, whether they mean -1 and +1, a mode for every tensor.

    ticket: where mask streams have their exact sizes from; without one, those that are to be
    expected at `density`. accuracy: of the ticket, as a fraction, None if nobody has measured it.
    """

    name: str
    arch: Architecture | Graph
    bits: tuple[int, ...]
    bipolar: tuple[bool, ...]
    modes: tuple[Mode, ...]
    density: float
    ticket: Ticket | None = None
    accuracy: float | None = None

    @classmethod
    def of_ticket(cls, ticket: Ticket, name: str | None = None) -> "Workload":
        try:
            accuracy = float(ticket.provenance["integer_accuracy"])
        except (KeyError, ValueError):
            accuracy = None
        norms = ticket.norms
        return cls(name or str(ticket.arch), ticket.arch, tuple(n.bits for n in norms),
                   tuple(n.bipolar for n in norms), ticket.modes, ticket.density, ticket,
                   accuracy)  # fmt: skip

    @classmethod
    def of_graph(cls, graph: Graph, density: float = DENSITY) -> "Workload":
        """An imported network, with plain masks of that density."""
        count = len(graph.layers) - 1
        return cls(graph.name, graph, (OWN_BITS,) * count, (False,) * count,
                   (PLAIN,) * len(graph.tensors), density)  # fmt: skip

    def with_bits(self, bits: int) -> "Workload":
        """Other activation bits: another network, whose accuracy nobody knows."""
        count = len(self.bits)
        bipolar = tuple(b and bits == 1 for b in self.bipolar)
        same = self.bits == (bits,) * count
        return replace(self, bits=(bits,) * count, bipolar=bipolar,
                       accuracy=self.accuracy if same else None)  # fmt: skip

    def check(self, config: Config):
        """Raise HfnError, naming the layer, if accumulators could overflow (tickets only)."""
        if self.ticket is not None:
            norms = tuple(replace(n, bits=b, bipolar=p) for n, b, p in
                          zip(self.ticket.norms, self.bits, self.bipolar, strict=True))  # fmt: skip
            check_accumulators(replace(self.ticket, norms=norms), config)

    def streams(self, config: Config, coded: bool = True) -> Streams:
        """Sizes of the mask streams; they depend on C and the bus alone."""
        if self.ticket is not None:
            return TicketStreams(self.ticket, config, coded)
        return ExpectedStreams(self.arch.tensors, self.modes, config, self.density, coded)

    def estimate(self, config: Config, latency: int = DEFAULT_LATENCY, batch: int = 1,
                 coded: bool = True) -> Estimate:  # fmt: skip
        """A run of `batch` images. Raises HfnError, naming layer and limit, if the network does not
        fit. Whether accumulators could overflow is another question: `check`."""
        streams = self.streams(config, coded)
        return estimate_network(self.arch, self.bits, config, latency, batch, streams)

    @cached_property
    def parameters(self) -> int:
        """Channels that have normalisation parameters, of every executed layer."""
        return sum(conv.cout for conv in self.arch.layers[:-1])


def resolve(axes: dict) -> Workload:
    """The workload that values of `AXES` say; what is not given has its default.

    Raises HfnError for unknown names, for values that no network has, and for what contradicts a
    ticket, which brings its own network, folding, modes and density.
    """
    if unknown := set(axes) - set(AXES):
        raise HfnError(f"unknown workload axis {min(unknown)!r}: known are {', '.join(AXES)}")
    v = AXES | axes
    if (v["ticket"] is None) == (v["network"] is None):
        raise HfnError("a workload is a ticket or a network: give one of the two")
    if v["ticket"] is not None:
        found = Workload.of_ticket(load(v["ticket"]), str(v["ticket"]))
        for name in ("dataset", "folding", "coats", "pruned", "locked", "signs", "density"):
            if name in axes and axes[name] != AXES[name]:
                raise HfnError(f"a ticket has its own {name}: {axes[name]!r} goes with --network")
    else:
        found = _of_network(v)
    return found if v["activation_bits"] == OWN else found.with_bits(_bits(v["activation_bits"]))


def _bits(value) -> int:
    if type(value) is not int or not 1 <= value <= 8:
        raise HfnError(f"activation_bits must be {OWN} or 1 to 8, not {value!r}")
    return value


def _of_network(v: dict) -> Workload:
    arch = fold(named(v["network"], v["dataset"]), v["folding"])
    density = v["density"]
    if type(density) not in (int, float) or not 0 < density <= 1:
        raise HfnError(f"density must be above 0 and at most 1, not {density!r}")
    for name in ("coats", "pruned", "locked"):
        if type(v[name]) is not int:
            raise HfnError(f"{name} must be an integer, not {v[name]!r}")
    kinds = {s.name.lower(): s for s in Signs}
    if v["signs"] not in kinds:
        raise HfnError(f"signs must be one of {', '.join(kinds)}, not {v['signs']!r}")
    mode = Mode(coats=v["coats"], signs=kinds[v["signs"]], pruned=v["pruned"], locked=v["locked"])
    if mode.locked / FROZEN_PARTS > density:
        locked = f"{mode.locked}/{FROZEN_PARTS}"
        raise HfnError(f"density {density} is below the {locked} that are locked")
    if 1 - mode.pruned / FROZEN_PARTS < density:
        pruned = f"{mode.pruned}/{FROZEN_PARTS}"
        raise HfnError(f"density {density} is above what {pruned} of pruned weights leave")
    count = len(arch.layers) - 1
    return Workload(f"{v['network']} for {v['dataset']}", arch, (OWN_BITS,) * count,
                    (False,) * count, (mode,) * len(arch.tensors), float(density))  # fmt: skip


def fold(arch: Architecture, folding: str) -> Architecture:
    """With other stages folded: `own`, `none`, `all`, or their numbers such as `3,4`."""
    if folding == OWN:
        return arch
    count = len(arch.stages)
    chosen = {"none": set(), "all": set(range(1, count + 1))}.get(folding)
    if chosen is None:
        parts = str(folding).split(",")
        chosen = {int(p) for p in parts if p.strip().isdecimal()}
        if len(chosen) != len(parts) or not chosen <= set(range(1, count + 1)):
            raise HfnError(f"folding must be {OWN}, none, all or stages from 1 to {count} with "
                           f"commas between, not {folding!r}")  # fmt: skip
    stages = (replace(s, folded=i in chosen) for i, s in enumerate(arch.stages, 1))
    return replace(arch, stages=tuple(stages))
