"""`python -m sim.faults`: faults against the core, mutated files against the package's readers."""

import time
from dataclasses import asdict

from hfn_accel.cli import Parser
from hfn_accel.cli import run as run_command
from hfn_accel.errors import HfnError
from hfn_accel.files import write_json

from . import hardware, inputs
from .campaigns import CAMPAIGNS
from .formats import FORMATS
from .target import TARGETS

SHOWN = 10  # problems of a line of the table


def main():
    args = _arguments()
    begin, hardware_rows, input_rows = time.monotonic(), [], []
    print(f"seed {args.seed}")
    if args.part != "inputs":
        print(f"{'campaign':16}{'target':18}{'runs':>7}{'well':>6}{'hangs':>6}{'strays':>7}"
              f"{'wrong':>6}  other ends")  # fmt: skip
        for tally in hardware.run(args.seed, names=args.names, target=args.target,
                                  scale=args.scale, only=args.only):  # fmt: skip
            hardware_rows.append(asdict(tally))
            print(_line(tally), flush=True)
            _show(f"{tally.campaign} --target '{tally.target}'",
                  [(i, f"{what}: {name}") for i, name, what in tally.problems])  # fmt: skip
    if args.part != "hardware":
        print(f"{'format':34}{'inputs':>7}{'read':>6}{'wrong':>6}{'slowest':>9}")
        for tally in inputs.run(args.seed, round(args.inputs * args.scale), args.names, args.only):
            input_rows.append(asdict(tally))
            print(f"{tally.format:34}{tally.runs:7}{tally.read:6}{len(tally.failures):6}"
                  f"{tally.slowest:8.2f}s", flush=True)  # fmt: skip
            _show(tally.format, tally.failures)
    runs, count = (sum(row["runs"] for row in rows) for rows in (hardware_rows, input_rows))
    bad = sum(len(row["problems"]) for row in hardware_rows)
    bad += sum(len(row["failures"]) for row in input_rows)
    print(f"{runs} runs and {count} inputs, {bad} wrong, {time.monotonic() - begin:.0f} s")
    if args.json:
        write_json(args.json, {"seed": args.seed, "hardware": hardware_rows, "inputs": input_rows})
    if bad:
        raise HfnError(f"{bad} runs or inputs did not end as they must")


def _arguments():
    p = Parser(prog="sim.faults", description=__doc__, allow_abbrev=False)
    p.add_argument("names", nargs="*", metavar="NAME", help="campaigns or formats (all)")
    p.add_argument("--part", choices=("hardware", "inputs"), help="one half alone")
    p.add_argument("--target", metavar="T", help="campaigns against this configuration alone")
    p.add_argument("--seed", type=int, default=1, help="what all cases follow from (1)")
    p.add_argument("--only", type=int, metavar="I", help="case or input I alone, of those named")
    p.add_argument(
        "--inputs", type=int, default=100_000, metavar="N", help="mutated files (100000)"
    )
    p.add_argument("--scale", type=float, default=1, help="a fraction of all that")
    p.add_argument("--json", metavar="FILE", help="also write the result as JSON (- for stdout)")
    args = p.parse_args()
    campaigns, formats = [c.name for c in CAMPAIGNS], [f.name for f in FORMATS]
    for name in args.names:
        if name not in campaigns + formats:
            raise HfnError(f"name must be one of {', '.join(campaigns + formats)}, not {name!r}")
    if args.names:
        parts = {"hardware" if name in campaigns else "inputs" for name in args.names}
        args.part = args.part or (parts.pop() if len(parts) == 1 else None)
    if args.target not in (None, *(t.name for t in TARGETS)):
        raise HfnError(f"--target must be one of {', '.join(t.name for t in TARGETS)}")
    if not 0 < args.scale <= 1 or args.seed < 0 or args.inputs < 1:
        raise HfnError("--scale must be above 0 and at most 1, --seed from 0, --inputs from 1 on")
    return args


def _line(tally: hardware.Tally) -> str:
    ends = dict(tally.ends)
    well, hangs = ends.pop("done", 0), ends.pop("hang", 0)
    others = " ".join(f"{name} {ends[name]}" for name in sorted(ends))
    return (f"{tally.campaign:16}{tally.target:18}{tally.runs:7}{well:6}{hangs:6}{tally.strays:7}"
            f"{len(tally.problems):6}  {others}")  # fmt: skip


def _show(name: str, problems: list[tuple[int, str]]):
    for i, what in problems[:SHOWN]:
        print(f"    {name} --only {i}: {what[:300]}")


if __name__ == "__main__":
    run_command(main)
