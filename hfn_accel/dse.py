"""`python -m hfn_accel.dse`: every combination of the given values, without simulation.

Writes `points.csv` (a row a point; points that the network does not fit are kept, with the
reason), `pareto.png` (cycles against area) and `traffic.png` (bytes by class against the
baselines of the best point). Points of different activation bits compute different networks, so
fronts are drawn apart.
"""

import csv
import io
import itertools
import sys
from dataclasses import replace
from functools import lru_cache

import numpy as np

from . import cli
from .compiler import check_accumulators
from .config import Config
from .errors import HfnError
from .estimate import add_latency, add_ticket, estimate_ticket, find_ticket, report
from .estimator import CAUSES, CLASSES, DEFAULT_LATENCY, check_latency
from .files import atomic_write, make_folder
from .planner.streams import TicketStreams
from .program import PARAMETER_BYTES
from .ticket import IMAGE_BITS, Ticket

POSITION_BYTES = 16
"""Buffer bytes that take the area of one array position, for the area proxy: a position of the
16x16 column-tree prototype is 9.8 LUT4, 1.5 carry cells and 6.7 flip-flops on ECP5, some 120 gate
equivalents, and a bit of SRAM is taken as one gate equivalent."""

OWN = "own"  # activation bits as the ticket has them, layer by layer
FIT = "fit"  # buffer sizes around what the ticket needs, see `fitting`

DEFAULTS = {
    "pe": "4x4,8x8,8x16,16x8,16x16,16x32,32x16,32x32,64x64",
    "act_bits": "own,2,4,8",
    "activation_bytes": "fit",
    "mask_bytes": "fit",
    "psum_depth": "fit",
    "bus": "64,128",
}
FIELDS = {"activation_bytes": "activation_bytes", "mask_bytes": "mask_bytes",
          "psum_depth": "psum_depth", "bus": "axi_data_width"}  # fmt: skip
COLUMNS = {"rows": "rows_lanes", "columns": "columns_channels",
           "activation_bytes": "activation_bank_bytes", "mask_bytes": "mask_buffer_bytes",
           "psum_depth": "psum_depth_pixels", "axi_data_width": "bus_bits"}  # fmt: skip
MOVED = sorted((*CLASSES, "activation", "total"))
_FIGURES = ("cycles", *(f"{cause}_cycles" for cause in CAUSES), "macs", "utilisation_ratio",
            *(f"{name}_moved_bytes" for name in MOVED))  # fmt: skip
_OBJECTS = ("act_bits", "infeasible_reason")  # columns that are not numbers


def sweep(ticket: Ticket, axes: dict[str, list], latency: int = DEFAULT_LATENCY,
          progress=lambda done, total: None) -> dict:  # fmt: skip
    """Columns of `points.csv`, name -> array, one entry a point.

    axes: `pe` (rows, columns) pairs, `act_bits` (OWN or 1-8), and values of the fields above.
    `progress(done, total)` is called after every point. Raises HfnError if accumulators could
    overflow at some of the bits, whatever the design.
    """
    points = list(itertools.product(*(axes[name] for name in DEFAULTS)))
    tickets = {bits: with_bits(ticket, bits) for bits in axes["act_bits"]}
    for changed in tickets.values():
        check_accumulators(changed, Config())
    streams = lru_cache(lambda columns, bus: TicketStreams(
        ticket, Config(columns=columns, axi_data_width=bus)))  # fmt: skip
    rows = []
    for pe, bits, *values in points:
        fields = dict(zip(FIELDS.values(), values, strict=True))
        config = Config(rows=pe[0], columns=pe[1], **fields)
        masks = streams(config.columns, config.axi_data_width)
        rows.append(_point(tickets[bits], bits, config, latency, masks))
        progress(len(rows), len(points))
    table = {n: np.array([row[n] for row in rows], object if n in _OBJECTS else float)
             for n in rows[0]}  # fmt: skip
    table["pareto"] = np.zeros(len(points), bool)
    for bits in axes["act_bits"]:
        mine = (table["act_bits"] == bits) & (table["infeasible_reason"] == "")
        front = pareto(table["cycles"][mine], table["area_proxy_bytes"][mine])
        table["pareto"][np.flatnonzero(mine)[front]] = True
    return table


def _point(ticket: Ticket, bits, config: Config, latency: int, streams: TicketStreams) -> dict:
    """A row of the table; without figures but with the reason if the network does not fit."""
    row = {column: getattr(config, field) for field, column in COLUMNS.items()}
    positions = config.rows * config.columns
    row |= {
        "act_bits": bits, "buffer_bytes": buffer_bytes(config), "array_positions": positions,
        "area_proxy_bytes": buffer_bytes(config) + POSITION_BYTES * positions,
    }  # fmt: skip
    row |= dict.fromkeys(_FIGURES, np.nan)
    try:
        e = estimate_ticket(ticket, config, latency, streams=streams)
    except HfnError as error:
        return row | {"infeasible_reason": str(error)}
    cycles, moved = e.cycles_by_cause, e.bytes_by_class
    row |= {"cycles": e.total_cycles, "macs": e.macs.sum(), "utilisation_ratio": e.utilisation}
    row |= {f"{cause}_cycles": cycles[cause] for cause in CAUSES}
    row |= {f"{name}_moved_bytes": moved[name] for name in MOVED}
    return row | {"infeasible_reason": ""}


def buffer_bytes(config: Config) -> int:
    """All on-chip buffers: three banks, mask, partial sums, parameters and results."""
    return (
        3 * config.activation_bytes
        + config.mask_bytes
        + config.psum_depth * config.columns * config.accumulator_bits // 8
        + config.parameter_channels * PARAMETER_BYTES
        + config.result_words * 4
    )


def with_bits(ticket: Ticket, bits) -> Ticket:
    """The ticket with other activation bits: another network, but of the same shape."""
    if bits == OWN:
        return ticket
    norms = tuple(replace(n, bits=bits, bipolar=n.bipolar and bits == 1) for n in ticket.norms)
    return replace(ticket, norms=norms)


def pareto(*costs: np.ndarray) -> np.ndarray:
    """bool (points,): no other point is at most as costly in both costs and cheaper in one."""
    first, second = costs
    order = np.lexsort((second, first))
    best = np.minimum.accumulate(np.concatenate([[np.inf], second[order]]))[:-1]
    front = np.zeros(len(first), bool)
    front[order] = second[order] < best
    same = {(a, b) for a, b in zip(first[front], second[front], strict=True)}
    return np.array([(a, b) in same for a, b in zip(first, second, strict=True)], bool)


def points_csv(table: dict) -> bytes:
    """RFC 4180; integers without a point, empty figures where the network does not fit."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(table)
    for row in zip(*table.values(), strict=True):
        writer.writerow([_cell(value) for value in row])
    return out.getvalue().encode()


def _cell(value):
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    if isinstance(value, float):
        if np.isnan(value):
            return ""
        return int(value) if value == int(value) else f"{value:.6f}"
    return value


def best(table: dict, act_bits=OWN) -> int | None:
    """Index of the feasible point with the least cycles x area, or None."""
    cost = np.where(table["act_bits"] == act_bits, table["cycles"], np.nan)
    cost = cost * table["area_proxy_bytes"]
    return None if np.isnan(cost).all() else int(np.nanargmin(cost))


def configuration(table: dict, i: int) -> Config:
    """A point's design; fields that are no axis have their default."""
    return Config(**{field: int(table[column][i]) for field, column in COLUMNS.items()})


def fitting(ticket: Ticket) -> dict[str, list[int]]:
    """Powers of two around what the ticket needs on an array that pads nothing: of activation
    banks half the largest tensor (which is then spilled) and all of it, of the mask buffer from
    the largest mask to what a folded block may need, of partial sums a row of pixels and four."""
    arch = ticket.arch
    stem = arch.layers[0]
    image = stem.kernel * stem.cin * stem.in_size * stem.out_size * IMAGE_BITS  # taps side by side
    tensors = (c.cout * c.out_size**2 * ticket.bits_of(c.norm) for c in arch.layers[:-1])
    least = {
        "activation_bytes": (max(image, *tensors) / 8, 256, 1 << 22, (0.5, 1)),
        "mask_bytes": (max(c.weights for c in arch.tensors) / 8, 256, 1 << 22, (1, 2, 4)),
        "psum_depth": (max(c.out_size for c in arch.layers), 16, 1 << 16, (1, 4)),
    }
    sizes = {}
    for name, (size, low, high, factors) in least.items():
        size = 1 << int(np.ceil(np.log2(size)))
        sizes[name] = sorted({min(max(int(size * f), low), high) for f in factors})
    return sizes


def parse_axes(args, ticket: Ticket) -> dict[str, list]:
    """Lists from the arguments. Raises HfnError for a value that no configuration has."""
    shapes = (Config.parse(pe=text.strip()) for text in args.pe.split(","))
    axes = {"pe": [(c.rows, c.columns) for c in shapes], "act_bits": []}
    for text in (t.strip() for t in args.act_bits.split(",")):
        if text != OWN and text not in map(str, range(1, 9)):
            raise HfnError(f"--act-bits must be {OWN} or 1 to 8, not {text!r}")
        axes["act_bits"].append(OWN if text == OWN else int(text))
    own = {n.bits for n in ticket.norms}
    if OWN in axes["act_bits"] and len(own) == 1:  # the same points again
        axes["act_bits"] = [b for b in axes["act_bits"] if b not in own]
    for name, field in FIELDS.items():
        if getattr(args, name) == FIT and name in fitting(ticket):
            axes[name] = fitting(ticket)[name]
            continue
        texts = [t.strip() for t in getattr(args, name).split(",")]
        if not all(t.isdecimal() and len(t) < 10 for t in texts):
            raise HfnError(f"--{name.replace('_', '-')} must be integers of at most 9 digits, "
                           "with commas between")  # fmt: skip
        axes[name] = [int(t) for t in texts]
        for value in axes[name]:
            Config(**{field: value})
    return {name: list(dict.fromkeys(values)) for name, values in axes.items()}


def _bar(done: int, total: int):
    if sys.stderr.isatty():
        width = 30 * done // total
        end = "\n" if done == total else ""
        print(f"\r[{'#' * width:30}] {done}/{total} points", end=end, file=sys.stderr, flush=True)


def main():
    p = cli.parser("dse", "Sweep configurations for one ticket: points.csv and two plots.")
    add_ticket(p)
    p.add_argument("--out", required=True, metavar="DIR", help="folder for the results")
    for name, default in DEFAULTS.items():
        p.add_argument(f"--{name.replace('_', '-')}", default=default, metavar="A,B,...",
                       help=f"values to combine (default {default})")  # fmt: skip
    add_latency(p)
    args = p.parse_args()
    ticket, name = find_ticket(args)
    axes = parse_axes(args, ticket)
    latency = check_latency(args.latency)
    out = make_folder(args.out)
    table = sweep(ticket, axes, latency, progress=_bar)
    atomic_write(out / "points.csv", points_csv(table))
    fits = table["infeasible_reason"] == ""
    print(f"{len(fits)} points, {fits.sum()} fit, {table['pareto'].sum()} on the fronts: "
          f"{out / 'points.csv'}")  # fmt: skip
    if not fits.any():
        raise HfnError(f"no point fits: {table['infeasible_reason'][0]}")
    from . import plots  # matplotlib takes a second to import

    plots.save(plots.pareto_plot(table), out / "pareto.png")
    chosen = next(i for b in axes["act_bits"] if (i := best(table, b)) is not None)
    ticket = with_bits(ticket, table["act_bits"][chosen])
    chosen = report(ticket, configuration(table, chosen), latency, name=name)
    plots.save(plots.traffic_plot(chosen), out / "traffic.png")
    print(f"plots: {out / 'pareto.png'}, {out / 'traffic.png'}")


if __name__ == "__main__":
    cli.run(main)
