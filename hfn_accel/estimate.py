"""`python -m hfn_accel.estimate`: what one image takes on one design, without simulating it."""

from . import cli
from .baselines import OURS, baselines
from .config import Config
from .designs import extremes, plan
from .errors import HfnError
from .estimator import CAUSES, CLASSES, DEFAULT_LATENCY, Estimate, estimate_network
from .files import write_json
from .ticket import Ticket, load


def estimate_ticket(ticket: Ticket, config: Config, latency: int = DEFAULT_LATENCY):
    """(estimate, baselines) of a ticket; HfnError, naming layer and limit, if it does not fit."""
    bits = [n.bits for n in ticket.norms]
    planned = plan(ticket.arch, bits, config, extremes(ticket))
    if planned.reason:
        raise HfnError(f"the network does not fit the configuration: {planned.reason}")
    figures = estimate_network(ticket.arch, bits, config, latency, planned)
    return figures, baselines(ticket.arch, planned, figures, config)


def report(ticket: Ticket, config: Config, latency: int = DEFAULT_LATENCY) -> dict:
    """Everything that the command prints, as plain integers and floats for JSON."""
    figures, others = estimate_ticket(ticket, config, latency)
    ours = others[OURS]
    layers = [
        {
            "name": name,
            "cycles": int(sum(figures.cycles[c][i] for c in CAUSES)),
            "cycles_by_cause": {c: int(figures.cycles[c][i]) for c in CAUSES},
            "macs": int(figures.macs[i]),
            "utilisation": _utilisation(figures, i),
            "bytes": {c: int(figures.bytes[c][i]) for c in CLASSES},
        }
        for i, name in enumerate(figures.names)
    ]
    return {
        "pe": config.name,
        "config": config.to_dict(),
        "latency": latency,
        "cycles": int(figures.total_cycles),
        "cycles_by_cause": {c: int(n) for c, n in figures.cycles_by_cause.items()},
        "macs": int(figures.macs.sum()),
        "utilisation": float(figures.utilisation),
        "bytes": {c: int(n) for c, n in figures.bytes_by_class.items()},
        "baselines": {
            name: {
                "stored": int(b.stored),
                "moved": int(b.moved),
                "total": int(b.total),
                "stored_ratio": float(b.stored / ours.stored),
                "moved_ratio": float(b.moved / ours.moved),
                "total_ratio": float(b.total / ours.total),
            }
            for name, b in others.items()
        },
        "layers": layers,
    }


def _utilisation(figures: Estimate, i: int) -> float:
    cycles = int(sum(figures.cycles[c][i] for c in CAUSES))
    return float(figures.work[i] / (cycles * figures.positions))


def text(result: dict) -> str:
    """`report` as tables: layers, causes and classes, baselines."""
    lines = [f"{'layer':28}{'cycles':>10}{'compute':>10}{'waiting':>9}{'fetch':>8}{'other':>7}"
             f"{'MACs':>12}{'util.':>8}{'mask B':>9}{'other B':>9}"]  # fmt: skip
    for layer in result["layers"]:
        c, b = layer["cycles_by_cause"], layer["bytes"]
        waiting, fetch = c["fill"] + c["stall"], c["descriptor"] + c["parameter"] + c["mask"]
        other = layer["cycles"] - c["compute"] - waiting - fetch
        lines.append(
            f"{layer['name']:28}{layer['cycles']:10,}{c['compute']:10,}{waiting:9,}{fetch:8,}"
            f"{other:7,}{layer['macs']:12,}{layer['utilisation']:8.1%}{b['mask']:9,}"
            f"{sum(b.values()) - b['mask']:9,}"
        )
    cycles, moved = result["cycles"], result["bytes"]
    lines += ["", f"{cycles:,} cycles an image on {result['pe']} (memory latency "
              f"{result['latency']}), {result['macs']:,} MACs, utilisation "
              f"{result['utilisation']:.1%}", ""]  # fmt: skip
    lines += [f"cycles  {c:18}{n:12,}{n / cycles:8.1%}"
              for c, n in result["cycles_by_cause"].items()]  # fmt: skip
    lines += ["", *(f"bytes   {c:18}{n:12,}{n / moved['total']:8.1%}" for c, n in moved.items()
                    if c != "activation")]  # fmt: skip
    lines += ["", f"{'weights held as':20}{'bytes stored':>14}{'bytes moved':>13}{'all moved':>12}"
              f"{'stored x':>10}{'moved x':>9}{'all x':>7}"]  # fmt: skip
    lines += [
        f"{name:20}{b['stored']:14,}{b['moved']:13,}{b['total']:12,}"
        f"{b['stored_ratio']:10.2f}{b['moved_ratio']:9.2f}{b['total_ratio']:7.2f}"
        for name, b in result["baselines"].items()
    ]
    return "\n".join(lines)


def add_latency(p):
    """`--latency`; whoever adds it checks the value with `check_latency`."""
    p.add_argument("--latency", type=int, default=DEFAULT_LATENCY, metavar="L",
                   help="clocks from an address to its data (default %(default)s)")  # fmt: skip


def check_latency(latency: int) -> int:
    if not 1 <= latency <= 10_000:
        raise HfnError(f"--latency must be 1 to 10000 clocks, not {latency}")
    return latency


def main():
    p = cli.parser("estimate", "Cycles and bytes of one image on one design, in closed form.")
    p.add_argument("--ticket", required=True, metavar="T", help="a ticket's file or shipped name")
    cli.add_config(p)
    add_latency(p)
    cli.add_json(p)
    args = p.parse_args()
    result = report(load(args.ticket), cli.config(args), check_latency(args.latency))
    if args.json != "-":
        print(text(result))
    if args.json:
        write_json(args.json, result)


if __name__ == "__main__":
    cli.run(main)
