"""`python -m sim.synthesis`: bring the table of synthesis results up to date, row by row."""

import os
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from hfn_accel import cli
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.synthesis_table import CORE, key, read, write

from . import designs, liberty
from .measure import Job, blocks, measure, versions
from .place import SECONDS
from .show import line, table
from .targets import ECP5, TARGETS


def _parser() -> cli.Parser:
    p = cli.Parser(prog="sim.synthesis", description=main.__doc__, allow_abbrev=False)
    p.add_argument("--out", metavar="F.json", help="table to extend or update")
    p.add_argument("--pe", metavar="RxC,...", help="these arrays (default: the project's designs)")
    p.add_argument("--config", metavar="F.toml", help="the arrays' other configuration fields")
    p.add_argument("--target", metavar="T,...",
                   help=f"of --pe: {', '.join(TARGETS)} (default ecp5)")  # fmt: skip
    p.add_argument("--liberty", metavar="F.lib", help="standard cells to map to instead (of --pe; "
                   "else 8x8 and 16x16 besides the project's designs)")  # fmt: skip
    p.add_argument("--blocks", nargs="?", const="all", metavar="B,...",
                   help="of --pe: not the core but its blocks, or these, each alone")  # fmt: skip
    p.add_argument("--place", action="store_true", help="of --pe on ecp5: place and route too")
    p.add_argument("--large", action="store_true",
                   help="the project's designs, and large arrays on all targets")  # fmt: skip
    p.add_argument("--seconds", type=int, default=SECONDS, metavar="N",
                   help=f"end place and route after N (default {SECONDS})")  # fmt: skip
    p.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), metavar="N",
                   help="designs at a time (default 2)")  # fmt: skip
    return p


def _jobs(args) -> list[Job]:
    """What the arguments ask for. Raises HfnError."""
    for option, least in (("seconds", 1), ("jobs", 1)):
        if getattr(args, option) < least:
            raise HfnError(f"--{option} must be at least {least}, not {getattr(args, option)}")
    if args.pe is None:
        for option in ("config", "target", "blocks", "place"):
            if getattr(args, option):
                raise HfnError(
                    f"--{option} needs --pe: the project's designs have all their fields"
                )
        jobs = designs.default() + (designs.large() if args.large else [])
        return jobs + (_of_library(args.liberty, ("16x16", "8x8"), None) if args.liberty else [])
    shapes = [pe.strip() for pe in args.pe.split(",")]
    if args.liberty:
        return _of_library(args.liberty, shapes, args.config)
    targets = (args.target or ECP5.name).split(",")
    unknown = sorted(set(targets) - set(TARGETS))
    if unknown:
        raise HfnError(f"--target must be of {', '.join(TARGETS)}, not {unknown[0]!r}")
    return [Job(config, TARGETS[target], unit, args.place and target == ECP5.name)
            for target in targets for pe in shapes
            for config in [Config.parse(pe, args.config)]
            for unit in _units(config, args.blocks)]  # fmt: skip


def _of_library(path: str, shapes, config: str | None) -> list[Job]:
    target, cells = liberty.target(path)
    return [Job(Config.parse(pe, config), target, cells=cells) for pe in shapes]


def _units(config: Config, asked: str | None) -> list[str]:
    if asked is None:
        return [CORE]
    there = blocks(config)
    units = there if asked == "all" else asked.split(",")
    unknown = sorted(set(units) - set(there))
    if unknown:
        raise HfnError(f"{config.name} has no block {unknown[0]!r}: it has {', '.join(there)}")
    return units


def main(argv: list[str] | None = None):
    """Synthesise designs and bring the table up to date, row by row: what is there of the same
    Verilog, script and tools is left; what fails is told at the end, and keeps its old row."""
    args = _parser().parse_args(argv)
    path = Path(args.out) if args.out else None
    rows = read(path) if path else {}
    versions(args.place or args.pe is None)
    jobs, found, failures = _jobs(args), {}, []

    def timed(job: Job) -> tuple[dict, bool, float]:
        start = time.monotonic()
        old = rows.get(key({"config": job.config.to_dict(), "target": job.target.name,
                            "library": job.target.library, "unit": job.unit}))  # fmt: skip
        row = measure(job, old, args.seconds)
        return row, row is old, time.monotonic() - start

    with ThreadPoolExecutor(args.jobs) as pool:
        started = {pool.submit(timed, job): job for job in jobs}
        try:
            for number, future in enumerate(as_completed(started), 1):
                told = f"[{number}/{len(jobs)}] {started[future].label}:"
                try:
                    row, same, seconds = future.result()
                except HfnError as error:
                    failures.append(str(error))
                    print(told, "failed", flush=True)
                    continue
                found[key(row)] = rows[key(row)] = row
                if path and not same:
                    write(path, rows)
                print(told, line(row), "(unchanged)" if same else f"({seconds:.0f} s)", flush=True)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    print(table([found[k] for k in sorted(found)]), end="")
    if failures:
        raise HfnError("; ".join(failures))


if __name__ == "__main__":
    cli.run(main)
