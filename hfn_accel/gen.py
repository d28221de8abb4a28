"""`python -m hfn_accel.gen`: the accelerator's Verilog, and a description of it for machines.

Both files are the same from run to run, and are written atomically. `--synth TARGET` prints instead
what the design synthesises to (docs/area.md).
"""

import json

from . import __version__, cli, registers, rooms, timing
from .config import Config
from .errors import HfnError
from .files import atomic_write, make_folder, write_json

TOP = "hfn_accel"
TARGETS = ("ecp5", "ice40", "xilinx", "generic", "liberty")


def main(argv: list[str] | None = None):
    """Write hfn_accel_RxC.v and hfn_accel_RxC.json; with --synth, tell what they synthesise to."""
    p = cli.parser("gen", "Write the accelerator's Verilog and its description.")
    p.add_argument("--out", metavar="DIR", help="folder (default: this one)")
    cli.add_config(p)
    p.add_argument("--synth", metavar="TARGET", choices=TARGETS, help="write neither, but print "
                   f"the figures of synthesis: {', '.join(TARGETS)}")  # fmt: skip
    p.add_argument("--liberty", metavar="F.lib", help="standard cells of --synth liberty")
    p.add_argument("--place", action="store_true", help="of --synth ecp5: place and route too")
    cli.add_json(p)
    args = p.parse_args(argv)
    config = cli.config(args)
    if args.synth:
        return _synthesise(args, config)
    if args.liberty or args.place or args.json:
        raise HfnError("--liberty, --place and --json belong to --synth")
    folder = make_folder(args.out or ".")
    component = _rtl("accelerator").Accelerator(config)
    stem = f"{TOP}_{config.name}"
    files = {
        folder / f"{stem}.v": _rtl("emit").verilog(component, TOP),
        folder / f"{stem}.json": json.dumps(describe(component), indent=1) + "\n",
    }
    for path, text in files.items():
        atomic_write(path, text.encode())
        print(path)


def _synthesise(args, config: Config):
    """Print the figures of one design, and write them as JSON if asked."""
    if args.out:
        raise HfnError("--synth writes no Verilog: --out does not go with it")
    if args.place and args.synth != "ecp5":
        raise HfnError("--place goes with --synth ecp5")
    if (args.synth == "liberty") != bool(args.liberty):
        raise HfnError("--synth liberty and --liberty F.lib go together")
    shape = rooms.load("sim.synthesis.shape", "synth", rooms=("rtl", "sim"))
    found = shape.figures(config, args.synth, args.liberty, args.place)
    if args.json != "-":
        for name, value in shape.lines(found):
            print(f"{name:>28}  {value}")
    if args.json:
        write_json(args.json, found)


def _rtl(module: str):
    return rooms.load(f"rtl.{module}", "sim", rooms=("rtl",))


def describe(component) -> dict:
    """What a user of the Verilog needs to know: configuration, ports, registers, latencies.

    `component`: with flat ports and a `config`. Latencies are in clocks.
    """
    config = component.config
    return {
        "generator": f"hfn-accel {__version__}",
        "top": TOP,
        "configuration": config.to_dict(),
        "ports": ports(component),
        "latencies": latencies(config),
        **registers.to_dict(),
    }


def ports(component) -> list[dict]:
    """Name, width and direction of every port of a component's Verilog."""
    listed = [{"name": name, "width": 1, "direction": "input"} for name in ("clk", "rst")]
    for name, member in component.signature.members.items():
        direction = "output" if member.flow.name == "Out" else "input"
        listed.append({"name": name, "width": member.shape, "direction": direction})
    return listed


def latencies(config: Config) -> dict[str, int]:
    """The constants of `hfn_accel.timing` and those that follow from the configuration."""
    constants = {name.lower(): value for name, value in sorted(vars(timing).items())
                 if name.endswith(("_CYCLES", "_OVERHEAD"))}  # fmt: skip
    return constants | {"array_cycles": timing.array_latency(config.rows)}


if __name__ == "__main__":
    cli.run(main)
