"""Cycles by cause and bytes by class, in closed form.

The figures equal the RTL's counters on the deterministic memory model, whose read data begin
`latency` clocks after the address. Nothing is simulated: every formula takes descriptor fields as
arrays (designs..., descriptors) and returns such an array, without a loop over clocks, tiles,
pixels, layers or designs. docs/estimator.md derives the formulas; latencies of the blocks are the
constants of `hfn_accel.timing`.
"""

from dataclasses import dataclass

import numpy as np

from . import timing
from .config import Config
from .designs import Designs, Plan, ceil_div, plan
from .images import PIXEL_BYTES
from .network import Architecture
from .program import DESCRIPTOR_BYTES, FIELDS, PARAMETER_BYTES, Opcode, Program

CAUSES = ("descriptor", "parameter", "mask", "load", "fill", "compute", "stall", "drain", "store")
CLASSES = ("descriptor", "mask", "parameter", "activation_read", "activation_write", "weight")
DEFAULT_LATENCY = 16  # clocks


@dataclass(frozen=True)
class Estimate:
    """What one run (one image) of a program takes on each design.

    `cycles[cause]` in clocks, `bytes[class]` on the memory bus, `macs` (multiply-accumulates) and
    `work` (multiply-accumulates times activation bits): arrays (designs..., descriptors), where
    descriptors are BEGIN, LOAD, one CONV an executed layer, END. `positions` is R*C of each
    design, `names` has one name a descriptor.
    """

    names: tuple[str, ...]
    cycles: dict[str, np.ndarray]
    bytes: dict[str, np.ndarray]
    macs: np.ndarray
    work: np.ndarray
    positions: np.ndarray

    @property
    def cycles_by_cause(self) -> dict[str, np.ndarray]:
        """Clocks of a whole run, every cause and their `total`."""
        sums = {cause: value.sum(-1) for cause, value in self.cycles.items()}
        return sums | {"total": self.total_cycles}

    @property
    def total_cycles(self) -> np.ndarray:
        return sum(self.cycles.values()).sum(-1)

    @property
    def bytes_by_class(self) -> dict[str, np.ndarray]:
        """Bytes of a whole run, with `activation` = read + written and the `total`."""
        sums = {name: value.sum(-1) for name, value in self.bytes.items()}
        total = sum(sums.values())
        activation = sums["activation_read"] + sums["activation_write"]
        return sums | {"activation": activation, "total": total}

    @property
    def utilisation(self) -> np.ndarray:
        """Share of the array's bit-operations that are the network's, 0 to 1."""
        return self.work.sum(-1) / (self.total_cycles * self.positions)


def estimate(program: Program, config: Config, latency: int) -> Estimate:
    """A compiled program on one configuration. Raises HfnError if it was compiled for another."""
    program.check(config)
    names = {f.name for opcode in (Opcode.LOAD, Opcode.CONV) for f in FIELDS[opcode]}
    descriptors = program.descriptors
    table = {n: np.array([f.get(n, 0) for _, f in descriptors], dtype=np.int64)
             for n in sorted(names - {"sign_state"})}  # fmt: skip
    convs = (f"conv{i}" for i in range(len(descriptors)))
    label = [next(convs) if op == Opcode.CONV else op.name.lower() for op, _ in descriptors]
    return _figures(table, Designs.of(config), latency, label)


def estimate_network(
    arch: Architecture, bits, config: Config | Designs, latency, planned: Plan | None = None
) -> Estimate:
    """The same without compiling, for one configuration or many.

    bits: as for `designs.plan`; `latency`: clocks, an integer or an array that broadcasts like
    the fields of `config`; `planned`: the plan, if the caller has it already. Figures of designs
    that the network does not fit (`plan(...).reason`) mean nothing.
    """
    d = config if isinstance(config, Designs) else Designs.of(config)
    planned = planned or plan(arch, bits, d)
    names = ["begin", "load", *(c.name for c in arch.layers), "end"]
    return _figures(planned.fields, d, latency, names)


def _figures(f: dict[str, np.ndarray], d: Designs, latency, names) -> Estimate:
    opcode = f["opcode"]
    conv, load = opcode == Opcode.CONV, opcode == Opcode.LOAD
    cin = (f["in_tiles"] - 1) * d.rows + f["last_rows"]
    out_rows = (f["strips"] - 1) * f["strip_rows"] + f["last_strip_rows"]
    pixels = np.where(f["pool"], 1, out_rows * f["out_width"])
    macs = conv * f["kernel"] ** 2 * cin * f["out_channels"] * pixels

    moved = {
        "descriptor": np.full(opcode.shape, DESCRIPTOR_BYTES),
        "mask": f["fetch_mask"] * f["mask_beats"] * d.bus_bytes,
        "parameter": conv * (1 - f["raw"]) * f["out_channels"] * PARAMETER_BYTES,
        "activation_read": f["pixels"] * PIXEL_BYTES,
        "activation_write": f["raw"] * f["out_channels"] * 4,
        "weight": np.zeros_like(opcode),
    }
    for name in ("parameter", "activation_read"):  # reads move whole beats
        moved[name] = ceil_div(moved[name], d.bus_bytes) * d.bus_bytes
    moved = {name: np.broadcast_to(value, macs.shape) for name, value in moved.items()}

    def phase(name, address):
        """A transfer and its phase's end; no clocks at all where nothing is moved."""
        write = name == "activation_write"
        cycles = timing.write_cycles if write else timing.read_cycles
        beats = ceil_div(moved[name], d.bus_bytes)
        clocks = cycles(d, address, beats, latency) + timing.PHASE_OVERHEAD
        return np.where(beats > 0, clocks, 0)

    index = np.arange(opcode.shape[-1])
    loading = timing.load_cycles(d, 0, f["pixels"], f["granules"], latency)
    cycles = {
        "descriptor": phase("descriptor", DESCRIPTOR_BYTES * index)
        + timing.DECODE_CYCLES
        + np.where(opcode == Opcode.END, 0, timing.NEXT_CYCLES),
        "parameter": phase("parameter", f["parameter_address"]),
        "mask": phase("mask", f["mask_address"]),
        "load": np.where(load, loading + timing.PHASE_OVERHEAD, 0),
        **_compute(f, d, conv),
        "store": phase("activation_write", 0),
    }  # fmt: skip
    cycles = {cause: np.broadcast_to(cycles[cause], macs.shape) for cause in CAUSES}
    positions = d.rows * d.columns
    return Estimate(
        names=tuple(names),
        cycles=cycles,
        bytes=moved,
        macs=macs,
        work=macs * f["in_bits"],
        positions=positions[..., 0] if np.ndim(positions) else positions,
    )


def _compute(f, d: Designs, conv) -> dict[str, np.ndarray]:
    """fill, compute, stall and drain of the compute phase (docs/architecture.md, Time of a tile).

    A strip holds taps * in_tiles tiles. Its tiles but the last stream X pixels of in_bits clocks,
    and the tile after each has `last_rows` rows at the end of a tap and R rows elsewhere; its
    last tile streams X pixels of `period` clocks, and is followed by the first tile of the next
    strip, except at the very end. Waiting is by how much a stream falls short of the clocks that
    tiles begin apart at least, which is what the fill of the next one takes.
    """
    in_bits, taps, in_tiles = f["in_bits"], f["kernel"] ** 2, f["in_tiles"]
    out_bits = np.where(f["raw"], 0, f["out_bits"])
    res_bits = np.where(f["residual"], f["res_bits"], 0)
    groups = d.columns // d.units
    period = np.maximum(np.maximum(in_bits, out_bits), np.maximum(res_bits, groups))
    single = in_tiles == 1
    apart = timing.FILL_CYCLES + timing.RESTART_CYCLES
    full, short = d.rows + apart, f["last_rows"] + apart
    first = np.where(single, short, full)  # of a strip
    to_short = taps - single  # followers within a strip with last_rows rows, and with R rows
    to_full = taps * in_tiles - 1 - to_short

    def waiting(pixels):
        """Clocks waited in a strip, and after its last tile."""
        within = to_full * np.maximum(full - pixels * in_bits, 0)
        within = within + to_short * np.maximum(short - pixels * in_bits, 0)
        return within, np.maximum(first - pixels * period, 0)

    within, after = waiting(f["strip_rows"] * f["out_width"])
    last_within, last_after = waiting(f["last_strip_rows"] * f["out_width"])
    per_tile = (f["strips"] - 1) * (within + after) + last_within + last_after
    pixels = ((f["strips"] - 1) * f["strip_rows"] + f["last_strip_rows"]) * f["out_width"]
    stream = pixels * ((taps * in_tiles - 1) * in_bits + period)
    return {
        "fill": conv * (timing.SETUP_CYCLES + first - timing.RESTART_CYCLES),
        "compute": f["out_tiles"] * stream,
        "stall": conv * (f["out_tiles"] * per_tile - last_after),
        "drain": conv
        * timing.drain_cycles(
            d.rows, in_bits, out_bits, np.maximum(res_bits, 1), groups, period, f["raw"]
        ),
    }
