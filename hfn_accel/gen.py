"""`python -m hfn_accel.gen`: the accelerator's Verilog, a description of it for machines, and with
`--soc` what an SoC project needs beside it.

All files are the same from run to run, and are written atomically. `--synth TARGET` prints instead
what the design synthesises to (docs/area.md).
"""

import json
import re
from pathlib import Path

from . import __version__, cli, registers, rooms, timing
from .config import Config
from .errors import HfnError
from .export import ports as port_table
from .files import atomic_write, make_folder, write_json
from .soc.files import files as soc_files

TOP = "hfn_accel"
TARGETS = ("ecp5", "ice40", "xilinx", "generic", "liberty")


def main(argv: list[str] | None = None):
    """Write hfn_accel_RxC.v and hfn_accel_RxC.json, with --soc what stands beside them too; with
    --synth, tell what the design synthesises to."""
    p = cli.parser("gen", "Write the accelerator's Verilog and its description.")
    p.add_argument("--out", metavar="DIR", help="folder (default: this one)")
    p.add_argument("--soc", action="store_true", help="also write the FuseSoC core, testbench, "
                   "C driver and the register map in every form")  # fmt: skip
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
    for path in write(config, make_folder(args.out or "."), args.soc):
        print(path)


def _synthesise(args, config: Config):
    """Print the figures of one design, and write them as JSON if asked."""
    if args.out or args.soc:
        raise HfnError("--synth writes no files: --out and --soc do not go with it")
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


def stem(config: Config) -> str:
    """Of the names of a configuration's files."""
    return f"{TOP}_{config.name}"


def write(config: Config, folder: Path, soc: bool = False) -> list[Path]:
    """Write the files of a configuration, and those of an SoC project around it; their paths."""
    component = accelerator(config)
    files = {
        f"{stem(config)}.v": verilog(component),
        f"{stem(config)}.json": json.dumps(describe(component), indent=1) + "\n",
    }
    if soc:
        files |= soc_files(config, stem(config))
    for name, text in files.items():
        atomic_write(folder / name, text.encode())
    return [folder / name for name in files]


def accelerator(config: Config, trace: bool = False):
    """The top component; `trace`: with the ports that show activations to a simulation."""
    return _rtl("accelerator").Accelerator(config, trace)


def verilog(component) -> str:
    """The Verilog of an accelerator; its head tells what it is, the top's ports are in order."""
    text, listed = _rtl("emit").verilog(component, TOP), port_table.ordered(ports(component))
    names = ",\n".join(f"  {port['name']}" for port in listed)
    text, found = re.subn(rf"^module {TOP}\([^)]*\);", f"module {TOP} (\n{names}\n);", text,
                          count=1, flags=re.MULTILINE)  # fmt: skip
    assert found, "the top module has ports"
    return head(component) + text


def head(component) -> str:
    """A comment: licence, generator, configuration and ports."""
    config = component.config
    lines = [
        "SPDX-License-Identifier: Apache-2.0",
        f"{TOP}: Hidden-Fold Network accelerator, {config.rows} lanes x {config.columns} columns,",
        f"made by hfn-accel {__version__} (python -m hfn_accel.gen).",
        "",
        "Configuration",
        *(f"  {name:20} {value}" for name, value in config.to_dict().items()),
        *port_table.comment(ports(component)),
    ]
    return "\n".join(["/*", *(f" * {line}".rstrip() for line in lines), " */", ""])


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
