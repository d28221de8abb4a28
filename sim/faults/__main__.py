"""`python -m sim.faults`: faults against the core, mutated inputs against the package."""

import time
from dataclasses import asdict
from pathlib import Path

from hfn_accel.cli import Parser
from hfn_accel.cli import run as run_command
from hfn_accel.errors import HfnError
from hfn_accel.files import write_json

from . import hardware

SHOWN = 10  # problems of a campaign


def main():
    p = Parser(prog="sim.faults", description=__doc__)
    p.add_argument("campaigns", nargs="*", metavar="CAMPAIGN", help="of these alone")
    p.add_argument("--seed", type=int, default=1, help="what all cases follow from (1)")
    p.add_argument("--only", type=int, metavar="I", help="case I alone, of the campaigns named")
    p.add_argument("--scale", type=float, default=1, help="a fraction of the cases")
    p.add_argument("--json", type=Path, metavar="F", help="write the table there too")
    args = p.parse_args()
    known = [c.name for c in hardware.CAMPAIGNS]
    for name in args.campaigns:
        if name not in known:
            raise HfnError(f"campaign must be one of {', '.join(known)}, not {name!r}")
    if not 0 < args.scale <= 1 or args.seed < 0:
        raise HfnError("--scale must be above 0 and at most 1, --seed at least 0")
    begin, rows, bad = time.monotonic(), [], 0
    print(f"seed {args.seed}")
    print(f"{'campaign':16}{'target':18}{'runs':>6}{'well':>6}{'hangs':>6}{'strays':>7}"
          f"{'wrong':>6}  error codes")  # fmt: skip
    for tally in hardware.run(args.seed, names=args.campaigns, scale=args.scale, only=args.only):
        rows.append(asdict(tally))
        bad += len(tally.problems)
        print(_line(tally), flush=True)
        for i, name, what in tally.problems[:SHOWN]:
            print(f"    --only {i}: {what}: {name}")
    print(f"{sum(row['runs'] for row in rows)} runs, {bad} problems, "
          f"{time.monotonic() - begin:.0f} s")  # fmt: skip
    if args.json:
        write_json(args.json, {"seed": args.seed, "campaigns": rows})
    if bad:
        raise HfnError(f"{bad} runs broke the rules")


def _line(tally: hardware.Tally) -> str:
    ends = dict(tally.ends)
    well, hangs = ends.pop("done", 0), ends.pop("hang", 0)
    codes = " ".join(f"{name} {ends[name]}" for name in sorted(ends))
    return (f"{tally.campaign:16}{tally.target:18}{tally.runs:6}{well:6}{hangs:6}{tally.strays:7}"
            f"{len(tally.problems):6}  {codes}")  # fmt: skip


if __name__ == "__main__":
    run_command(main)
