"""Runs a program on the RTL and returns what the functional simulator returns, and the counters."""

import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from hfn_accel import functional, gen, images, registers
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.program import ALIGNMENT, Program
from hfn_accel.registers import OFFSETS, Cause

from . import harness, runner, trace

SIMULATORS = ("verilator", "icarus", "cocotb-verilator")
PROGRESS = 30  # seconds between two lines about the progress, where no terminal shows it
UNWRITTEN = b"\xa5"


@dataclass(frozen=True)
class Result(functional.Result):
    """functional.Result as counted by the RTL, `bytes`, `planes` and `cycles` of the first run.

    `activations` are empty if they were not kept. cycles: by cause, with `total`. seconds: that
    the simulation took, the build of the simulator not included but under cocotb. coverage: as of
    harness.Result.
    """

    cycles: dict[str, int]
    seconds: float
    coverage: str = ""


class RunError(HfnError):
    """The core stopped with an error; `code` is its ErrorCode."""

    def __init__(self, code: registers.ErrorCode, layer: int):
        super().__init__(f"the core stopped at descriptor {layer}: {code.name}, {code.doc}")
        self.code, self.layer = code, layer


@lru_cache(maxsize=4)
def design(config: Config, trace: bool) -> str:
    """The top module as Verilog; with `trace`, its `trace_*` ports."""
    return gen.verilog(gen.accelerator(config, trace))


def aligned(data: bytes) -> bytes:
    """`data` with zeros behind it, up to a multiple of 4096."""
    return data + bytes(-len(data) % ALIGNMENT)


def writable(program: Program) -> tuple[int, int]:
    """Bytes of output and of workspace that a run writes at most."""
    return program.header["output_bytes"], program.header["workspace_bytes"]


def start_commands(program: int, source: int, target: int, workspace: int,
                   sizes: tuple[int, int]) -> list[tuple]:  # fmt: skip
    """Run once: set addresses and sizes (bytes that may be written of output and workspace), start
    with the interrupt on, wait, read status and counters."""
    settings = {"PROGRAM_ADDR": program, "INPUT_ADDR": source, "OUTPUT_ADDR": target,
                "WORKSPACE_ADDR": workspace, "OUTPUT_SIZE": sizes[0], "WORKSPACE_SIZE": sizes[1],
                "CONTROL": registers.encode("CONTROL", start=1, irq_enable=1)}  # fmt: skip
    return [
        *(("write", OFFSETS[name], value) for name, value in settings.items()),
        ("wait",), ("write", OFFSETS["IRQ_STATUS"], 3),
        ("read", OFFSETS["STATUS"]),
        *(("read", OFFSETS[f"{name}_{half}"]) for name in registers.COUNTERS
          for half in ("LO", "HI")),
    ]  # fmt: skip


def counters(reads: np.ndarray) -> tuple[dict[str, int], dict[str, int]]:
    """STATUS fields and counters from the values that `start_commands` reads."""
    status = registers.decode("STATUS", int(reads[0]))
    pairs = zip(registers.COUNTERS, reads[1::2], reads[2::2], strict=True)
    return status, {name: int(low) | int(high) << 32 for name, low, high in pairs}


def simulate(config: Config, job: harness.Job, simulator: str = "verilator", threads: int = 1,
             coverage: bool = False) -> harness.Result:  # fmt: skip
    """Run a job on the accelerator: C++ harness (of `threads`) for `verilator`, else cocotb."""
    if simulator not in SIMULATORS:
        raise HfnError(f"simulator must be one of {', '.join(SIMULATORS)}, not {simulator!r}")
    text = design(config, job.trace)
    if simulator == "verilator":
        binary = harness.build(text, config, threads=threads, coverage=coverage)
        return harness.execute(binary, job)
    options = {name: getattr(job, name) for name in (
        "commands", "latency", "seed", "stall", "limit", "fault", "trace")}  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="hfn-accel-") as name:
        source, target = Path(name) / "job.npz", Path(name) / "result.npz"
        np.savez(source, memory=np.frombuffer(bytes(job.memory), np.uint8))
        start = time.monotonic()
        runner.run(text, "sim.benches.accelerator", name=f"accelerator-{config.name}",
                   simulator=simulator.removeprefix("cocotb-"), top="hfn_accel",
                   job=str(source), result=str(target), options=options)  # fmt: skip
        left = {"seconds": time.monotonic() - start}
        with np.load(target) as file:
            left |= {name: file[name] for name in ("memory", "reads", "waits", "trace")}
        return harness.Result(**left)


@dataclass(frozen=True)
class Layout:
    """Where a program, the images and logits of so many runs, and the workspace lie in memory.

    memory: the whole of it before the first run; what the core must write before it may read it
    holds UNWRITTEN. inputs, outputs: the address of each run's; workspace: of all runs'.
    """

    memory: bytearray
    inputs: range
    outputs: range
    workspace: int

    @classmethod
    def of(cls, program: Program, inputs: np.ndarray, workspace=None) -> "Layout":
        """`inputs`: uint8 (runs, bytes), what `images.pack_runs` gives; `workspace`: its bytes
        before the first run, if it must hold something.
        """
        header, runs = program.header, len(inputs)
        memory = bytearray(aligned(program.image))

        def place(parts: list[bytes]) -> range:
            """Parts of equal length, one after the other: every run's bursts split alike."""
            base, step = len(memory), len(aligned(parts[0]))
            for part in parts:
                memory.extend(aligned(part))
            return range(base, len(memory), step)

        sources = place([row.tobytes() for row in inputs])
        outputs = place([UNWRITTEN * header["output_bytes"]] * runs)
        if workspace is None:
            workspace = UNWRITTEN * max(header["workspace_bytes"], 1)
        (shared,) = place([bytes(workspace)])
        return cls(memory, sources, outputs, shared)


def run(program: Program, config: Config, pictures: np.ndarray, *, simulator: str = "verilator",
        latency: int = 16, seed: int | None = None, keep: bool = False, progress: int = 0,
        threads: int = 1, workspace: np.ndarray | None = None,
        coverage: bool = False) -> Result:  # fmt: skip
    """Classify images, uint8 (N, height, width, channels), on the RTL, run after run.

    A run takes the program's batch; the last is filled up with the last image, as in
    `functional.execute`. simulator: `verilator` (C++ harness), `icarus` or `cocotb-verilator`
    (cocotb). latency: clocks of the memory model, random with a `seed`. keep: return every
    intermediate activation. progress: clocks that a run is expected to take, for a line about the
    time left on standard error; 0: none. threads: of the Verilated model. workspace: what lies
    there before the first run (`slicing.slice_program`). coverage: of a core that is built for it.

    Raises RunError if the core stops with an error, AssertionError if its runs differ in cycles.
    """
    program.check(config)
    header = program.header
    inputs = images.pack_runs(pictures, header["batch"])
    layout = Layout.of(program, inputs, workspace)
    commands, sizes = [], writable(program)
    for source, target in zip(layout.inputs, layout.outputs, strict=True):
        commands += start_commands(0, source, target, layout.workspace, sizes)
        commands.append(("expect", OFFSETS["STATUS"], registers.encode("STATUS", error=1), 0))
    job = harness.Job(memory=layout.memory, commands=commands, latency=latency, seed=seed,
                      trace=keep, progress=PROGRESS * bool(progress),
                      expected=progress * len(inputs))  # fmt: skip
    done = simulate(config, job, simulator, threads, coverage)
    counted = []
    for reads in done.reads.reshape(-1, 2 + 2 * len(registers.COUNTERS)):
        status, count = counters(reads[:-1])
        if status["error"] or not status["done"]:
            raise RunError(registers.ErrorCode(status["error_code"]), status["layer"])
        counted.append(count)
    if seed is None:
        assert all(c == counted[0] for c in counted), "runs differ in cycles or bytes"
    written = np.stack([done.memory[at : at + header["output_bytes"]] for at in layout.outputs])
    activations = []
    if keep:
        parts = [trace.activations(events, program, config)
                 for events in trace.split_runs(done.trace, program, config)]  # fmt: skip
        activations = [np.stack(part) for part in zip(*parts, strict=True)]
    return Result(
        logits=images.unpack_logits(written, header["batch"], header["classes"], len(pictures)),
        activations=activations,
        bytes=_bytes(counted[0]),
        macs=functional.macs(program),
        planes=counted[0]["PLANES"],
        cycles={c.name.lower(): counted[0][f"CYCLES_{c.name}"] for c in Cause if c}
        | {"total": counted[0]["CYCLES"]},
        seconds=done.seconds,
        coverage=done.coverage,
    )


def _bytes(count: dict[str, int]) -> dict[str, int]:
    """The byte counters by the names of `functional.count_bytes`."""
    moved = {name.removeprefix("BYTES_").lower(): value for name, value in count.items()
             if name.startswith("BYTES_")}  # fmt: skip
    return moved | {"activation": moved["activation_read"] + moved["activation_write"]}
