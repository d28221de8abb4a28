"""The prover: Amaranth to an and-inverter graph by Yosys, then ABC; both come with `pyosys`."""

import importlib.util
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil

from hfn_accel.errors import HfnError
from hfn_accel.files import make_folder

from .bench import STEP_CLOCK, Bench

YOSYS = "from pyosys import libyosys; libyosys.run_pass('script graph.ys')"
TO_GRAPH = """
read_rtlil model.il
hierarchy -top top
proc
flatten
memory_nordff
async2sync
chformal -lower
opt -full
memory_map -formal
{start}
formalff -setundef -clk2ff -ff2anyinit -hierarchy
setundef -undriven -anyseq
delete -output
opt -full
techmap
opt -fast
simplemap
dffunmap
aigmap
opt_clean
write_aiger -I -B -zinit -no-startoffset -map model.map model.aig
"""
FREE_START = f"setattr -unset init w:* w:{STEP_CLOCK} %d"
"""For an induction's step: registers start with any value, but for the bench's own clock."""


@dataclass(frozen=True)
class Method:
    """How a proof is done; `str()` says what it shows."""

    kind: str
    clocks: int = 0

    def __str__(self):
        return self.kind + (f", {self.clocks} clocks" if self.clocks else "")


INVARIANT = Method("invariant")
"""Every clock of every run: property-directed reachability finds an inductive invariant."""


def induction(clocks: int) -> Method:
    """Every clock of every run: the claims hold in the first `clocks` from reset, and where they
    hold in so many in a row, from whatever state, they hold in the next."""
    return Method("induction", clocks)


def bounded(clocks: int) -> Method:
    """The first `clocks` from reset, whatever the inputs."""
    return Method("bounded", clocks)


@dataclass(frozen=True)
class Outcome:
    """`holds`, or `trace` is a counterexample, its inputs clock by clock: () of an induction's
    step, which begins nowhere in particular, and where the prover gave up."""

    holds: bool
    seconds: float
    trace: tuple[dict, ...] = ()


def new(make: Callable[[Bench], None]) -> Bench:
    """A bench, filled by `make`; `make.reset` says that it may be reset."""
    bench = Bench(reset=getattr(make, "reset", False))
    make(bench)
    return bench


def check(make: Callable[[Bench], None], claims: Callable[[Bench], list], folder: Path,
          method: Method, seconds: int = 600) -> Outcome:  # fmt: skip
    """Whether `claims`, signals of the bench that `make` fills, are always 1, by a method, in so
    many seconds of a processor (a run each). Files stay in the folder. Raises HfnError for what
    Yosys refuses.
    """
    clocks = method.clocks
    if method.kind == "invariant":
        return _run(make, claims, folder, "pdr", "snl_UNSAT", seconds)
    engine, expected = f"bmc3 -F {clocks}", f"snl_UNK {clocks - 1}"
    base = _run(make, claims, folder, engine, expected, seconds)
    if not base.holds or method.kind == "bounded":
        return base
    engine, expected = f"bmc3 -F {clocks + 1}", f"snl_UNK {clocks}"
    step = _run(make, claims, folder / "step", engine, expected, seconds, clocks)
    return Outcome(step.holds, base.seconds + step.seconds)


def _run(make, claims, folder, engine, expected, seconds, step=0) -> Outcome:
    """Whether ABC ends with the expected status, and else the counterexample, if it has one."""
    bench = new(make)
    module = bench.module(claims(bench), step)
    ports = [bench.domain.clk, *bench.inputs]
    make_folder(folder)
    for old in ("model.aig", "status.txt", "trace.aiw"):
        (folder / old).unlink(missing_ok=True)
    (folder / "model.il").write_text(rtlil.convert(module, ports=ports, emit_src=False))
    (folder / "graph.ys").write_text(TO_GRAPH.format(start=FREE_START if step else ""))
    taken = call([sys.executable, "-c", YOSYS], folder, seconds)
    taken += call([abc(), "-c", (
        f"read_aiger model.aig; fold; orpos; strash; scorr; write_aiger folded.aig; {engine}; "
        "write_status status.txt; write_cex -a trace.aiw"
    )], folder, seconds)  # fmt: skip
    if not (folder / "status.txt").exists():
        return Outcome(False, taken)
    status = (folder / "status.txt").read_text()
    if status.startswith((f"{expected} ", "snl_UNSAT ")) or _never(folder / "folded.aig"):
        return Outcome(True, taken)
    return Outcome(False, taken, _trace(folder, bench) if status.startswith("snl_SAT ") else ())


def abc() -> str:
    """The program. Raises HfnError if its package is not installed."""
    found = importlib.util.find_spec("pyosys")
    if found is None:
        raise HfnError("sim.formal needs the Python package 'pyosys': "
                       "pip install 'hfn-accel[formal]'")  # fmt: skip
    return str(Path(found.origin).parent / "yosys-abc")


def call(command: list[str], folder: Path, seconds: int) -> float:
    """Run a tool in the folder; the processor's seconds that it took, `seconds` at most."""

    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))

    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, preexec_fn=limit)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode > 0:
        lines = (folder / "log.txt").read_text().strip().splitlines() or ["no message"]
        raise HfnError(f"{Path(command[0]).name}: {lines[-1]}")
    return usage.ru_utime + usage.ru_stime


def _never(graph: Path) -> bool:
    """Whether a graph's only output is the constant 0: ABC's engines do not answer for it."""
    header, *lines = graph.read_bytes().split(b"\n")
    return lines[int(header.split()[3])] == b"0"  # the latches' lines come first


def _trace(folder: Path, bench: Bench) -> tuple[dict, ...]:
    """The inputs' values by name, clock by clock."""
    entries = [line.split() for line in (folder / "model.map").read_text().splitlines()]
    places = [(int(e[1]), int(e[2]), e[3]) for e in entries if e[0] == "input"]
    lines = (folder / "trace.aiw").read_text().splitlines()
    trace = []
    for line in (x for x in lines[1:] if "#" not in x):  # the first: the registers' values
        values = {signal.name: 0 for signal in bench.inputs}
        for index, bit, name in places:
            if name in values:
                values[name] |= (line[index] == "1") << bit
        trace.append(values)
    return tuple(trace)
