"""`python -m sim.formal`: the proofs of docs/formal.md, as a table; exit status 1 if one fails."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hfn_accel import cli
from hfn_accel.errors import HfnError
from hfn_accel.files import make_folder, write_json
from sim.build import build_folder, jobs

from .proofs import PROOFS
from .replay import replay

COLUMNS = "{:16} {:18} {:46} {:22} {:21} {:>7}  {}"


def work(proof, folder: Path, seconds: int) -> dict:
    """A proof's row. A counterexample is run again in Amaranth's simulator, which writes waves."""
    folder = make_folder(folder / proof.name)
    outcome = proof.run(folder, seconds)
    if outcome.holds:
        missed = proof.reach(folder, seconds)
        result = f"not reached: {missed[0]}" if missed else "holds"
    elif outcome.trace:
        [(clock, broken), *_] = replay(proof.make, outcome.trace, folder / "trace.vcd")
        waves = os.path.relpath(folder / "trace.vcd")
        result = f"FAILS: {broken} (clock {clock}, {waves})"
    else:
        result = "NOT PROVED"
    return {"name": proof.name, "block": proof.block, "shows": proof.shows, "size": proof.size,
            "method": str(proof.method), "seconds": round(outcome.seconds, 1),
            "result": result}  # fmt: skip


def main(argv: list[str] | None = None):
    p = cli.Parser(prog="sim.formal", description=__doc__.splitlines()[0], allow_abbrev=False)
    p.add_argument("names", nargs="*", metavar="NAME", help="proofs (default: all)")
    p.add_argument("--seconds", type=int, default=600, metavar="N",
                   help="a processor's time for a run of a prover (default 600)")  # fmt: skip
    cli.add_json(p)
    args = p.parse_args(argv)
    known = {proof.name: proof for proof in PROOFS}
    if strange := sorted(set(args.names) - set(known)):
        raise HfnError(f"no proof {strange[0]!r}: there are {', '.join(known)}")
    if args.seconds < 1:
        raise HfnError(f"--seconds must be at least 1, not {args.seconds}")
    chosen = [known[name] for name in args.names] or list(PROOFS)
    folder = make_folder(build_folder() / "formal")
    print(COLUMNS.format("proof", "block", "shows", "size", "method", "CPU s", "result"))
    rows = []
    with ThreadPoolExecutor(jobs()) as pool:
        for row in pool.map(lambda proof: work(proof, folder, args.seconds), chosen):
            rows.append(row)
            print(COLUMNS.format(*row.values()), flush=True)
    if args.json:
        write_json(args.json, rows)
    if any(row["result"] != "holds" for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    cli.run(main)
