"""`python -m hfn_accel.estimate`: what a run takes on one design, without simulating it."""

import importlib.util
import re
import sys
from pathlib import Path

from . import cli, networks, rooms, scalesim, topology, topology_network
from .config import Config
from .design_report import report, text
from .errors import HfnError
from .estimator import DEFAULT_LATENCY, MAX_BATCH, check_latency
from .files import make_folder, write_json
from .network import Graph
from .ticket import load
from .workload import Workload, resolve

NETWORK = ("network", "dataset", "random_ticket", "density", "activation_bits")
_MODULE = re.compile(r"(.+\.py):([A-Za-z_]\w*)")


def add_latency(p):
    """`--latency`; whoever adds it checks the value with `check_latency`."""
    p.add_argument("--latency", type=int, default=DEFAULT_LATENCY, metavar="L",
                   help="clocks from a memory address to its data (default 16)")  # fmt: skip


def add_workload(p):
    """`--ticket` or `--network` and what belongs to it; read back with `find_workload`."""
    p.add_argument("--ticket", metavar="T", help="a ticket's file or shipped name")
    networks.add_arguments(p)


def find_workload(args) -> Workload:
    """What the arguments name: a ticket's network, a random ticket's, or, without
    `--random-ticket`, one with mask streams of the sizes to expect."""
    if (args.ticket is None) == (args.network is None):
        raise HfnError("either --ticket or --network must be given")
    if args.ticket is not None:
        _refuse(args, "--ticket", NETWORK)
        return Workload.of_ticket(load(args.ticket), args.ticket)
    if args.random_ticket is not None:
        name = f"{args.network} for {args.dataset}"
        return Workload.of_ticket(networks.from_arguments(args), name)
    return resolve(networks.axes(args))


def _refuse(args, what: str, others: tuple[str, ...]):
    """Raise HfnError if one of the options `others` is given beside `what`."""
    for name in others:
        if getattr(args, name) is not None:
            raise HfnError(f"{what} does not go with --{name.replace('_', '-')}")


def find_module(text: str, channels: int, size: int) -> Graph:
    """The network of a PyTorch module, which `F.py:NAME` makes: a module, or what returns one."""
    match = _MODULE.fullmatch(text)
    if not match:
        raise HfnError(f"--module must be F.py:NAME, not {text!r}")
    importer, path = rooms.load("golden.importer", "train"), Path(match[1])
    if not path.is_file():
        raise HfnError(f"cannot read {path}: no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        made = getattr(module, match[2])
        made = made() if not hasattr(made, "parameters") or isinstance(made, type) else made
    except (Exception, SystemExit) as error:  # whatever a user's file raises
        raise HfnError(f"{path}: {type(error).__name__}: {error}") from None
    return importer.graph_of(made, channels, size, match[2])


def main():
    p = cli.parser("estimate", "Cycles and bytes of a run on one design, in closed form.")
    add_workload(p)
    p.add_argument("--module", metavar="F.py:NAME", help="a PyTorch module: NAME in that file is "
                   "one, or makes one")  # fmt: skip
    p.add_argument("--channels", type=int, default=3, help="of --module's images (default 3)")
    p.add_argument("--size", type=int, default=32, help="of --module's images (default 32)")
    p.add_argument("--topology", metavar="F.csv", help="layers in SCALE-Sim's form")
    p.add_argument("--model", choices=("hfn", *scalesim.MODELS), default="hfn",
                   help="whose cycles: this core's (hfn, default) or SCALE-Sim's")  # fmt: skip
    p.add_argument("--write-topology", metavar="F.csv", help="also write the network's layers in "
                   "SCALE-Sim's form")  # fmt: skip
    cli.add_config(p)
    p.add_argument("--batch", type=int, default=1, metavar="N", help="images a run (default 1)")
    cli.add_uncoded(p)
    add_latency(p)
    p.add_argument("--layers", action="store_true", help="print every layer instead of stages")
    p.add_argument("--plot", metavar="DIR", help="folder for pictures of the estimate")
    cli.add_json(p)
    args = p.parse_args()
    if args.topology or args.model != "hfn":
        shown, result = _of_topology(args)
    else:
        result = _of_workload(args)
        shown = text(result, args.layers)
    if args.json != "-":
        print(shown)
    if args.json:
        write_json(args.json, result)
    if args.plot:
        from . import plots  # matplotlib takes a second to import

        paths = plots.save_all(result, make_folder(args.plot))
        print("plots:", ", ".join(map(str, paths)), file=sys.stderr)


def _of_workload(args) -> dict:
    latency = check_latency(args.latency)
    if not 1 <= args.batch <= MAX_BATCH:
        raise HfnError(f"--batch must be 1 to {MAX_BATCH}, not {args.batch}")
    if args.module is not None:
        _refuse(args, "--module", ("ticket", *NETWORK))
        found = Workload.of_graph(find_module(args.module, args.channels, args.size))
    else:
        found = find_workload(args)
    result = report(found, cli.config(args), latency, args.batch, not args.uncoded)
    if args.write_topology:
        topology.write(args.write_topology, topology.of_network(found.arch))
    return result


def _of_topology(args) -> tuple[str, dict]:
    """(text, report) of a topology, by this core's or SCALE-Sim's model."""
    if args.topology is None:
        raise HfnError(f"--model {args.model} needs --topology")
    _refuse(args, "--topology", ("ticket", *NETWORK, "module", "plot", "write_topology"))
    found = topology.read(args.topology)
    if args.model == "hfn":
        config, latency = cli.config(args), check_latency(args.latency)
        result = topology_network.report(found, config, latency)
        return topology_network.text(result), result
    _refuse(args, f"--model {args.model}", ("config",))
    shape = scalesim.array_shape(Config().name if args.pe is None else args.pe)
    result = scalesim.report(found, *shape, scalesim.MODELS[args.model])
    return scalesim.text(result), result


if __name__ == "__main__":
    cli.run(main)
