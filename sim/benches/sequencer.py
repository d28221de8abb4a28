"""Bench of `Sequencer`: every command of a program in order, whatever the blocks' pace.

Parameters: `config`, `seed`, `image` (a compiled program, hexadecimal). The DMAs, loader and
datapath around it are played here, each as slow as chance wants.
"""

import cocotb

from hfn_accel.config import Config
from hfn_accel.program import DESCRIPTOR_BYTES, Opcode, Program
from hfn_accel.registers import Cause, ErrorCode, ReadClass
from sim.benches.clocked import Clocked
from sim.runner import parameters

PARAMETERS = parameters()
CONFIG = Config(**PARAMETERS["config"])
PROGRAM = Program(bytes.fromhex(PARAMETERS["image"]))
BUS = CONFIG.bus_bytes
BASE, SOURCE, TARGET = 0x12345000, 0x40000040, 0x7FFF0080
CAUSES = {
    ReadClass.DESCRIPTOR: Cause.DESCRIPTOR, ReadClass.MASK: Cause.MASK,
    ReadClass.PARAMETER: Cause.PARAMETER, ReadClass.ACTIVATION: Cause.LOAD,
}  # fmt: skip
READ_ERRORS = {1: ErrorCode.READ_PROTOCOL, 2: ErrorCode.READ_SLVERR, 3: ErrorCode.READ_DECERR}
WRITE_ERRORS = {2: ErrorCode.WRITE_SLVERR, 3: ErrorCode.WRITE_DECERR}


def beats(size: int) -> int:
    return -(-size // BUS)


def commands() -> list[tuple]:
    """What the program must make the sequencer ask for, in order."""
    expected = []
    for i, (opcode, f) in enumerate(PROGRAM.descriptors):
        at = BASE + i * DESCRIPTOR_BYTES
        expected.append(("read", ReadClass.DESCRIPTOR, at, beats(DESCRIPTOR_BYTES)))
        if opcode == Opcode.LOAD:
            expected += [("read", ReadClass.ACTIVATION, SOURCE, beats(4 * f["pixels"])), ("load",)]
        if opcode == Opcode.CONV:
            if not f["raw"]:
                expected.append(("read", ReadClass.PARAMETER, BASE + f["parameter_address"],
                                 beats(8 * f["out_channels"])))  # fmt: skip
            if f["fetch_mask"]:
                expected.append(("read", ReadClass.MASK, BASE + f["mask_address"],
                                 f["mask_beats"]))  # fmt: skip
            expected += [("setup",), ("stream",)]
            if f["raw"]:
                expected += [("write", TARGET, beats(4 * f["out_channels"])), ("store",)]
    return expected


class World:
    """The blocks around the sequencer: `inputs` of the next clock, from what it asked for."""

    def __init__(self, rng):
        self.rng = rng
        self.queues = {name: [] for name in ("read", "load", "compute", "write")}
        self.read_error = self.write_error = 0

    def inputs(self) -> dict:
        """Each queue holds the inputs of the clocks to come."""
        given = {"read_error": self.read_error, "write_error": self.write_error}
        for queue in self.queues.values():
            given |= queue.pop(0) if queue else {}
        return given

    def pause(self) -> int:
        return self.rng.choice([0, 0, 1, self.rng.randint(2, 12)])

    def read(self, read_class, address: int, count: int, error: int):
        """Busy until the last beat; only descriptors' data matter."""
        self.read_error = 0
        queue = [{"read_busy": 1}] * (1 + self.pause())
        if read_class == ReadClass.DESCRIPTOR and not error:
            for i in range(count):
                at = address - BASE + i * BUS
                word = int.from_bytes(PROGRAM.image[at : at + BUS], "little")
                queue += [{"read_busy": 1}] * self.pause()
                queue.append({"read_busy": 1, "data_valid": 1, "data": word})
        self.queues["read"] = queue
        self.pending = error

    def compute(self):
        """Waits, tiles with pauses between, the last clock of the last, and the drain."""
        queue = [{}] * self.rng.randint(1, 9)
        for _ in range(self.rng.randint(1, 4)):
            queue += [{"active": 1}] * self.rng.randint(1, 9) + [{}] * self.pause()
        queue.append({"active": 1, "finished": 1})
        self.queues["compute"] = queue + [{}] * self.rng.randint(1, 9) + [{"drained": 1}]


async def run(bench, fail_at: int | None = None, error: int = 0, write_error: int = 0):
    """Play one program; read number `fail_at` ends with `error`, the write with `write_error`.

    Returns the commands seen, and the ErrorCode or None.
    """
    world, seen, transfers = World(bench.rng), [], 0
    await bench.clock(start=1)
    streamed = False
    for _ in range(200_000):
        given = world.inputs()
        if not world.queues["read"] and "read_busy" not in given and transfers:
            given["read_error"] = world.read_error = world.pending
        await bench.clock(**given)
        cause = Cause(bench.get("cause"))
        assert bench.get("busy") == 1
        if bench.get("setup"):
            seen.append(("setup",))
            streamed = False
        if given.get("active"):
            assert cause == Cause.COMPUTE
            streamed = True
        elif cause in (Cause.FILL, Cause.STALL):
            assert (cause == Cause.STALL) == streamed
        if given.get("load_busy"):
            assert cause == Cause.LOAD
        if given.get("read_busy"):
            assert cause == CAUSES[ReadClass(bench.get("read_class"))]
        if bench.get("failed"):
            return seen, ErrorCode(bench.get("error_code"))
        if bench.get("done"):
            return seen, None
        if bench.get("read_start"):
            command = (ReadClass(bench.get("read_class")), bench.get("read_address"),
                       bench.get("read_beats"))  # fmt: skip
            seen.append(("read", *command))
            world.read(*command, error if transfers == fail_at else 0)
            transfers += 1
        if bench.get("load_start"):
            seen.append(("load",))
            world.queues["load"] = [{"load_busy": 1}] * (1 + world.pause())
        if bench.get("stream"):
            seen.append(("stream",))
            world.compute()
        if bench.get("write_start"):
            seen.append(("write", bench.get("write_address"), bench.get("write_beats")))
            world.queues["write"] = [{"write_busy": 1}] * (1 + world.pause())
            world.write_error = write_error
        if bench.get("store_start"):
            seen.append(("store",))
    raise AssertionError("the sequencer did not come to an end")


async def begin(dut):
    bench = Clocked(dut, PARAMETERS["seed"], pulses=[
        "start", "data_valid", "data", "read_busy", "read_error", "write_busy", "write_error",
        "load_busy", "active", "finished", "drained",
    ])  # fmt: skip
    dut.program_address.value = BASE
    dut.input_address.value = SOURCE
    dut.output_address.value = TARGET
    await bench.start()
    return bench


async def reset(bench):
    """As CONTROL.reset does."""
    bench.dut.rst.value = 1
    await bench.clock()
    await bench.clock()
    bench.dut.rst.value = 0


async def idle(bench, clocks: int = 20):
    """Nothing is asked for."""
    for _ in range(clocks):
        await bench.clock()
        for name in ("busy", "cause", "read_start", "write_start", "setup", "stream"):
            assert bench.get(name) == 0, name


@cocotb.test()
async def programs(dut):
    """Several runs, one after the other."""
    bench = await begin(dut)
    await idle(bench)
    for _ in range(4):
        assert await run(bench) == (commands(), None)
        assert bench.get("layer") == len(PROGRAM.descriptors) - 1
        await idle(bench, 3)


@cocotb.test()
async def errors(dut):
    """Each transfer fails once: the code is right, nothing follows, and a start does nothing."""
    bench = await begin(dut)
    reads = [i for i, c in enumerate(commands()) if c[0] == "read"]
    for k, at in enumerate(reads):
        for error, code in READ_ERRORS.items() if k < 3 else [list(READ_ERRORS.items())[k % 3]]:
            await reset(bench)
            seen, failed = await run(bench, fail_at=k, error=error)
            want = commands()[: at + 1]
            want += [("load",)] * (want[-1][1] == ReadClass.ACTIVATION)
            assert (seen, failed) == (want, code)
            await idle(bench)
            await bench.clock(start=1)
            await idle(bench)
    for error, code in WRITE_ERRORS.items():
        await reset(bench)
        seen, failed = await run(bench, write_error=error)
        assert failed == code and seen[-1] == ("store",)
        await idle(bench)
