"""Runs a program on the RTL and returns what the functional simulator returns, and the counters."""

import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from hfn_accel import functional, images, registers
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.program import ALIGNMENT, Program
from hfn_accel.registers import OFFSETS, Cause

from . import harness, runner, trace

SIMULATORS = ("verilator", "icarus", "cocotb-verilator")


@dataclass(frozen=True)
class Result(functional.Result):
    """functional.Result as counted by the RTL; `cycles` of one image by cause, with `total`.

    `activations` are empty if they were not kept.
    """

    cycles: dict[str, int]


class RunError(HfnError):
    """The core stopped with an error; `code` is its ErrorCode."""

    def __init__(self, code: registers.ErrorCode, layer: int):
        super().__init__(f"the core stopped at descriptor {layer}: {code.name}, {code.doc}")
        self.code, self.layer = code, layer


@lru_cache(maxsize=4)
def design(config: Config, trace: bool) -> str:
    """The top module as Verilog; with `trace`, its `trace_*` ports."""
    from rtl.accelerator import Accelerator
    from rtl.emit import verilog

    return verilog(Accelerator(config, trace), "hfn_accel")


def aligned(data: bytes) -> bytes:
    """`data` with zeros behind it, up to a multiple of 4096."""
    return data + bytes(-len(data) % ALIGNMENT)


def start_commands(program: int, source: int, target: int) -> list[tuple]:
    """Run once: set the addresses, start with the interrupt on, wait, read status and counters."""
    start = registers.encode("CONTROL", start=1, irq_enable=1)
    return [
        ("write", OFFSETS["PROGRAM_ADDR"], program), ("write", OFFSETS["INPUT_ADDR"], source),
        ("write", OFFSETS["OUTPUT_ADDR"], target), ("write", OFFSETS["CONTROL"], start),
        ("wait",), ("write", OFFSETS["IRQ_STATUS"], 3), ("read", OFFSETS["STATUS"]),
        *(("read", OFFSETS[f"{name}_{half}"]) for name in registers.COUNTERS
          for half in ("LO", "HI")),
    ]  # fmt: skip


def counters(reads: np.ndarray) -> tuple[dict[str, int], dict[str, int]]:
    """STATUS fields and counters from the values that `start_commands` reads."""
    status = registers.decode("STATUS", int(reads[0]))
    pairs = zip(registers.COUNTERS, reads[1::2], reads[2::2], strict=True)
    return status, {name: int(low) | int(high) << 32 for name, low, high in pairs}


def simulate(config: Config, job: harness.Job, simulator: str = "verilator") -> harness.Result:
    """Run a job on the accelerator: C++ harness for `verilator`, else cocotb."""
    if simulator not in SIMULATORS:
        raise HfnError(f"simulator must be one of {', '.join(SIMULATORS)}, not {simulator!r}")
    text = design(config, job.trace)
    if simulator == "verilator":
        return harness.execute(harness.build(text, config), job)
    options = {name: getattr(job, name) for name in (
        "commands", "latency", "seed", "stall", "limit", "fault", "trace")}  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="hfn-accel-") as name:
        source, target = Path(name) / "job.npz", Path(name) / "result.npz"
        np.savez(source, memory=np.frombuffer(bytes(job.memory), np.uint8))
        runner.run(text, "sim.benches.accelerator", name=f"accelerator-{config.name}",
                   simulator=simulator.removeprefix("cocotb-"), top="hfn_accel",
                   job=str(source), result=str(target), options=options)  # fmt: skip
        with np.load(target) as file:
            return harness.Result(**{k: file[k] for k in ("memory", "reads", "waits", "trace")})


def run(program: Program, config: Config, pictures: np.ndarray, *, simulator: str = "verilator",
        latency: int = 16, seed: int | None = None, keep: bool = False,
        progress: int = 0) -> Result:  # fmt: skip
    """Run images, uint8 (N, height, width, channels), one after the other on the RTL.

    simulator: `verilator` (C++ harness), `icarus` or `cocotb-verilator` (cocotb). latency: clocks
    of the memory model, random with a `seed`. keep: return every intermediate activation.
    Raises RunError if the core stops with an error, AssertionError if its images differ in cycles.
    """
    program.check(config)
    header = program.header
    packed = images.pack(pictures)
    base = len(aligned(program.image))
    stride = len(aligned(packed[0].tobytes()))  # every image's bursts split alike
    output = base + stride * len(packed)
    result_stride = len(aligned(bytes(header["output_bytes"])))
    memory = bytearray(aligned(program.image))
    for image in packed:
        memory += aligned(image.tobytes())
    memory += bytes(result_stride * len(packed))
    commands = []
    for i in range(len(packed)):
        commands += start_commands(0, base + i * stride, output + i * result_stride)
        commands.append(("expect", OFFSETS["STATUS"], registers.encode("STATUS", error=1), 0))
    job = harness.Job(memory=memory, commands=commands, latency=latency, seed=seed, trace=keep,
                      progress=progress)  # fmt: skip
    done = simulate(config, job, simulator)
    logits, counted = [], []
    for i, reads in enumerate(done.reads.reshape(-1, 2 + 2 * len(registers.COUNTERS))):
        status, count = counters(reads[:-1])
        if status["error"] or not status["done"]:
            raise RunError(registers.ErrorCode(status["error_code"]), status["layer"])
        counted.append(count)
        at = output + i * result_stride
        logits.append(done.memory[at : at + header["output_bytes"]].view("<i4").astype(np.int64))
    first = counted[0]
    if seed is None:
        assert all(c == first for c in counted), "images differ in cycles or bytes"
    activations = []
    if keep:
        layers = [trace.activations(e, program, config) for e in trace.split_runs(done.trace)]
        activations = [np.stack(layer) for layer in zip(*layers, strict=True)]
    activation = first["BYTES_ACTIVATION_READ"] + first["BYTES_ACTIVATION_WRITE"]
    moved = {name: first.get(f"BYTES_{name.upper()}", activation) for name in functional.TRAFFIC}
    cycles = {c.name.lower(): first[f"CYCLES_{c.name}"] for c in Cause if c != Cause.IDLE}
    return Result(logits=np.stack(logits), activations=activations, bytes=moved,
                  macs=functional.macs(program), planes=first["PLANES"],
                  cycles=cycles | {"total": first["CYCLES"]})  # fmt: skip
