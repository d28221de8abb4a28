"""Bus errors, illegal programs and resets: an error code and an interrupt, never a hang."""

import numpy as np
import pytest

from hfn_accel import functional, images
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.program import DESCRIPTOR_BYTES, Opcode, Program, offsets
from hfn_accel.registers import OFFSETS, Cause, ErrorCode, decode, encode
from sim import backend, harness
from tests.tickets import random_ticket

CONFIG = Config(rows=4, columns=4, activation_bytes=4096, mask_bytes=4096, psum_depth=32)
PROGRAM, IMAGE, RESULT, BROKEN = 0x0000, 0x8000, 0xA000, 0x10000
SIZE = 0x40000
LIMIT = 200_000


@pytest.fixture(scope="module")
def network():
    """A small program, an image, its logits."""
    rng = np.random.default_rng(5)
    ticket = random_ticket(rng, widths=(3, 9), stages=(2, 2), blocks=(1, 2), sizes=(5, 6))
    program = compile(ticket, CONFIG)
    size, channels = ticket.arch.image_size, ticket.arch.in_channels
    picture = rng.integers(0, 256, (1, size, size, channels), dtype=np.uint8)
    logits = functional.execute(program, CONFIG, picture).logits[0]
    memory = bytearray(SIZE)
    memory[PROGRAM : PROGRAM + len(program.image)] = program.image
    packed = images.pack(picture)[0].tobytes()
    memory[IMAGE : IMAGE + len(packed)] = packed
    return program, memory, logits


def start(program=PROGRAM, image=IMAGE, result=RESULT):
    return backend.start_commands(program, image, result)


RESET = [("write", OFFSETS["CONTROL"], encode("CONTROL", reset=1, irq_enable=1)),
         ("read", OFFSETS["STATUS"])]  # fmt: skip
READS = len([c for c in start() if c[0] == "read"])


def run(memory, commands, **job):
    return backend.simulate(
        CONFIG, harness.Job(memory=memory, commands=commands, limit=LIMIT, **job)
    )


def error(status) -> ErrorCode:
    """The error of a STATUS value, which must say that the core stopped."""
    fields = decode("STATUS", int(status))
    assert not fields["busy"] and not fields["done"] and fields["error"], fields
    return ErrorCode(fields["error_code"])


def assert_right(done, reads, logits):
    """The last run in `reads` ended well, with the right logits."""
    status, _ = backend.counters(reads)
    assert status["done"] and not status["error"]
    assert (done.memory[RESULT : RESULT + 4 * len(logits)].view("<i4") == logits).all()


@pytest.mark.parametrize("response", [2, 3])
@pytest.mark.parametrize("where", ["descriptor", "parameter", "mask", "image", "result"])
def test_bus_error_stops_with_a_code(network, where, response):
    program, memory, _ = network
    conv = next(f for code, f in program.descriptors if code == Opcode.CONV)
    address = {
        "descriptor": DESCRIPTOR_BYTES, "parameter": conv["parameter_address"],
        "mask": conv["mask_address"], "image": IMAGE, "result": RESULT,
    }[where]  # fmt: skip
    done = run(memory, start() + RESET, fault=(address, address + 7, response))
    kind = "WRITE" if where == "result" else "READ"
    name = "SLVERR" if response == 2 else "DECERR"
    assert error(done.reads[0]) == ErrorCode[f"{kind}_{name}"]
    assert not decode("STATUS", int(done.reads[-1]))["error"]


def broken(program, index: int, **fields) -> bytes:
    """The image with some fields of descriptor `index` overwritten."""
    index %= len(program.descriptors)
    opcode, _ = program.descriptors[index]
    image = bytearray(program.image)
    at = slice(index * DESCRIPTOR_BYTES, (index + 1) * DESCRIPTOR_BYTES)
    word = int.from_bytes(image[at], "little")
    for name, value in fields.items():
        bit, bits = offsets(opcode)[name]
        word = word & ~(((1 << bits) - 1) << bit) | value << bit
    image[at] = word.to_bytes(DESCRIPTOR_BYTES, "little")
    return bytes(image)


ILLEGAL = [
    (0, {"magic": 1}, "BAD_MAGIC"),
    (0, {"version": 9}, "BAD_VERSION"),
    (0, {"opcode": 2}, "BAD_OPCODE"),
    (0, {"log2_rows": 5}, "BAD_SHAPE"),
    (0, {"log2_columns": 1}, "BAD_SHAPE"),
    (0, {"log2_bus_bytes": 4}, "BAD_SHAPE"),
    (0, {"bank_words": 1 << 20}, "TOO_LARGE"),
    (0, {"mask_words": 1 << 20}, "TOO_LARGE"),
    (0, {"psum_depth": 1 << 16}, "TOO_LARGE"),
    (0, {"accumulator_bits": 33}, "TOO_LARGE"),
    (1, {"opcode": 1}, "BAD_OPCODE"),
    (1, {"opcode": 77}, "BAD_OPCODE"),
    (1, {"dst_bank": 3}, "BAD_FIELD"),
    (1, {"channels": 5}, "BAD_FIELD"),
    (1, {"granules": 0}, "BAD_FIELD"),
    (1, {"pixels": 0}, "BAD_FIELD"),
    (2, {"magic": 0}, "BAD_MAGIC"),
    *((2, {name: value}, "BAD_FIELD") for name, value in (
        ("in_bits", 0), ("in_bits", 9), ("out_bits", 0), ("out_bits", 15), ("shift", 0),
        ("shift", 48), ("stride", 0), ("stride", 3), ("src_bank", 3), ("kernel", 0),
        ("in_tiles", 0), ("out_tiles", 0), ("strips", 0), ("strip_rows", 0), ("last_rows", 0),
        ("last_rows", 5), ("last_strip_rows", 0), ("out_width", 0), ("out_channels", 0),
        ("out_channels", 65535), ("mask_beats", 0), ("mask_base", (1 << 20) - 1),
        ("parameter_address", 8), ("mask_address", 32),
    )),
    (-2, {"pool": 0}, "BAD_FIELD"),
    (-2, {"out_channels": 4000}, "BAD_FIELD"),
]  # fmt: skip


def test_illegal_descriptors_stop_with_a_code_and_the_core_runs_again(network):
    program, memory, logits = network
    memory, commands = bytearray(memory) + bytearray(len(ILLEGAL) * 0x4000), []
    assert len(program.image) <= 0x4000
    for i, (index, fields, _) in enumerate(ILLEGAL):
        image = broken(program, index, **fields)
        at = BROKEN + i * 0x4000
        memory[at : at + len(image)] = image
        commands += start(at) + RESET
    done = run(bytes(memory) + bytes(BROKEN), commands + start())
    step = READS + 1
    for i, (index, fields, name) in enumerate(ILLEGAL):
        status = done.reads[i * step]
        assert error(status).name == name, (index, fields)
        assert decode("STATUS", int(status))["layer"] == index % len(program.descriptors)
        assert decode("STATUS", int(done.reads[(i + 1) * step - 1]))["error"] == 0
    assert_right(done, done.reads[-READS:], logits)


@pytest.mark.parametrize("registers", [(0x40, IMAGE, RESULT), (PROGRAM, IMAGE + 8, RESULT),
                                       (PROGRAM, IMAGE, RESULT + 4)])  # fmt: skip
def test_misaligned_address(network, registers):
    done = run(network[1], start(*registers))
    assert error(done.reads[0]) == ErrorCode.BAD_ADDRESS


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_backend_reports_the_error_of_an_image(network, simulator):
    program, _, _ = network
    wrong = broken(program, 2, in_bits=9)
    conv = program.descriptors[2][1]
    size = conv["in_height"]
    pictures = np.zeros((2, size, size, program.descriptors[1][1]["channels"]), np.uint8)
    with pytest.raises(backend.RunError, match="descriptor 2: BAD_FIELD") as caught:
        backend.run(Program(wrong), CONFIG, pictures, simulator=simulator)
    assert (caught.value.code, caught.value.layer) == (ErrorCode.BAD_FIELD, 2)


def test_address_behind_the_memory(network):
    done = run(network[1], start(0xFFFF0000))
    assert error(done.reads[0]) == ErrorCode.READ_DECERR


def test_start_is_ignored_after_an_error_until_reset(network):
    program, memory, logits = network
    again = [("write", OFFSETS["CONTROL"], encode("CONTROL", start=1, irq_enable=1)),
             ("read", OFFSETS["STATUS"])]  # fmt: skip
    done = run(memory, start(0x40) + again + RESET + start())
    assert error(done.reads[READS]) == ErrorCode.BAD_ADDRESS
    assert_right(done, done.reads[-READS:], logits)


def test_reset_in_the_middle_of_a_run(network):
    """At every phase: the bus protocol holds (the memory model checks it) and the next run is
    right."""
    program, memory, logits = network
    whole = run(memory, start())
    clocks = int(whole.waits[0])
    _, counters = backend.counters(whole.reads)
    assert sum(counters[f"CYCLES_{c.name}"] for c in Cause if c) == counters["CYCLES"]
    begin = [c for c in start() if c[0] == "write" and c[1] != OFFSETS["IRQ_STATUS"]]
    rng = np.random.default_rng(3)
    commands = []
    for pause in rng.integers(1, min(clocks, 3000) // 4, 25):
        # a register read takes a few clocks: a pause that both simulators know
        commands += begin + [("read", OFFSETS["ID"])] * int(pause // 4) + RESET
        commands += [("read", OFFSETS["STATUS"])] * 20
    done = run(memory, commands + start())
    assert_right(done, done.reads[-READS:], logits)
