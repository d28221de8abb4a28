"""`python -m hfn_accel.estimate`: what a run takes on one design, without simulating it."""

import re
import sys

from . import cli, networks
from .baselines import OURS, baselines
from .compiler import check_accumulators
from .config import Config
from .errors import HfnError
from .estimator import DEFAULT_LATENCY, Estimate, check_latency, estimate_network
from .files import make_folder, write_json
from .planner.streams import TicketStreams
from .ticket import Ticket, load

FETCHES = ("descriptor", "parameter", "mask", "load")  # causes: waiting for the fetcher
MAX_BATCH = (1 << 16) - 1  # what BEGIN's field holds
_BLOCK = re.compile(r"(stage\d+\.\w+)\.\w+(\[\d+\])?")


def estimate_ticket(ticket: Ticket, config: Config, latency: int = DEFAULT_LATENCY, batch: int = 1,
                    streams: TicketStreams | None = None) -> Estimate:  # fmt: skip
    """A run of `batch` images; HfnError, naming layer and limit, if the network does not fit.

    `streams`: the ticket's, if the caller has them already; they depend on C and D alone.
    Whether accumulators could overflow depends on the weights: see
    `compiler.check_accumulators`.
    """
    streams = streams or TicketStreams(ticket, config)
    bits = [norm.bits for norm in ticket.norms]
    return estimate_network(ticket.arch, bits, config, latency, batch, streams)


def report(ticket: Ticket, config: Config, latency: int = DEFAULT_LATENCY, batch: int = 1,
           name: str | None = None, coded: bool = True) -> dict:  # fmt: skip
    """Everything that the command prints, as plain integers and floats for JSON.

    `name`: of the network, its architecture if not given; `coded`: as the compiler's.
    All figures are of a run, which classifies `batch` images; `layers`, `blocks` and `stages`
    are its parts, each with a list of the same figures. Raises HfnError for what the compiler
    refuses.
    """
    check_accumulators(ticket, config)
    streams = TicketStreams(ticket, config, coded)
    e = estimate_ticket(ticket, config, latency, batch, streams)
    others = baselines(ticket.arch, streams, e)
    ours = others[OURS]
    return {
        "network": name or str(ticket.arch),
        "pe": config.name,
        "config": config.to_dict(),
        "latency": latency,
        "batch": batch,
        **_figures(e),
        "ideal_cycles": e.ideal_cycles,
        "bandwidth_cycles": e.bandwidth_cycles,
        "body_utilisation": e.body.utilisation,
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
    }


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
    """`report` as tables: stages (or layers), causes and classes, baselines."""
    lines = [f"{'layer' if layers else 'stage':28}{'cycles':>12}{'compute':>12}{'waiting':>10}"
             f"{'fetch':>9}{'other':>8}{'MACs':>15}{'util.':>8}{'mask B':>12}"
             f"{'other B':>12}"]  # fmt: skip
    for row in result["layers" if layers else "stages"]:
        c, b = row["cycles_by_cause"], row["bytes"]
        waiting, fetch = c["fill"] + c["stall"], sum(c[cause] for cause in FETCHES)
        lines.append(
            f"{row['name']:28}{row['cycles']:12,}{c['compute']:12,}{waiting:10,}{fetch:9,}"
            f"{row['cycles'] - c['compute'] - waiting - fetch:8,}{row['macs']:15,}"
            f"{row['utilisation']:8.1%}{b['mask']:12,}{b['total'] - b['mask']:12,}"
        )
    cycles, moved = result["cycles"], result["bytes"]
    run = "an image" if result["batch"] == 1 else f"a run of {result['batch']} images"
    lines += ["", f"{cycles:,} cycles {run} on {result['pe']} (memory latency "
              f"{result['latency']}), {result['macs']:,} MACs, utilisation "
              f"{result['utilisation']:.1%}, {result['body_utilisation']:.1%} within the stages",
              f"{cycles / result['ideal_cycles']:.3f} x the {result['ideal_cycles']:,} of a full "
              f"array, {cycles / result['bandwidth_cycles']:.3f} x the "
              f"{result['bandwidth_cycles']:,} of a full bus", ""]  # fmt: skip
    lines += [f"cycles  {c:18}{n:14,}{n / cycles:8.1%}"
              for c, n in result["cycles_by_cause"].items()]  # fmt: skip
    lines += ["", *(f"bytes   {c:18}{n:14,}{n / moved['total']:8.1%}" for c, n in moved.items()
                    if c != "activation")]  # fmt: skip
    lines += ["", f"{'weights held as':20}{'bytes stored':>14}{'bytes moved':>13}{'all moved':>13}"
              f"{'stored x':>10}{'moved x':>9}{'all x':>7}"]  # fmt: skip
    lines += [
        f"{name:20}{b['stored']:14,}{b['moved']:13,}{b['total']:13,}"
        f"{b['stored_ratio']:10.2f}{b['moved_ratio']:9.2f}{b['total_ratio']:7.2f}"
        for name, b in result["baselines"].items()
    ]
    return "\n".join(lines)


def add_latency(p):
    """`--latency`; whoever adds it checks the value with `check_latency`."""
    p.add_argument("--latency", type=int, default=DEFAULT_LATENCY, metavar="L",
                   help="clocks from an address to its data (default %(default)s)")  # fmt: skip


def add_ticket(p):
    """`--ticket` or `--network` and its arguments; read back with `find_ticket`."""
    p.add_argument("--ticket", metavar="T", help="a ticket's file or shipped name")
    networks.add_arguments(p)


def find_ticket(args) -> tuple[Ticket, str | None]:
    """The ticket that the arguments name, and the network's name if it has one."""
    if (args.ticket is None) == (args.network is None):
        raise HfnError("either --ticket or --network must be given")
    if args.ticket is not None:
        return load(args.ticket), None
    return networks.from_arguments(args), f"{args.network} for {args.dataset}"


def main():
    p = cli.parser("estimate", "Cycles and bytes of a run on one design, in closed form.")
    add_ticket(p)
    cli.add_config(p)
    p.add_argument("--batch", type=int, default=1, metavar="N", help="images a run (default 1)")
    cli.add_uncoded(p)
    add_latency(p)
    p.add_argument("--layers", action="store_true", help="print every layer instead of stages")
    p.add_argument("--plot", metavar="DIR", help="folder for cycles.png, bytes.png, traffic.png")
    cli.add_json(p)
    args = p.parse_args()
    latency = check_latency(args.latency)
    if not 1 <= args.batch <= MAX_BATCH:
        raise HfnError(f"--batch must be 1 to {MAX_BATCH}, not {args.batch}")
    ticket, name = find_ticket(args)
    result = report(ticket, cli.config(args), latency, args.batch, name, not args.uncoded)
    if args.json != "-":
        print(text(result, args.layers))
    if args.json:
        write_json(args.json, result)
    if args.plot:
        from . import plots  # matplotlib takes a second to import

        paths = plots.save_all(result, make_folder(args.plot))
        print("plots:", ", ".join(map(str, paths)), file=sys.stderr)


if __name__ == "__main__":
    cli.run(main)
