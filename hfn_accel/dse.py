"""`python -m hfn_accel.dse`: every combination of the given values, in closed form.

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

import numpy as np

from . import cli
from .config import Config
from .designs import Designs, extremes, plan
from .errors import HfnError
from .estimate import add_latency, check_latency, report
from .estimator import CAUSES, DEFAULT_LATENCY, estimate_network
from .files import atomic_write, make_folder
from .ticket import Ticket, load

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
CHUNK = 2048  # points evaluated at once


def sweep(ticket: Ticket, axes: dict[str, list], latency: int = DEFAULT_LATENCY,
          base: Config | None = None, progress=lambda done, total: None) -> dict:  # fmt: skip
    """Columns of `points.csv`, name -> array or list, one entry a point.

    axes: `pe` (rows, columns) pairs, `act_bits` (OWN or 1-8), and values of the fields above;
    `base` gives every other field. `progress(done, total)` is called after every chunk.
    """
    base = base or Config()
    points = list(itertools.product(*(axes[name] for name in DEFAULTS)))
    bounds = extremes(ticket)
    parts = []
    for start in range(0, len(points), CHUNK):
        chunk = points[start : start + CHUNK]
        parts.append(_evaluate(ticket, chunk, latency, base, bounds))
        progress(start + len(chunk), len(points))
    table = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    table["pareto"] = np.zeros(len(points), bool)
    for bits in set(table["act_bits"]):
        mine = (table["act_bits"] == bits) & (table["infeasible_reason"] == "")
        front = pareto(table["cycles"][mine], table["area_proxy_bytes"][mine])
        table["pareto"][np.flatnonzero(mine)[front]] = True
    return table


def _evaluate(ticket: Ticket, points: list[tuple], latency, base: Config, bounds) -> dict:
    pe, act_bits, *rest = zip(*points, strict=True)
    rows, columns = zip(*pe, strict=True)
    values = dict(zip(FIELDS.values(), rest, strict=True))
    d = Designs.of(base, rows=rows, columns=columns, **values)
    own = [n.bits for n in ticket.norms]
    bits = np.array([own if b == OWN else [b] * len(own) for b in act_bits])
    planned = plan(ticket.arch, bits, d, bounds)
    e = estimate_network(ticket.arch, bits, d, latency, planned)
    fits = planned.reason == ""
    moved, buffers = e.bytes_by_class, d.buffer_bytes[:, 0]
    result = {
        "rows_lanes": d.rows[:, 0], "columns_channels": d.columns[:, 0],
        "act_bits": np.array(act_bits, object),
        "activation_bank_bytes": d.activation_bytes[:, 0], "mask_buffer_bytes": d.mask_bytes[:, 0],
        "psum_depth_pixels": d.psum_depth[:, 0], "bus_bits": d.axi_data_width[:, 0],
        "buffer_bytes": buffers, "array_positions": e.positions,
        "area_proxy_bytes": buffers + POSITION_BYTES * e.positions,
        "cycles": e.total_cycles,
    }  # fmt: skip
    result |= {f"{cause}_cycles": e.cycles[cause].sum(-1) for cause in CAUSES}
    result |= {"macs": e.macs.sum(-1), "utilisation_ratio": e.utilisation}
    result |= {f"{name}_moved_bytes": moved[name] for name in sorted(moved)}
    figures = list(result)[list(result).index("cycles") :]
    for name in figures:  # a point that does not fit has no figures
        result[name] = np.where(fits, result[name], np.nan)
    return result | {"infeasible_reason": planned.reason}


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


def _report(ticket: Ticket, table: dict, i: int, latency: int) -> dict:
    """`estimate.report` of a point."""
    bits = table["act_bits"][i]
    if bits != OWN:
        ticket = replace(ticket, norms=tuple(replace(n, bits=bits) for n in ticket.norms))
    names = {"rows": "rows_lanes", "columns": "columns_channels", "psum_depth": "psum_depth_pixels",
             "activation_bytes": "activation_bank_bytes", "mask_bytes": "mask_buffer_bytes",
             "axi_data_width": "bus_bits"}  # fmt: skip
    config = Config(**{field: int(table[column][i]) for field, column in names.items()})
    return report(ticket, config, latency)


def fitting(ticket: Ticket) -> dict[str, list[int]]:
    """Powers of two from the least that holds the ticket's largest tensor, largest mask and one row
    of pixels, on an array that pads nothing, to what more bits, padding or a folded block need."""
    arch, bits = ticket.arch, [n.bits for n in ticket.norms]
    fields = plan(arch, bits, Config(rows=1, columns=1)).needs
    least = {
        "activation_bytes": (int(fields["bank_words"]) / 8, 1 << 22, (1, 2)),
        "mask_bytes": (max(c.weights for c in arch.tensors) / 8, 1 << 22, (1, 2, 4)),
        "psum_depth": (arch.image_size, 1 << 16, (1, 4)),
    }
    sizes = {}
    for name, (size, limit, factors) in least.items():
        size = 1 << max(int(np.ceil(np.log2(size))), 4 if name == "psum_depth" else 8)
        sizes[name] = [size * f for f in factors if size * f <= limit] or [limit]
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
    p.add_argument("--ticket", required=True, metavar="T", help="a ticket's file or shipped name")
    p.add_argument("--out", required=True, metavar="DIR", help="folder for the results")
    for name, default in DEFAULTS.items():
        p.add_argument(f"--{name.replace('_', '-')}", default=default, metavar="A,B,...",
                       help=f"values to combine (default {default})")  # fmt: skip
    add_latency(p)
    args = p.parse_args()
    ticket = load(args.ticket)
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
    plots.save(plots.traffic_plot(_report(ticket, table, chosen, latency)), out / "traffic.png")
    print(f"plots: {out / 'pareto.png'}, {out / 'traffic.png'}")


if __name__ == "__main__":
    cli.run(main)
