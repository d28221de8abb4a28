"""The equality ladder at the top: RTL = functional simulator = reference, estimator = counters."""

import numpy as np
import pytest

from hfn_accel import functional, images, registers, ticket
from hfn_accel.compare import checksum, differences, maps
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.estimator import estimate
from hfn_accel.modes import Mode
from hfn_accel.network import Architecture
from hfn_accel.program import Opcode, Signs
from sim import backend, harness
from tests.tickets import random_images, random_mode, random_ticket, reference

TICKET, SAMPLE = "cifar10-32x1-64x2f-128x3f", "cifar10-sample"
SHAPES = [(1, 1), (2, 4), (4, 1), (8, 8), (4, 32), (16, 4), (16, 16), (32, 8), (32, 32)]
SMALL = Config(rows=8, columns=4, activation_bytes=2048, mask_bytes=2048, psum_depth=64,
               parameter_channels=64, result_words=64)  # fmt: skip
TINY = {"widths": (1, 16), "stages": (1, 2), "blocks": (1, 2), "sizes": (3, 6)}
EVERYTHING = {"modes": random_mode, "bipolar": True, "bottlenecks": True, "imagenet": True}


def draw(rng, config, most: int, latency: int = 16, batch: int = 1, **ranges):
    """A random ticket that fits and takes at most `most` clocks, and its program."""
    for _ in range(300):
        found = random_ticket(rng, **EVERYTHING | ranges)
        try:
            program = compile(found, config, batch=batch)
        except HfnError:
            continue  # does not fit these buffers
        if estimate(program, config, latency).total_cycles <= most:
            return found, program
    raise AssertionError("no network of these ranges is small enough")


def random_config(rng, rows: int, columns: int) -> Config:
    """Buffers that hold a small network whole, or only parts of its layers."""

    def some(low, high):
        return int(2 ** rng.integers(low, high))

    return Config(
        rows=rows, columns=columns, axi_data_width=some(6, 8), requantisers=some(0, 4),
        psum_depth=some(4, 8), activation_bytes=some(10, 15), mask_bytes=some(9, 15),
        parameter_channels=64, result_words=64,
    )  # fmt: skip


def assert_equal(program, config, result, expected, found=None, pictures=None, latency=None):
    """To the functional simulator; with a ticket to the reference; at a latency to the estimate."""
    figures = estimate(program, config, latency or 16, found and found.arch)
    wrong = differences(program, result, expected, figures, found and found.arch)
    assert [w for w in wrong if latency or not w.startswith("estimated cycles")] == []
    if found is not None:
        logits, layers = reference(found, pictures)
        assert (result.logits == logits).all()
        ours = maps(program, result, found.arch)
        for conv, wanted in zip(found.arch.layers, layers, strict=False):
            name = conv.name + ".pool" * conv.max_pool
            assert (ours[name] == wanted.transpose(0, 3, 1, 2)).all(), name


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_random_networks_on_every_shape(shape):
    """Random buffers, modes, stems and blocks, and images that do not fill the last run."""
    seed = 100 * shape[0] + shape[1]
    rng = np.random.default_rng(seed)
    config, latency, batch = random_config(rng, *shape), int(rng.integers(1, 40)), seed % 2 + 1
    found, program = draw(rng, config, 9000, latency, batch, widths=(1, sum(shape)), stages=(1, 2),
                          blocks=(1, 2), sizes=(2, 6))  # fmt: skip
    print("seed", seed, config, found.arch, found.modes, latency, batch)
    pictures = random_images(rng, found.arch, 3 if batch == 2 else 1)
    expected = functional.execute(program, config, pictures)
    result = backend.run(program, config, pictures, simulator="icarus", latency=latency, keep=True)
    assert_equal(program, config, result, expected, found, pictures, latency)


@pytest.mark.parametrize("seed", range(12))
def test_random_networks_on_one_design(seed):
    """Buffers of a few kilobytes: bands, chunks, spilled maps and masks that are fetched again."""
    rng = np.random.default_rng(seed)
    latency, batch = int(rng.integers(1, 60)), int(rng.integers(1, 4))
    found, program = draw(rng, SMALL, 200_000, latency, batch, widths=(1, 40), stages=(1, 3),
                          blocks=(1, 4), sizes=(3, 14))  # fmt: skip
    print("seed", seed, found.arch, found.modes, latency, batch)
    pictures = random_images(rng, found.arch, int(rng.integers(1, 4)))
    expected = functional.execute(program, SMALL, pictures)
    result = backend.run(program, SMALL, pictures, latency=latency, keep=True)
    assert_equal(program, SMALL, result, expected, found, pictures, latency)


MODES = {
    "plain": {"modes": Mode()},
    "two coats": {"modes": Mode(coats=2)},
    "seven coats": {"modes": Mode(coats=7)},
    "pruned": {"modes": Mode(pruned=7)},
    "frozen": {"modes": Mode(pruned=8, locked=5)},
    "exceptions": {"modes": Mode(signs=Signs.EXCEPTIONS)},
    "explicit": {"modes": Mode(signs=Signs.EXPLICIT)},
    "explicit coats": {"modes": Mode(coats=3, signs=Signs.EXPLICIT)},
    "frozen exceptions": {"modes": Mode(locked=6, signs=Signs.EXCEPTIONS)},
    "one bit": {"modes": Mode(), "bits": (1, 1), "bipolar": False},
    "bipolar": {"modes": Mode(), "bits": (1, 1)},
    "bipolar mixed": {"bits": (1, 2)},
    "wild": {"wild": True},
    "sparse": {"modes": Mode(), "density": 0.05},
}
NETS = ["7x2,9x2f", "imagenet:6x1,5x3bf"]


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("mode", MODES)
def test_mode(mode, net):
    """Each kind of ticket by itself, folded, with a basic and a bottleneck block."""
    rng = np.random.default_rng(len(mode))
    arch = Architecture.parse(net, classes=5, image_size=11)
    found = random_ticket(rng, arch, **EVERYTHING | MODES[mode])
    program = compile(found, SMALL)
    pictures = random_images(rng, arch, 1)
    expected = functional.execute(program, SMALL, pictures)
    result = backend.run(program, SMALL, pictures, latency=9, keep=True)
    assert_equal(program, SMALL, result, expected, found, pictures, 9)


@pytest.fixture(scope="module")
def spilling():
    """A batch of a network that is cut in every way: ticket, program, images, what they give."""
    rng = np.random.default_rng(11)
    arch = Architecture.parse("imagenet:9x1b,6x3bf,20x2", classes=7, image_size=24)
    found = random_ticket(rng, arch, modes=random_mode, bits=(8, 8))
    program = compile(found, SMALL, batch=2)
    pictures = random_images(rng, arch, 2)
    return found, program, pictures, functional.execute(program, SMALL, pictures)


def test_spilling_program(spilling):
    """Bands, chunks, images of a batch, spilled maps and a max pooling are really in it."""
    found, program, pictures, expected = spilling
    origins = [o for o in program.origins if o]
    assert {o.image for o in origins} == {0, 1}
    assert any(o.row for o in origins) and any(o.channel for o in origins)
    assert {o.pooled for o in origins} == {False, True}
    assert {code for code, _ in program.descriptors} == set(Opcode)
    result = backend.run(program, SMALL, pictures, keep=True)
    assert_equal(program, SMALL, result, expected, found, pictures, 16)


@pytest.mark.parametrize("latency", [1, 7, 64, 200])
def test_cycles_at_any_latency(spilling, latency):
    found, program, pictures, expected = spilling
    result = backend.run(program, SMALL, pictures, latency=latency, keep=True)
    assert_equal(program, SMALL, result, expected, latency=latency)


@pytest.mark.parametrize(
    "seed, simulator", [*((seed, "verilator") for seed in range(8)), (8, "icarus")]
)
def test_random_stalls_change_no_bit(spilling, seed, simulator):
    """Random latency and back-pressure on every channel, in the C++ and the cocotb model."""
    _, program, pictures, expected = spilling
    if simulator == "icarus":  # 100 times slower
        rng = np.random.default_rng(seed)
        found, program = draw(rng, SMALL, 6000, **TINY)
        pictures = random_images(rng, found.arch, 1)
        expected = functional.execute(program, SMALL, pictures)
    result = backend.run(program, SMALL, pictures, simulator=simulator, keep=True, seed=seed,
                         latency=(5, 50, 500)[seed % 3])  # fmt: skip
    assert_equal(program, SMALL, result, expected)
    assert result.cycles["total"] != estimate(program, SMALL, 50).total_cycles


def test_threads_change_nothing(spilling):
    _, program, pictures, expected = spilling
    result = backend.run(program, SMALL, pictures, keep=True, threads=2)
    assert_equal(program, SMALL, result, expected, latency=16)


def test_different_programs_back_to_back():
    """Without a reset between: nothing of a run is left for the next but the memory."""
    rng = np.random.default_rng(3)
    cases, memory, commands = [], bytearray(), []
    for _ in range(4):
        found, program = draw(rng, SMALL, 60_000, **TINY)
        picture = random_images(rng, found.arch, 1)
        layout = backend.Layout.of(program, images.pack_runs(picture, 1))
        base, (source,), (target,) = len(memory), layout.inputs, layout.outputs
        memory += layout.memory
        logits = functional.execute(program, SMALL, picture).logits[0]
        cases.append((base, base + source, base + target, base + layout.workspace,
                      backend.writable(program), logits))  # fmt: skip
    order = [0, 1, 1, 2, 3, 0, 2, 3, 1]
    for i in order:
        commands += backend.start_commands(*cases[i][:5])
    done = backend.simulate(SMALL, harness.Job(memory=memory, commands=commands, latency=7))
    reads = done.reads.reshape(len(order), -1)
    counts = [backend.counters(row) for row in reads]
    assert all(status["done"] for status, _ in counts)
    assert counts[0] == counts[5] and counts[1] == counts[2] == counts[8]
    for _, _, target, _, _, logits in cases:
        assert (done.memory[target : target + 4 * len(logits)].view("<i4") == logits).all()


def test_harness_and_cocotb_agree():
    """The C++ memory model and the Python one: the same reads, clocks, memory and trace."""
    rng = np.random.default_rng(12)
    found, program = draw(rng, SMALL, 6000, **TINY)
    layout = backend.Layout.of(program, images.pack_runs(random_images(rng, found.arch, 1), 1))
    commands = backend.start_commands(0, layout.inputs[0], layout.outputs[0], layout.workspace,
                                      backend.writable(program))  # fmt: skip
    job = harness.Job(memory=layout.memory, commands=commands, latency=5, trace=True,
                      limit=1_000_000)  # fmt: skip
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
    found = ticket.load(TICKET)
    return found, compile(found, config), images.load(SAMPLE).take(count).images


def test_shipped_ticket_on_the_rtl():
    """Whole images of the sample, every layer, against the PyTorch golden model too."""
    pytest.importorskip("torch")
    from sim.networks import golden_checksums

    config = Config()
    found, program, pictures = shipped(2, config)
    expected = functional.execute(program, config, pictures)
    result = backend.run(program, config, pictures, keep=True)
    assert_equal(program, config, result, expected, latency=16)
    ours = maps(program, result, found.arch) | {"logits": result.logits.astype("<i4")}
    golden = golden_checksums(found, pictures)
    assert {name: checksum(ours[name]) for name in golden} == golden


def test_shipped_ticket_under_cocotb_and_verilator():
    config = Config(rows=32, columns=32)
    _, program, pictures = shipped(1, config)
    expected = functional.execute(program, config, pictures)
    result = backend.run(program, config, pictures, simulator="cocotb-verilator", keep=True)
    assert_equal(program, config, result, expected, latency=16)


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_shipped_ticket_under_icarus():
    """Long: 1.7 million clocks."""
    config = Config()
    _, program, pictures = shipped(1, config)
    expected = functional.execute(program, config, pictures)
    result = backend.run(program, config, pictures, simulator="icarus", keep=True)
    assert_equal(program, config, result, expected, latency=16)
