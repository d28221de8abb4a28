"""What is proved: the list that `python -m sim.formal` works through."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import arithmetic, masters, sequencer, signs, slave, streams
from .bench import Bench
from .prover import INVARIANT, Method, Outcome, bounded, check, induction, new
from .sequencer import EXECUTOR_CLOCKS, FETCHER_CLOCKS

REACH_CLOCKS = 40  # a goal is sought in so many


@dataclass(frozen=True)
class Proof:
    """A bench's claims (`names`, or all), shown by a method; and its goals, reached."""

    name: str
    block: str
    shows: str
    size: str
    make: Callable[[Bench], None]
    method: Method

    def run(self, folder: Path, seconds: int) -> Outcome:
        def all_claims(bench):
            return list(bench.claims.values())

        return check(self.make, all_claims, folder, self.method, seconds)

    def reach(self, folder: Path, seconds: int) -> list[str]:
        """Goals that no run of REACH_CLOCKS reaches: assumptions would exclude too much."""
        missed = []
        for goal in new(self.make).goals:

            def never(bench, goal=goal):
                return [~bench.goals[goal]]

            outcome = check(self.make, never, folder / "reach", bounded(REACH_CLOCKS), seconds)
            if not outcome.trace:
                missed.append(goal)
        return missed


@dataclass(frozen=True)
class LinearProof:
    """The sign generator's matrices."""

    name: str
    block: str
    shows: str
    size: str
    columns: int
    method: Method = Method("all states")

    def run(self, folder: Path, seconds: int) -> Outcome:
        return signs.prove(self.columns, folder)

    def reach(self, folder: Path, seconds: int) -> list[str]:
        return []


FULL, SHORT = "64-bit bus", f"bursts of 4, {masters.MOST_BEATS} beats"
PROOFS = (
    Proof("read_handshake", "ReadDma", "AXI4 address channel", FULL, masters.read_handshake,
          INVARIANT),
    Proof("write_handshake", "WriteDma", "AXI4 address and data channels", FULL,
          masters.write_handshake, INVARIANT),
    Proof("read_bursts", "ReadDma", "bursts inside their boundary", FULL, masters.read_bursts,
          induction(4)),
    Proof("write_bursts", "WriteDma", "bursts inside their boundary", FULL, masters.write_bursts,
          induction(5)),
    Proof("read_transfer", "ReadDma", "every beat once, in order", SHORT, masters.read_transfer,
          bounded(16)),
    Proof("read_hostile", "ReadDma", "any RRESP and RLAST", SHORT, masters.read_hostile,
          bounded(16)),
    Proof("write_transfer", "WriteDma", "every beat once, in order, inside", SHORT,
          masters.write_transfer, bounded(16)),
    Proof("lite_handshake", "Registers", "AXI4-Lite channels", FULL, slave.handshake, INVARIANT),
    Proof("lite_semantics", "Registers", "start, RW and W1C registers", FULL, slave.semantics,
          INVARIANT),
    Proof("lite_read_only", "Registers", "writes to RO registers do nothing", FULL,
          slave.read_only, INVARIANT),
    Proof("read_ahead_1", "ReadAhead", "words once, in order", "latency 1", streams.read_ahead_1,
          INVARIANT),
    Proof("read_ahead_2", "ReadAhead", "words once, in order", "latency 2", streams.read_ahead_2,
          INVARIANT),
    Proof("results", "ResultStore", "words once, in order", f"{streams.MOST_WORDS} words",
          streams.results, bounded(16)),
    Proof("loader", "ImageLoader", "an image's beats are counted", "3x3 pixels", streams.loader,
          bounded(24)),
    LinearProof("signs", "SignGenerator", "step, jump and signs are the matrices'", "16 columns",
                16),
    Proof("column_4x2", "Array", "sums are the function's", "4x2", arithmetic.column_4x2,
          bounded(16)),
    Proof("column_8x1", "Array", "sums are the function's", "8x1", arithmetic.column_8x1,
          bounded(16)),
    Proof("accumulator", "PlaneAccumulator", "values are the function's", "4 rows",
          arithmetic.accumulator, INVARIANT),
    Proof("partial_sums", "PartialSums", "sums are the function's", "16 sums, 12 bits",
          arithmetic.partial_sums, bounded(12)),
    Proof("requantiser", "Requantiser", "values are the function's", "12-bit sums",
          arithmetic.requantiser, bounded(10)),
    Proof("executor", "Executor", "idle again, from any state", "1x1", sequencer.executor,
          induction(EXECUTOR_CLOCKS)),
    Proof("fetcher", "Fetcher", "goes on or is idle, from any state", "1x1", sequencer.fetcher,
          induction(FETCHER_CLOCKS)),
    Proof("clear", "Fetcher, Executor", "idle behind a clear, from any state", "1x1",
          sequencer.clear, induction(1)),
    Proof("control", "Control", "error, reset, abort and clear, from any state", "1x1",
          sequencer.control, induction(1)),
    Proof("watchdog", "Watchdog", "expires then and only then", "limits to 7",
          sequencer.watchdog, INVARIANT),
)  # fmt: skip
