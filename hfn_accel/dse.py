"""`python -m hfn_accel.dse`: explore designs and networks, without simulation.

What to explore is said by a TOML file (`--config`), or by the options below for one ticket or
network. docs/exploration.md describes both, and what is written.
"""

import os

from . import cli, networks
from .errors import HfnError
from .exploration import sweep
from .exploration.explore import explore

DEFAULTS = {
    "pe": "4x4,8x8,8x16,16x8,16x16,16x32,32x16,32x32,64x64",
    "act_bits": "own,2,4,8",
    "activation_bytes": "fit",
    "mask_bytes": "fit",
    "psum_depth": "fit",
    "bus": "64,128",
}
AXES = {"act_bits": "activation_bits", "bus": "axi_data_width"}  # names that differ from the axis
WORKLOAD = ("ticket", "network", "dataset", "density", "activation_bits", "random_ticket")
"""Options that say it; a seed of random masks changes nothing, since their sizes are expected."""


def axes(args) -> dict[str, list]:
    """The axes that the options say. Raises HfnError if neither ticket nor network is given."""
    given = {}
    for name, default in DEFAULTS.items():
        texts = (getattr(args, name) or default).split(",")
        given[AXES.get(name, name)] = [_value(text.strip()) for text in texts]
    given |= {n: getattr(args, n) for n in ("ticket", "network", "dataset") if getattr(args, n)}
    if args.density is not None:
        given["density"] = _value(args.density)
    if args.activation_bits is not None:
        own = _value(args.activation_bits)
        given["activation_bits"] = [own if b == "own" else b for b in given["activation_bits"]]
    return given | ({} if args.latency is None else {"latency": args.latency})


def _value(text: str):
    """A number if it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def parse(args) -> sweep.Sweep:
    if args.config is None:
        return sweep.parse({"axes": axes(args)})
    for name in (*WORKLOAD, *DEFAULTS, "latency"):
        if getattr(args, name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise HfnError(f"--config says every axis: {option} must not be given with it")
    return sweep.read(args.config)


def main(argv: list[str] | None = None):
    p = cli.parser("dse", "Explore designs and networks: points.csv, front.csv and pictures.")
    p.add_argument("--config", metavar="SWEEP.toml", help="the sweep, a file or a shipped one's "
                   "name; without it, the options below say one")  # fmt: skip
    p.add_argument("--out", required=True, metavar="DIR", help="folder for the results; a sweep "
                   "that is there already is gone on with")  # fmt: skip
    p.add_argument("--restart", action="store_true", help="overwrite what is in the folder")
    p.add_argument("--workers", type=int, metavar="N", default=os.cpu_count(),
                   help="processes (default %(default)s, one a core)")  # fmt: skip
    p.add_argument("--scheduler", metavar="ADDRESS", help="compute on that Dask cluster instead")
    p.add_argument("--html", metavar="FILE", help="also write an interactive page")
    cli.add_json(p)
    p.add_argument("--ticket", metavar="T", help="a ticket's file or shipped name")
    networks.add_arguments(p)
    for name, default in DEFAULTS.items():
        p.add_argument(f"--{name.replace('_', '-')}", metavar="A,B,...",
                       help=f"values to combine (default {default})")  # fmt: skip
    p.add_argument("--latency", type=int, metavar="L", help="clocks from an address to its data")
    args = p.parse_args(argv)
    if args.workers < 1:
        raise HfnError(f"--workers must be at least 1, not {args.workers}")
    explore(parse(args), args.out, args.workers, args.scheduler, args.restart, args.json, args.html)


if __name__ == "__main__":
    cli.run(main)
