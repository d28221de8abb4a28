"""Long runs: the Verilated accelerator in a C++ main, without cocotb's cost a clock.

`build` makes the binary once for a design, `execute` runs one job on it. The memory model is
sim/memory.h, whose deterministic mode has the same latencies, clock for clock, as sim/memory.py.
"""

import re
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hfn_accel.config import Config
from hfn_accel.errors import HfnError

from . import verilator
from .build import build_folder, cached, digest, jobs

MAIN = Path(__file__).with_name("harness.cpp")
HEADERS = tuple(Path(__file__).with_name(name) for name in ("core.h", "memory.h", "faults.h"))
# What runs every clock is optimised; what runs once is compiled fast.
OPTIMISE = ("-MAKEFLAGS", "OPT_FAST=-O2", "-MAKEFLAGS", "OPT_SLOW=-O0")
TRACE = np.dtype(
    [("layer", "<u2"), ("bank", "u1"), ("pad", "u1"), ("addr", "<u4"), ("data", "<u8")]
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """What one start of the simulator does.

    memory: contents of the AXI4 memory from address 0; its length is a multiple of the bus width,
        and addresses behind it answer DECERR.
    commands: executed in order after a reset: ("write", offset, value) and ("read", offset) on
        AXI4-Lite, ("wait",) until the interrupt, ("expect", offset, mask, value): a read that ends
        the commands if the masked bits differ.
    latency: clocks, as in sim.memory.Memory; with a `seed` the longest of random latencies, and
        `stall` the probability of a stall a clock.
    limit: clocks that a wait may take.
    fault: (first, last, response): addresses that answer 2 (SLVERR) or 3 (DECERR).
    trace: record the activation writes of a design that has `trace_*` ports.
    progress: seconds between two lines on standard error, which tell clocks, speed and time left;
        on a terminal one line is rewritten instead; 0: none.
    expected: clocks that the job takes in all, as far as that is known; for the progress alone.
    """

    memory: bytes | bytearray | np.ndarray
    commands: list[tuple] = field(default_factory=list)
    latency: int = 8
    seed: int | None = None
    stall: float = 0.3
    limit: int = 1_000_000_000
    fault: tuple[int, int, int] | None = None
    trace: bool = False
    progress: float = 0
    expected: int = 0


@dataclass(frozen=True)
class Result:
    """What a job left.

    memory: uint8, afterwards. reads: int64, a value for each `read` and `expect` that was reached.
    waits: int64, clocks that each `wait` took. trace: records of dtype TRACE in order of time:
    descriptor index, bank, address in units of C lanes, the C bits. seconds: wall time. coverage:
    Verilator's file, of a binary that was built for it.
    """

    memory: np.ndarray
    reads: np.ndarray
    waits: np.ndarray
    trace: np.ndarray
    seconds: float
    coverage: str = ""


def build(verilog: str | Path, config: Config, *, threads: int = 1, main: Path = MAIN,
          parts: Path | None = None, coverage: bool = False) -> Path:  # fmt: skip
    """Compile a design for `execute`; returns the binary's path.

    `verilog` is the text or the path of a module `hfn_accel` of `config`'s bus width, as
    `hfn_accel.gen` emits it. The binary lies under build/sim and is kept for equal content.
    `threads` > 1 lets Verilator split the model. `main`: another program around the model than the
    harness, which names the binary; `parts`: a folder, named by its content, with headers and
    objects that it is built with. `coverage`: count what toggles. Raises HfnError if Verilator
    fails or is missing.
    """
    text = verilog if isinstance(verilog, str) and "\n" in verilog else Path(verilog).read_text()
    traced = re.search(r"^\s*output\b[^;\n]*\btrace_valid\b", text, re.MULTILINE) is not None
    flags = f"-I{MAIN.parent} -DHFN_BUS={config.axi_data_width}"
    flags += " -DHFN_TRACE" if traced else ""
    flags += f" -I{parts}" if parts else ""
    flags += " -DHFN_COVERAGE" if coverage else ""
    extra = sorted(map(str, parts.glob("*.o"))) if parts else []
    extra += ["--coverage-toggle"] if coverage else []
    sources = [path.read_text() for path in (main, *HEADERS)]
    tag = digest(text, flags, OPTIMISE, threads, verilator.find().version, *sources)

    def make(part: Path):
        (part / "hfn_accel.v").write_text(text)
        verilator.verilate(
            ["--cc", "--exe", "--build", "-j", str(jobs()), "--threads", str(threads), "-O3",
             "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "-Wno-lint", "-Wno-style",
             "--top-module", "hfn_accel", "--prefix", "Vtop", "-Mdir", "objects",
             "-o", f"../{main.stem}", "-CFLAGS", flags, *OPTIMISE, "hfn_accel.v", str(main),
             *extra],
            part,
        )  # fmt: skip
        for leftover in (part / "objects").glob("*"):
            leftover.unlink()

    return cached(build_folder() / "sim" / f"{main.stem}-{config.name}-{tag}", make) / main.stem


def execute(binary: Path, job: Job) -> Result:
    """Run `job` and return what it left. Raises HfnError if the design broke a rule of the bus,
    an access was not answered, or an interrupt did not come within the job's limit.
    """
    if job.latency < 1:
        raise HfnError(f"memory latency must be at least 1 clock, not {job.latency}")
    with tempfile.TemporaryDirectory(prefix="hfn-accel-") as name:
        folder = Path(name)
        (folder / "before").write_bytes(memoryview(job.memory).cast("B"))
        (folder / "job").write_text(_script(job))
        start = time.monotonic()
        done = subprocess.run(
            [binary, "job"], cwd=folder, text=True, stdout=subprocess.PIPE,
            stderr=None if job.progress else subprocess.PIPE,
        )  # fmt: skip
        seconds = time.monotonic() - start
        if done.returncode:
            reason = (done.stderr or "").strip() or f"exit status {done.returncode}"
            raise HfnError(f"simulation failed: {reason}")
        lines = [line.split() for line in (folder / "results").read_text().splitlines()]
        if lines and lines[-1][0] == "timeout":
            raise HfnError(f"the accelerator did not finish within {job.limit} clocks")
        empty = np.empty(0, TRACE)
        return Result(
            np.fromfile(folder / "after", np.uint8),
            np.array([int(line[2]) for line in lines if line[0] == "read"], np.int64),
            np.array([int(line[1]) for line in lines if line[0] == "wait"], np.int64),
            np.fromfile(folder / "trace", TRACE) if job.trace else empty,
            seconds,
            _text(folder / "coverage.dat"),
        )


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _script(job: Job) -> str:
    """The job in the language of sim/harness.cpp."""
    lines = [("results", "results"), ("memory", "before"), ("latency", job.latency)]
    lines += [("limit", job.limit), ("progress", job.progress, job.expected)]
    if job.seed is not None:
        lines += [("seed", job.seed), ("stall", job.stall)]
    if job.fault is not None:
        lines.append(("fault", *job.fault))
    if job.trace:
        lines.append(("trace", "trace"))
    return "".join(" ".join(map(str, line)) + "\n" for line in [*lines, *job.commands,
                                                                 ("save", "after")])  # fmt: skip
