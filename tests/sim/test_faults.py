"""Bus errors, illegal programs and resets: an error code and an interrupt, never a hang."""

import numpy as np
import pytest

from hfn_accel import functional, images
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.network import Architecture
from hfn_accel.program import DESCRIPTOR_BYTES, PARAMETER_BYTES, Opcode, Program, offsets, with_crc
from hfn_accel.registers import OFFSETS, Cause, ErrorCode, decode, encode
from sim import backend, harness
from tests.tickets import random_images, random_mode, random_ticket

CONFIG = Config(rows=4, columns=4, activation_bytes=512, mask_bytes=2048, psum_depth=32,
                parameter_channels=64, result_words=64)  # fmt: skip
LIMIT = 200_000


class Network:
    """A small program with every opcode, in memory with an image; its logits."""

    def __init__(self):
        rng = np.random.default_rng(5)
        arch = Architecture.parse("imagenet:12x1,4x2f", classes=7, in_channels=1, image_size=16)
        ticket = random_ticket(rng, arch, modes=random_mode)
        self.program = compile(ticket, CONFIG)
        self.picture = random_images(rng, arch, 1)
        self.logits = functional.execute(self.program, CONFIG, self.picture).logits[0]
        layout = backend.Layout.of(self.program, images.pack_runs(self.picture, 1))
        self.memory, self.workspace = layout.memory, layout.workspace
        self.image, self.result = layout.inputs[0], layout.outputs[0]
        self.opcodes = [code for code, _ in self.program.descriptors]
        assert set(self.opcodes) == set(Opcode)

    def first(self, opcode: Opcode) -> tuple[int, dict[str, int]]:
        """Index and fields of the first descriptor of a kind."""
        index = self.opcodes.index(opcode)
        return index, self.program.descriptors[index][1]

    def start(self, program=0, image=None, result=None, workspace=None, sizes=None) -> list[tuple]:
        """Commands of one run; addresses and sizes are the network's own unless given."""
        given = (image, result, workspace, sizes)
        own = (self.image, self.result, self.workspace, backend.writable(self.program))
        return backend.start_commands(
            program, *(b if a is None else a for a, b in zip(given, own, strict=True))
        )

    def broken(self, index: int, **fields) -> bytes:
        """The program's image with some fields of an otherwise intact descriptor overwritten."""
        image = bytearray(self.program.image)
        at = slice(index * DESCRIPTOR_BYTES, (index + 1) * DESCRIPTOR_BYTES)
        word = int.from_bytes(image[at], "little")
        for name, value in fields.items():
            bit, bits = offsets(self.opcodes[index])[name]
            word = word & ~(((1 << bits) - 1) << bit) | value << bit
        image[at] = with_crc(word.to_bytes(DESCRIPTOR_BYTES, "little"))
        return bytes(image)

    def assert_right(self, done, reads):
        """The run whose values are `reads` ended well, with the right logits."""
        status, _ = backend.counters(reads)
        assert status["done"] and not status["error"]
        end = self.result + 4 * len(self.logits)
        assert (done.memory[self.result : end].view("<i4") == self.logits).all()


@pytest.fixture(scope="module")
def network():
    return Network()


SETTLE = 10  # reads of STATUS until the transfers in flight have ended
RESET = [("write", OFFSETS["CONTROL"], encode("CONTROL", reset=1, irq_enable=1)),
         *[("read", OFFSETS["STATUS"])] * SETTLE]  # fmt: skip
READS = len([c for c in backend.start_commands(0, 0, 0, 0, (0, 0)) if c[0] == "read"])


def run(memory, commands, **job):
    return backend.simulate(
        CONFIG, harness.Job(memory=memory, commands=commands, limit=LIMIT, **job)
    )


RUNNING = encode("STATUS", busy=1, done=1, error=1)


def error(status) -> ErrorCode:
    """The error of a STATUS value, which must say that the run failed."""
    fields = decode("STATUS", int(status))
    assert not fields["done"] and fields["error"], fields
    return ErrorCode(fields["error_code"])


@pytest.mark.parametrize("response", [2, 3])
@pytest.mark.parametrize("where", ["descriptor", "parameter", "mask", "image", "result", "store"])
def test_bus_error_stops_with_a_code(network, where, response):
    first, conv = network.first(Opcode.CONV)
    stored, store = network.first(Opcode.STORE)
    address, layer = {
        "descriptor": (DESCRIPTOR_BYTES, 1),
        "parameter": (conv["parameter_address"], first),
        "mask": (conv["mask_address"], first),
        "image": (network.image, network.first(Opcode.IMAGE)[0]),
        "result": (network.result, len(network.opcodes) - 2),
        "store": (network.workspace + store["address"], stored),
    }[where]
    commands = network.start() + RESET
    done = run(network.memory, commands, fault=(address, address + 7, response))
    kind = "WRITE" if where in ("result", "store") else "READ"
    name = "SLVERR" if response == 2 else "DECERR"
    assert error(done.reads[0]) == ErrorCode[f"{kind}_{name}"]
    assert decode("STATUS", int(done.reads[0]))["layer"] == layer
    assert done.reads[-1] & RUNNING == 0


def wrong(opcode: Opcode, code: str, /, **fields) -> list[tuple]:
    """One case for each value of each field: (opcode, field, code)."""
    return [(opcode, {name: value}, code) for name, values in fields.items() for value in values]


ILLEGAL = [
    *wrong(Opcode.BEGIN, "BAD_MAGIC", magic=[1]),
    *wrong(Opcode.BEGIN, "BAD_VERSION", version=[1, 9]),
    *wrong(Opcode.BEGIN, "BAD_OPCODE", opcode=[0, 2, 3]),
    *wrong(Opcode.BEGIN, "BAD_SHAPE", log2_rows=[5], log2_columns=[1], log2_bus_bytes=[4]),
    *wrong(Opcode.BEGIN, "TOO_LARGE", bank_words=[1 << 20], mask_words=[1 << 20],
           psum_depth=[1 << 16], parameter_channels=[65], result_words=[65],
           accumulator_bits=[33]),
    *wrong(Opcode.IMAGE, "BAD_OPCODE", opcode=[0, 1, 8, 77]),
    *wrong(Opcode.IMAGE, "BAD_FIELD", bank=[3], channels=[0, 5], taps=[0, 8], width=[0],
           rows=[0], out_width=[0], granules=[0, 29, 34], stride=[0, 3], address=[4]),
    *wrong(Opcode.CONV, "BAD_MAGIC", magic=[0]),
    *wrong(Opcode.CONV, "BAD_VERSION", version=[1]),
    *wrong(Opcode.CONV, "BAD_FIELD", in_bits=[0, 9], out_bits=[0, 15], shift=[0, 48],
           stride=[0, 3], stride_x=[0, 3], src_bank=[3], dst_bank=[3], kernel_height=[0],
           kernel_width=[0], in_tiles=[0], out_tiles=[0], strips=[0], strip_rows=[0],
           last_strip_rows=[0], last_rows=[0, 5], out_width=[0], out_channels=[0, 65535],
           in_height=[0], in_width=[0], fan_in=[0], coats=[0], signs=[3], first_part=[1],
           plane_beats=[0], mask_beats=[0], mask_base=[(1 << 20) - 1], mask_address=[4],
           code=[1], sign_code=[1], parameter_address=[4], parameter_base=[2, 64], pool=[1],
           bipolar=[1]),
    *wrong(Opcode.CONV, "DEADLOCK", wait_executed=[5], wait_stored=[5], hold_stored=[5]),
    *wrong(Opcode.POOL, "BAD_FIELD", bits=[0, 9], kernel=[0], stride=[0, 3], src_bank=[3],
           dst_bank=[3], in_height=[0], in_width=[0], out_height=[0], out_width=[0],
           granules=[0]),
    *wrong(Opcode.LOAD, "BAD_FIELD", bank=[3], groups=[0], beats=[0], address=[4],
           memory_stride=[4]),
    *wrong(Opcode.LOAD, "READ_DECERR", address=[1 << 24]),
    *wrong(Opcode.CONV, "MASK_CRC", mask_crc32=[0], mask_address=[0]),
    *wrong(Opcode.CONV, "PARAMETER_CRC", parameter_crc32=[0], parameter_address=[0]),
    *wrong(Opcode.LOAD, "DEADLOCK", wait_executed=[20000], wait_stored=[20000]),
    *wrong(Opcode.STORE, "BAD_FIELD", bank=[3], groups=[0], beats=[0], address=[4],
           memory_stride=[4]),
    *wrong(Opcode.STORE, "WRITE_REGION", address=[1 << 20, (1 << 32) - 4096],
           groups=[4095], beats=[(1 << 24) - 1]),
    *wrong(Opcode.END, "BAD_OPCODE", opcode=[1, 9]),
]  # fmt: skip


def test_illegal_descriptors_stop_with_a_code_and_the_core_runs_again(network):
    memory, commands = bytearray(network.memory), []
    for opcode, fields, _ in ILLEGAL:
        index, _ = network.first(opcode)
        commands += network.start(len(memory)) + RESET
        memory += backend.aligned(network.broken(index, **fields))
    done = run(memory, commands + network.start())
    step = READS + SETTLE
    for i, (opcode, fields, name) in enumerate(ILLEGAL):
        status = done.reads[i * step]
        assert error(status).name == name, (opcode, fields)
        assert decode("STATUS", int(status))["layer"] == network.first(opcode)[0], (opcode, fields)
        assert done.reads[(i + 1) * step - 1] & RUNNING == 0
    network.assert_right(done, done.reads[-READS:])


@pytest.mark.parametrize("which, offset", [("program", 0x40), ("image", 8), ("result", 4),
                                           ("workspace", 32)])  # fmt: skip
def test_misaligned_address(network, which, offset):
    own = {"program": 0, "image": network.image, "result": network.result,
           "workspace": network.workspace}  # fmt: skip
    done = run(network.memory, network.start(**{which: own[which] + offset}))
    assert error(done.reads[0]) == ErrorCode.BAD_ADDRESS


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_backend_reports_the_error_of_a_run(network, simulator):
    index, _ = network.first(Opcode.CONV)
    pictures = np.concatenate([network.picture, network.picture])
    program = Program(network.broken(index, in_bits=9))
    with pytest.raises(backend.RunError, match=f"descriptor {index}: BAD_FIELD") as caught:
        backend.run(program, CONFIG, pictures, simulator=simulator)
    assert (caught.value.code, caught.value.layer) == (ErrorCode.BAD_FIELD, index)


def test_one_wrong_bit_of_a_program_stops_the_run(network):
    """Wherever it is fetched: descriptors, masks, parameters; and the core runs again."""
    rng, bus = np.random.default_rng(8), CONFIG.bus_bytes
    places = [(DESCRIPTOR_BYTES * i + rng.integers(DESCRIPTOR_BYTES), "DESCRIPTOR")
              for i in range(len(network.opcodes))]  # fmt: skip
    for opcode, f in network.program.descriptors:
        if opcode == Opcode.CONV:
            size = f["fetch_mask"] * f["mask_beats"] * bus
            places += [(f["mask_address"] + at, "MASK") for at in (0, size - 1) if size]
            size = f["fetch_parameters"] * f["out_channels"] * PARAMETER_BYTES
            places += [(f["parameter_address"] + at, "PARAMETER") for at in (0, size - 1) if size]
    memory, commands = bytearray(network.memory), []
    for at, _ in places:
        commands += network.start(len(memory)) + RESET
        image = bytearray(network.program.image)
        image[at] ^= 1 << int(rng.integers(8))
        memory += backend.aligned(bytes(image))
    done = run(memory, commands + network.start())
    for i, (at, kind) in enumerate(places):
        known = {1: "BAD_VERSION", 2: "BAD_MAGIC", 3: "BAD_MAGIC"}
        name = known.get(at % DESCRIPTOR_BYTES) if kind == "DESCRIPTOR" else None
        assert error(done.reads[i * (READS + SETTLE)]).name == (name or f"{kind}_CRC"), (at, kind)
    network.assert_right(done, done.reads[-READS:])


def test_without_integrity_no_crc_is_checked(network):
    image, memory = bytearray(network.program.image), bytearray(network.memory)
    image[DESCRIPTOR_BYTES - 1] ^= 1
    memory[: len(image)] = image
    job = harness.Job(memory=memory, commands=network.start(), limit=LIMIT)
    done = backend.simulate(CONFIG.replace(integrity=0), job)
    network.assert_right(done, done.reads)


@pytest.mark.parametrize("less", [(1, 0), (0, 1)])
def test_nothing_is_written_outside_the_regions(network, less):
    sizes = np.array(backend.writable(network.program))
    stores = [f for opcode, f in network.program.descriptors if opcode == Opcode.STORE]
    ends = [f["address"] + (f["groups"] - 1) * f["memory_stride"] + f["beats"] * CONFIG.bus_bytes
            for f in stores]  # fmt: skip
    assert max(ends) == sizes[1]
    sizes -= less
    done = run(network.memory, network.start(sizes=tuple(sizes.tolist())) + RESET)
    assert error(done.reads[0]) == ErrorCode.WRITE_REGION
    assert done.reads[-1] & RUNNING == 0
    for base, size in zip((network.result, network.workspace), sizes, strict=True):
        end = base + size + -(base + size) % 4096
        assert bytes(done.memory[base + size : end]) == bytes(network.memory[base + size : end])


def test_a_memory_that_is_too_slow_is_a_timeout(network):
    watchdog = ("write", OFFSETS["WATCHDOG"], 400)
    done = run(network.memory, [watchdog, *network.start(), *RESET * 20], latency=500)
    assert error(done.reads[0]) == ErrorCode.TIMEOUT
    assert done.reads[-1] & RUNNING == 0
    done = run(network.memory, [watchdog, *network.start()], latency=300)
    network.assert_right(done, done.reads)


def test_address_behind_the_memory(network):
    done = run(network.memory, network.start(0xFFFF0000))
    assert error(done.reads[0]) == ErrorCode.READ_DECERR


def test_start_is_ignored_after_an_error_until_reset(network):
    again = [("write", OFFSETS["CONTROL"], encode("CONTROL", start=1, irq_enable=1)),
             ("read", OFFSETS["STATUS"])]  # fmt: skip
    done = run(network.memory, network.start(0x40) + again + RESET + network.start())
    assert error(done.reads[READS]) == ErrorCode.BAD_ADDRESS
    network.assert_right(done, done.reads[-READS:])


@pytest.mark.parametrize("seed", [None, 4])
def test_reset_in_the_middle_of_a_run(network, seed):
    """At every phase: the bus protocol holds (the memory model checks it) and the next run is
    right."""
    whole = run(network.memory, network.start())
    clocks = int(whole.waits[0])
    _, counters = backend.counters(whole.reads)
    assert sum(counters[f"CYCLES_{c.name}"] for c in Cause if c) == counters["CYCLES"]
    begin = [c for c in network.start() if c[0] == "write" and c[1] != OFFSETS["IRQ_STATUS"]]
    rng = np.random.default_rng(3)
    commands = []
    for pause in [*rng.integers(1, 2000, 25), *rng.integers(1, clocks, 15)]:
        # a register read takes a few clocks: a pause that both simulators know
        commands += begin + [("read", OFFSETS["ID"])] * int(pause // 4) + RESET
        commands += [("read", OFFSETS["STATUS"])] * 20
        if seed is not None:  # transfers in flight end slowly
            commands += [("read", OFFSETS["STATUS"])] * 100
    done = run(network.memory, commands + network.start(), seed=seed, latency=20)
    network.assert_right(done, done.reads[-READS:])
