"""The C driver on the Verilated core, against the functional simulator and the estimator."""

import zlib

import numpy as np
import pytest

from hfn_accel import functional, images, program, registers
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.estimator import estimate
from hfn_accel.network import Architecture
from hfn_accel.registers import ErrorCode
from sim import backend, driver
from tests.tickets import random_images, random_ticket

SMALL = Config(rows=8, columns=4, activation_bytes=2048, mask_bytes=2048, psum_depth=64,
               parameter_channels=64, result_words=64)  # fmt: skip
OK, IDLE, STOPPED = 0, 2, -1
NO_PROGRAM, OTHER_SHAPE, MISPLACED, BUSY, NO_ANSWER = -4, -5, -6, -7, -8


@pytest.fixture(scope="module")
def binary():
    return driver.build(SMALL)


@pytest.fixture(scope="module")
def network():
    """A program of two images a run that spills, its images, and what it must give."""
    rng = np.random.default_rng(5)
    found = random_ticket(rng, Architecture.parse("7x1,9x2f", classes=5, image_size=20))
    compiled = compile(found, SMALL, batch=2)
    assert compiled.header["workspace_bytes"]
    pictures = random_images(rng, found.arch, 2)
    return compiled, pictures, functional.execute(compiled, SMALL, pictures)


def place(compiled, pictures) -> tuple[bytes, tuple[int, ...]]:
    """Memory, and the addresses of program, images, logits and workspace."""
    layout = backend.Layout.of(compiled, images.pack_runs(pictures, compiled.header["batch"]))
    return bytes(layout.memory), (0, layout.inputs[0], layout.outputs[0], layout.workspace)


def logits(memory: bytes, compiled, places) -> list[list[int]]:
    """What a run left of each image."""
    header = compiled.header
    written = np.frombuffer(memory, np.uint8, header["output_bytes"], places[2])
    return images.unpack_logits(written[None], 2, header["classes"], 2).tolist()


def results(lines: list[list[str]]) -> list[tuple[str, int]]:
    return [(line[0], int(line[1])) for line in lines]


@pytest.mark.parametrize("end", [("interrupt",), ("wait", 1_000_000)])
def test_run(binary, network, end):
    """Logits, every counter, and the interrupt, which is taken back."""
    compiled, pictures, expected = network
    memory, places = place(compiled, pictures)
    commands = [("open",), ("wait", 3), ("start", *places), end, ("counters",), ("error",)]
    after, lines = driver.execute(binary, memory, commands)
    opened, idle, started, ended, counted, error = lines
    assert opened[1:] == ["0", "8", "4", "8"]
    assert results([idle, started, ended]) == [("wait", IDLE), ("start", OK), (end[0], OK)]
    assert end != ("interrupt",) or ended[2] == "0"
    assert error[1] == "0"
    assert logits(after, compiled, places) == expected.logits.tolist()
    figures = estimate(compiled, SMALL, 16)
    count = dict(zip(registers.COUNTERS, map(int, counted[1:]), strict=True))
    assert count["CYCLES"] == figures.total_cycles
    for cause, clocks in figures.cycles_by_cause.items():
        if cause != "total":
            assert count[f"CYCLES_{cause.upper()}"] == clocks, cause
    for name, moved in expected.bytes.items():
        if name != "activation":
            assert count[f"BYTES_{name.upper()}"] == moved, name
    assert count["PLANES"] == expected.planes


def test_runs_one_after_the_other(binary, network):
    """The second needs no reset; a start during a run is refused and harms nothing."""
    compiled, pictures, expected = network
    memory, places = place(compiled, pictures)
    commands = [("open",), ("start", *places), ("start", *places), ("wait", 2),
                ("interrupt",), ("start", *places), ("interrupt",), ("counters",)]  # fmt: skip
    after, lines = driver.execute(binary, memory, commands)
    assert [code for _, code in results(lines[:-1])] == [OK, OK, BUSY, NO_ANSWER, OK, OK, OK]
    assert int(lines[-1][1]) == estimate(compiled, SMALL, 16).total_cycles
    assert logits(after, compiled, places) == expected.logits.tolist()


def damaged(image: bytes, opcode: program.Opcode, fields: dict[str, int]) -> bytes:
    """The image with fields of its first descriptor of that kind changed, and CRCs that fit."""
    size, data = program.DESCRIPTOR_BYTES, bytearray(image)
    at = next(i for i in range(0, len(data), size) if data[i] == opcode)
    word = int.from_bytes(data[at : at + size], "little")
    for name, value in fields.items():
        bit, bits = program.offsets(opcode)[name]
        word = word & ~(((1 << bits) - 1) << bit) | value << bit
    data[at : at + size] = word.to_bytes(size, "little")
    if hasattr(program, "with_crc"):
        data[at : at + size] = program.with_crc(bytes(data[at : at + size]))
    return bytes(data)


@pytest.mark.parametrize("opcode, fields, code", [
    (program.Opcode.IMAGE, {"magic": 0x1234}, ErrorCode.BAD_MAGIC),
    (program.Opcode.IMAGE, {"version": 77}, ErrorCode.BAD_VERSION),
    (program.Opcode.CONV, {"opcode": 99}, ErrorCode.BAD_OPCODE),
    (program.Opcode.BEGIN, {"bank_words": 1 << 30}, ErrorCode.TOO_LARGE),
    (program.Opcode.CONV, {"wait_executed": 20_000}, ErrorCode.DEADLOCK),
    (program.Opcode.CONV, {"mask_address": 0x7FFF_F000}, ErrorCode.READ_DECERR),
])  # fmt: skip
def test_error(binary, network, opcode, fields, code):
    """A bad program: the code, its text, no second start, and after a reset a good run."""
    compiled, pictures, expected = network
    memory, places = place(compiled, pictures)
    good = len(memory)
    bad = damaged(compiled.image, opcode, fields)
    whole = bad + memory[len(bad) :] + backend.aligned(compiled.image)
    commands = [
        ("open",), ("start", *places), ("interrupt",), ("error",), ("start", *places),
        ("reset", 1000), ("error",), ("start", good, *places[1:]), ("interrupt",),
    ]  # fmt: skip
    after, lines = driver.execute(binary, whole, commands)
    assert [c for _, c in results(lines)] == [OK, OK, STOPPED, code, BUSY, OK, 0, OK, OK]
    assert " ".join(lines[3][3:]) == f"{code.name}: {code.doc}"
    assert int(lines[3][2]) < compiled.header["descriptors"]
    assert logits(after, compiled, places) == expected.logits.tolist()


def test_refused(binary, network):
    """What the driver sees before it starts anything."""
    compiled, pictures, _ = network
    memory, places = place(compiled, pictures)
    other = compile(random_ticket(np.random.default_rng(1)), SMALL.replace(rows=4)).image
    whole = memory + backend.aligned(other)
    commands = [
        ("open",), ("short", *places), ("start", places[1], *places[1:]),
        ("start", 0, places[1] + 4, *places[2:]),
        ("start", 0, places[1], places[2] + 32, places[3]),
        ("start", len(memory), *places[1:]), ("wait", 3),
    ]  # fmt: skip
    after, lines = driver.execute(binary, whole, commands)
    assert [c for _, c in results(lines)] == [OK, MISPLACED, NO_PROGRAM, MISPLACED, MISPLACED,
                                              OTHER_SHAPE, IDLE]  # fmt: skip
    assert zlib.crc32(after) == zlib.crc32(whole)


def test_reset_during_a_run(binary, network):
    compiled, pictures, expected = network
    memory, places = place(compiled, pictures)
    commands = [("open",), ("start", *places), ("wait", 50), ("reset", 1000), ("wait", 3),
                ("start", *places), ("interrupt",)]  # fmt: skip
    after, lines = driver.execute(binary, memory, commands)
    assert [c for _, c in results(lines)] == [OK, OK, NO_ANSWER, OK, IDLE, OK, OK]
    assert logits(after, compiled, places) == expected.logits.tolist()


def test_warning_is_an_error(monkeypatch, tmp_path):
    source = tmp_path / "hfn_accel_driver.c"
    source.write_text(driver.DRIVER[1].read_text() + "\nint unused(void) { int x; return 0; }\n")
    monkeypatch.setenv("HFN_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(driver, "DRIVER", (driver.DRIVER[0], source))
    with pytest.raises(HfnError, match="unused"):
        driver.compile_driver()
