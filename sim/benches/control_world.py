"""The blocks around `Control`, played in Python, and runs of it; see `sim.benches.control`."""

from collections import Counter, deque

import numpy as np

from hfn_accel.config import Config
from hfn_accel.engine.records import Design, jobs
from hfn_accel.engine.timeline import descriptor_cycles, timeline
from hfn_accel.program import Opcode
from hfn_accel.registers import Cause, ErrorCode, ReadClass
from hfn_accel.timing import BANK_CYCLES
from sim.benches import control_program as programs
from sim.benches.clocked import Clocked
from sim.benches.control_model import KINDS, Model, bank_beat
from sim.benches.control_program import BASE, INPUT, OUTPUT, SIZE, WORKSPACE, Step
from sim.memory import OKAY, Memory
from sim.runner import parameters

PARAMETERS = parameters()
CONFIG = Config(**PARAMETERS["config"])
BUS = CONFIG.bus_bytes
INPUTS = ["start", "reset", "image_busy", "mask_busy", "active", "finished", "drained", "pooled",
          "image_ready", "mask_ready", "store_data", "result_data"]  # fmt: skip


def play(step: Step) -> list[dict]:
    """The datapath's inputs from the clock after `setup` or `pool_start` on."""
    if step.opcode == Opcode.POOL:
        return [{}] * (step.tail - 2) + [{"pooled": 1}]
    clocks = [{}]
    for pause, count in step.tiles:
        clocks += [{}] * pause + [{"active": 1}] * count
    clocks[-1] = {"active": 1, "finished": 1}
    return clocks + [{}] * (step.tail - 1) + [{"drained": 1}]


class World:
    """The blocks around, and what was seen of a run: `events` as in `Model`, clocks by cause, beats
    by class, first clocks of CONVs and POOLs, and first and last of the storer's work.

    `ready` says whether loader and decoder take a beat; they are busy for the step's clocks, and
    until their last beat came (`patient`).
    """

    def __init__(self, bench, steps: list[Step], ready=lambda: 1, patient=True):
        self.bench, self.steps, self.ready, self.patient = bench, steps, ready, patient
        self.left = {"image": [0, 0], "mask": [0, 0]}  # clocks and beats
        self.execution, self.written = [], 0
        self.store_data = deque([0] * BANK_CYCLES, maxlen=BANK_CYCLES)  # what the bank answers next
        self.events = {kind: [] for kind in KINDS}
        self.causes, self.classes = Counter(), Counter()
        self.begun, self.stored, self.now = {}, [], 0
        self.before = b""  # memory at the start

    def inputs(self) -> dict:
        given = self.execution.pop(0) if self.execution else {}
        given |= {
            "store_data": self.store_data[0],
            "result_data": bank_beat(3, self.written, CONFIG),
        }
        for name, left in self.left.items():
            given[f"{name}_busy"] = left[0] > 0 or (self.patient and left[1] > 0)
            given[f"{name}_ready"] = self.ready()
            left[0] -= 1
        return given

    def watch(self):
        """Sample one clock of a run."""
        get = self.bench.get
        cause, fetched, executed = Cause(get("cause")), get("fetch_index"), get("index")
        assert get("busy") and cause != Cause.IDLE
        self.causes[cause] += 1
        f = self.steps[fetched].fields
        for name, count in (
            ("image", lambda: programs.beats(4 * f["width"] * f["rows"], CONFIG)),
            ("mask", lambda: f["mask_beats"]),
        ):
            if get(f"{name}_start"):
                self.left[name] = [self.steps[fetched].busy, count()]
        if get("read_beat"):
            self.classes[ReadClass(get("read_class"))] += 1
            for name in "image", "mask", "parameter", "load":
                if get(f"{name}_valid"):
                    place = get("place") if name in ("parameter", "load") else None
                    bank = get("load_bank") if name == "load" else None
                    self.events[name].append((fetched, bank, place, get("data")))
                    if name in self.left:
                        self.left[name][1] -= 1
                        assert get("last") == (self.left[name][1] == 0)
        if get("setup") or get("pool_start"):
            step = self.steps[executed]
            assert step.opcode == (Opcode.CONV if get("setup") else Opcode.POOL)
            self.events["execute"].append(executed)
            self.begun[executed] = self.now
            self.execution = play(step)
        if get("stream"):
            f = self.steps[executed].fields
            others = (0 if f["raw"] else f["out_bits"], f["residual"] and f["res_bits"])
            assert get("period") == max(f["in_bits"], *others, CONFIG.columns // CONFIG.units)
        if get("result_start"):
            self.events["result"].append(executed)
        if get("storing") != len(self.stored) % 2:
            self.stored.append(self.now)
        if get("write_beat"):
            self.written += not get("storing")
            assert get("write_bytes") == (BUS if get("storing") else 5)
        if get("store_advance"):
            self.store_data.append(bank_beat(get("store_bank"), get("store_place"), CONFIG))
        self.now += 1


async def run(world: World, memory: Memory, stop: int | None = None, flip=None) -> ErrorCode:
    """From `start` to `done` (NONE), an error, or a `reset` after `stop` clocks (also NONE).

    flip: (address, bit) that is wrong in memory."""
    bench = world.bench
    image = programs.image(world.steps, memory.data, CONFIG)
    memory.data[BASE : BASE + len(image)] = image
    if flip:
        memory.data[flip[0]] ^= 1 << flip[1]
    world.before = bytes(memory.data)
    await bench.clock(start=1)
    while not bench.get("error"):
        if world.now == stop:
            await bench.clock(reset=1)
            return ErrorCode.NONE
        await bench.clock(**world.inputs())
        world.watch()
        if bench.get("done"):
            return ErrorCode.NONE
        assert world.now < 60_000, "hangs"
    return ErrorCode(bench.get("error_code"))


async def end(bench, memory):
    """After an error or a reset: what is in flight ends, `clear` comes once, nothing follows."""
    cleared = 0
    for _ in range(4000):
        await bench.clock()
        assert not (bench.get("cause") or bench.get("error") or bench.get("done"))
        cleared += bench.get("clear")
        if not bench.get("busy"):
            break
    assert cleared == 1 and memory.idle
    await idle(bench)


async def idle(bench, clocks: int = 8):
    for _ in range(clocks):
        await bench.clock()
        for name in ("busy", "cause", "m_axi_arvalid", "m_axi_awvalid", "setup", "clear", "abort"):
            assert bench.get(name) == 0, name


async def begin(dut, **memory):
    bench = Clocked(dut, PARAMETERS["seed"], pulses=INPUTS)
    dut.result_valid.value, dut.result_bytes.value, dut.result_strb.value = 1, 5, (1 << BUS) - 1
    dut.program_address.value, dut.input_address.value = BASE, INPUT
    dut.output_address.value, dut.workspace_address.value = OUTPUT, WORKSPACE
    dut.output_size.value, dut.workspace_size.value = SIZE - OUTPUT, OUTPUT - WORKSPACE
    dut.watchdog.value, dut.progress.value, dut.mask_wrong.value = 0, 0, 0
    faulty = {}
    model = Memory(dut, bytearray(bench.rng.randbytes(SIZE)),
                   error=lambda address, write: faulty.get((address, write), OKAY),
                   **memory)  # fmt: skip
    model.faulty = faulty
    await bench.start()
    return bench, model


def check(world: World, memory: Memory):
    model = Model(world.steps, world.before, CONFIG)
    assert world.classes == model.classes
    for kind in KINDS:
        assert world.events[kind] == model.events[kind], kind
    assert memory.data == model.data and memory.idle


async def good(bench, memory, length: int = 20):
    """A random program, exact in every clock."""
    steps = programs.random_steps(bench.rng, CONFIG, length)
    world = World(bench, steps)
    assert await run(world, memory) == ErrorCode.NONE
    check(world, memory)
    design = Design.of(CONFIG, memory.latency)
    spent, _, executed, stored = timeline(
        jobs([(step.opcode, step.fields) for step in steps]),
        np.stack([step.durations(design) for step in steps]), descriptor_cycles(design),
    )  # fmt: skip
    causes = spent.sum(0)
    assert world.now == causes.sum() == executed[-1, 1]
    assert {c: causes[c] for c in Cause if causes[c]} == world.causes
    assert world.begun == {i: executed[i, 0] for i in world.events["execute"]}
    assert world.stored == stored[stored[:, 0] >= 0].ravel().tolist()
    assert bench.get("layer") == len(steps) - 1
    await idle(bench)
