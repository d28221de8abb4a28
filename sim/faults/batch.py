"""Many short jobs in one process: cases as text for sim/faults/batch.cpp, and its answers."""

import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from sim import backend, harness
from sim.build import jobs

MAIN = Path(__file__).with_name("batch.cpp")
CHANNELS = ("AR", "AW", "W", "R", "B")
FOREVER = 1 << 60  # clocks
CHUNK = 100  # cases a process


@dataclass(frozen=True)
class Fault:
    """What goes wrong at transfer `index` (from 0) of an AXI4 channel.

    clocks: it is held back for so long. response: RRESP or BRESP instead of the right one. last:
    of a read beat: "wrong": RLAST is the opposite, and the burst goes on or ends all the same;
    "cut": RLAST, and the burst ends there; "longer": no RLAST where it is due, but one beat later.
    """

    channel: str
    index: int
    clocks: int = 0
    response: int | None = None
    last: str = "right"

    def command(self) -> tuple:
        """For sim/faults/batch.cpp."""
        response = -1 if self.response is None else self.response
        last = ("right", "wrong", "cut", "longer").index(self.last)
        return ("fault", CHANNELS.index(self.channel), self.index, self.clocks, response, last)


@cache
def build(config: Config) -> Path:
    """The binary for a configuration; its activation writes show that it is at work."""
    return harness.build(backend.design(config, True), config, main=MAIN)


def run(config: Config, memory: bytes, cases: Sequence[list[tuple]]) -> list[list[list[str]]]:
    """For each case, a list of commands of sim/faults/batch.cpp, its answers, split into words."""
    binary = build(config)
    chunks = [cases[i : i + CHUNK] for i in range(0, len(cases), CHUNK)]
    with ThreadPoolExecutor(jobs()) as pool:
        return [a for part in pool.map(lambda c: _run(binary, memory, c), chunks) for a in part]


def _run(binary: Path, memory: bytes, cases: Sequence[list[tuple]]) -> list[list[list[str]]]:
    with tempfile.TemporaryDirectory(prefix="hfn-accel-") as name:
        folder = Path(name)
        (folder / "memory").write_bytes(memory)
        with open(folder / "script", "w") as script:
            print("memory memory", file=script)
            for commands in cases:
                for command in [("case",), *commands]:
                    print(*command, file=script)
        done = subprocess.run([binary, "script", "results"], cwd=folder, capture_output=True,
                              text=True)  # fmt: skip
        if done.returncode:
            raise HfnError(f"{binary.name} failed ({done.returncode}): {done.stderr.strip()}")
        text = (folder / "results").read_text()
    return [[line.split() for line in part.splitlines()[1:]]
            for part in ("\n" + text).split("\ncase")[1:]]  # fmt: skip
