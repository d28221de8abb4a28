"""The equality ladder at the top: RTL = functional simulator, estimator = RTL's counters."""

import numpy as np
import pytest

from hfn_accel import functional, images, registers, ticket
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.estimator import estimate
from sim import backend, harness
from tests.tickets import random_ticket

TICKET, SAMPLE = "cifar10-32x1-64x2f-128x3f", "cifar10-sample"
SHAPES = [(1, 1), (2, 4), (4, 1), (8, 8), (4, 32), (16, 4), (16, 16), (32, 8), (32, 32)]


def random_case(seed: int, rows: int, columns: int, most: int):
    """A random configuration, a random program of at most `most` cycles, latency and images."""
    rng = np.random.default_rng(seed)
    config = Config(
        rows=rows, columns=columns, axi_data_width=int(rng.choice([64, 128])),
        requantisers=int(2 ** rng.integers(0, 4)), psum_depth=int(2 ** rng.integers(4, 8)),
        activation_bytes=16384, mask_bytes=32768, parameter_channels=64,
    )  # fmt: skip
    latency = int(rng.integers(1, 40))
    while True:
        found = random_ticket(rng, widths=(1, 40), stages=(1, 3), blocks=(1, 3), sizes=(3, 9))
        try:
            program = compile(found, config)
        except HfnError:
            continue  # does not fit these buffers
        if estimate(program, config, latency).total_cycles <= most:
            break
    size, channels = found.arch.image_size, found.arch.in_channels
    pictures = rng.integers(0, 256, (2, size, size, channels), dtype=np.uint8)
    return config, program, latency, pictures


def assert_equal(result, expected, estimated=None):
    """Logits and every activation, and cycles by cause and bytes by class of an estimate."""
    assert (result.logits == expected.logits).all()
    assert len(result.activations) == len(expected.activations)
    for i, (a, b) in enumerate(zip(result.activations, expected.activations, strict=True)):
        assert (a == b).all(), f"activations of CONV {i} differ"
    assert result.bytes == expected.bytes
    assert result.planes == expected.planes
    if estimated is not None:
        assert result.cycles == {k: int(v) for k, v in estimated.cycles_by_cause.items()}
        moved = estimated.bytes_by_class
        assert result.bytes == {name: int(moved[name]) for name in result.bytes}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_random_networks_equal_functional_simulator_and_estimator(shape):
    seed = 100 * shape[0] + shape[1]
    print("seed", seed)
    config, program, latency, pictures = random_case(seed, *shape, most=9000)
    expected = functional.execute(program, config, pictures)
    result = backend.run(program, config, pictures, simulator="icarus", latency=latency, keep=True)
    assert_equal(result, expected, estimate(program, config, latency))


SMALL = Config(rows=8, columns=4, activation_bytes=16384, psum_depth=64)


@pytest.fixture(scope="module")
def small():
    """A program that both simulators run in a moment."""
    rng = np.random.default_rng(11)
    found = random_ticket(rng, widths=(6, 20), stages=(2, 3), blocks=(1, 3), sizes=(5, 8))
    program = compile(found, SMALL)
    size, channels = found.arch.image_size, found.arch.in_channels
    pictures = rng.integers(0, 256, (2, size, size, channels), dtype=np.uint8)
    return program, pictures, functional.execute(program, SMALL, pictures)


@pytest.mark.parametrize("latency", [1, 7, 64])
def test_cycles_at_any_latency(small, latency):
    program, pictures, expected = small
    result = backend.run(program, SMALL, pictures, latency=latency, keep=True)
    assert_equal(result, expected, estimate(program, SMALL, latency))


@pytest.mark.parametrize(
    "seed, simulator", [*((seed, "verilator") for seed in range(6)), (6, "icarus")]
)
def test_random_stalls_change_no_bit(small, seed, simulator):
    """Random latency and back-pressure on every channel, in the C++ and the cocotb model."""
    program, pictures, expected = small
    result = backend.run(program, SMALL, pictures, simulator=simulator, latency=50, seed=seed,
                         keep=True)  # fmt: skip
    assert_equal(result, expected)
    assert result.cycles["total"] != int(estimate(program, SMALL, 50).total_cycles)


def test_random_networks_on_one_design():
    """Many networks and latencies on one compiled design."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        while True:
            found = random_ticket(rng, widths=(1, 40), stages=(1, 3), blocks=(1, 4), sizes=(3, 12))
            try:
                program = compile(found, SMALL)
                break
            except HfnError:
                continue
        latency = int(rng.integers(1, 60))
        size, channels = found.arch.image_size, found.arch.in_channels
        pictures = rng.integers(0, 256, (1, size, size, channels), dtype=np.uint8)
        print("seed", seed, found.arch, latency)
        result = backend.run(program, SMALL, pictures, latency=latency, keep=True)
        expected = functional.execute(program, SMALL, pictures)
        assert_equal(result, expected, estimate(program, SMALL, latency))


def test_harness_and_cocotb_agree(small):
    """The C++ memory model and the Python one: the same reads, clocks and trace."""
    program, pictures, _ = small
    memory = bytearray(0x20000)
    memory[: len(program.image)] = program.image
    packed = images.pack(pictures)[0].tobytes()
    memory[0x10000 : 0x10000 + len(packed)] = packed
    assert len(program.image) <= 0x10000
    job = harness.Job(memory=memory, commands=backend.start_commands(0, 0x10000, 0x18000),
                      latency=5, trace=True, limit=1_000_000)  # fmt: skip
    one, two = (backend.simulate(SMALL, job, s) for s in ("verilator", "icarus"))
    status, counted = backend.counters(one.reads)
    assert status["done"] and counted["CYCLES"]
    assert (one.reads == two.reads).all()
    assert (one.memory == two.memory).all()
    assert (one.trace == two.trace).all()


def test_register_identity():
    """ID, VERSION and SHAPE as the table says, over the bus."""
    names = list(registers.constants(SMALL))
    job = harness.Job(memory=bytes(4096), commands=[("read", registers.OFFSETS[n]) for n in names])
    reads = backend.simulate(SMALL, job).reads
    assert dict(zip(names, reads.tolist(), strict=True)) == registers.constants(SMALL)


def shipped(count: int, config: Config):
    program = compile(ticket.load(TICKET), config)
    return program, images.load(SAMPLE).take(count).images


def test_shipped_ticket_on_the_rtl():
    """Whole images of the sample, every layer, against the PyTorch golden model too."""
    torch = pytest.importorskip("torch")
    from golden.integer import IntegerResNet

    config = Config()
    program, pictures = shipped(2, config)
    expected = functional.execute(program, config, pictures)
    result = backend.run(program, config, pictures, keep=True)
    assert_equal(result, expected, estimate(program, config, 16))
    record = []
    model = IntegerResNet(ticket.load(TICKET))
    logits = model(torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy()), record)
    assert (logits.numpy() == result.logits).all()
    for ours, golden in zip(result.activations, record[: len(result.activations)], strict=True):
        assert (golden.numpy() == ours).all()


def test_shipped_ticket_under_cocotb_and_verilator():
    config = Config(rows=32, columns=32)
    program, pictures = shipped(1, config)
    expected = functional.execute(program, config, pictures)
    result = backend.run(program, config, pictures, simulator="cocotb-verilator", keep=True)
    assert_equal(result, expected, estimate(program, config, 16))


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_shipped_ticket_under_icarus():
    """Long: 1.8 million clocks, 7 minutes."""
    config = Config()
    program, pictures = shipped(1, config)
    expected = functional.execute(program, config, pictures)
    result = backend.run(program, config, pictures, simulator="icarus", keep=True)
    assert_equal(result, expected, estimate(program, config, 16))
