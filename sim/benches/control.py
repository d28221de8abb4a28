"""Bench of `Control`: programs against `engine.timeline`, clock for clock; errors and resets."""

from collections import Counter

import cocotb

from hfn_accel.program import DESCRIPTOR_BYTES, PARAMETER_BYTES, Opcode, decode, encode
from hfn_accel.registers import ErrorCode
from rtl.descriptor import faults
from sim.benches import control_program as programs
from sim.benches.control_model import Model
from sim.benches.control_program import BASE, OUTPUT, REFUSED, SIZE, WORKSPACE, Step
from sim.benches.control_world import BUS, CONFIG, PARAMETERS, World, begin, check, end, good, run
from sim.memory import DECERR, SLVERR


@cocotb.test()
async def exact(dut):
    """Several runs, one after the other, at several latencies."""
    bench, memory = await begin(dut)
    for latency in (1, 2, 5, 30, 100, 7):
        memory.latency = latency
        await good(bench, memory)


@cocotb.test()
async def random_stalls(dut):
    """Whatever waits: every beat once, in order, to its place."""
    bench, memory = await begin(dut, latency=9, seed=PARAMETERS["seed"])
    for _ in range(4):
        steps = programs.random_steps(bench.rng, CONFIG, 16)
        world = World(bench, steps, ready=lambda: bench.rng.random() < 0.6)
        assert await run(world, memory) == ErrorCode.NONE
        check(world, memory)


@cocotb.test()
async def long_stream(dut):
    """A mask stream that goes on behind what the decoder takes does not hang."""
    bench, memory = await begin(dut)
    steps = programs.random_steps(bench.rng, CONFIG, 16)
    world = World(bench, steps, patient=False)
    assert await run(world, memory) == ErrorCode.NONE
    assert world.classes == Model(steps, world.before, CONFIG).classes


def address_of(rng, steps, data) -> tuple[int, bool, int]:
    """(address, write, step) of a beat that a program transfers."""
    i = rng.randrange(len(steps))
    f = steps[i].fields
    places = [(BASE + i * DESCRIPTOR_BYTES + rng.randrange(0, DESCRIPTOR_BYTES, BUS), False)]
    if "memory_stride" in f:
        at = rng.randrange(f["groups"]) * f["memory_stride"] + rng.randrange(f["beats"]) * BUS
        places.append((WORKSPACE + f["address"] + at, steps[i].opcode == Opcode.STORE))
    if f.get("fetch_mask"):
        places.append((BASE + f["mask_address"] + rng.randrange(f["mask_beats"]) * BUS, False))
    if f.get("fetch_parameters"):
        places.append((BASE + f["parameter_address"], False))
    if f.get("raw") and f["close"]:
        places.append((OUTPUT + f["parameter_address"], True))
    return *places[-1 if rng.random() < 0.8 else 0], i


@cocotb.test()
async def bus_errors(dut):
    """Reads and writes that fail stop the run with their code; then a reset run is exact."""
    bench, memory = await begin(dut, latency=6)
    codes = Counter()
    for _ in range(30):
        steps = programs.random_steps(bench.rng, CONFIG, 8)
        address, write, i = address_of(bench.rng, steps, memory.data)
        response, name = bench.rng.choice(((SLVERR, "SLVERR"), (DECERR, "DECERR"), (1, "PROTOCOL")))
        memory.faulty[address, write] = response
        world = World(bench, steps)
        code = await run(world, memory)
        name = "SLVERR" if write and response == 1 else name
        assert code.name == f"{'WRITE' if write else 'READ'}_{name}"
        codes[code] += 1
        await end(bench, memory)
        memory.faulty.clear()
    assert len(codes) == 5, codes
    await good(bench, memory)


@cocotb.test()
async def resets(dut):
    """A reset at any moment: transfers end by the rules, and the next run is exact."""
    bench, memory = await begin(dut, latency=6)
    for _ in range(12):
        await run(World(bench, programs.random_steps(bench.rng, CONFIG, 12)), memory,
                  stop=bench.rng.randrange(1, 1200))  # fmt: skip
        if not bench.get("done"):
            await end(bench, memory)
    await good(bench, memory)


@cocotb.test()
async def damage(dut):
    """One wrong bit of what is fetched stops the run before it is executed."""
    bench, memory = await begin(dut, latency=3)
    rng, codes = bench.rng, Counter()
    for _ in range(40):
        steps = programs.random_steps(rng, CONFIG, 8)
        convs = [i for i, step in enumerate(steps) if step.opcode == Opcode.CONV]
        kind = rng.choice(("descriptor", "mask", "parameter"))
        i = rng.choice(convs or [0]) if kind != "descriptor" else rng.randrange(len(steps))
        f, bit = steps[i].fields, rng.randrange(rng.choice((32, 8 * DESCRIPTOR_BYTES)))
        code = ErrorCode.DESCRIPTOR_CRC
        if 8 <= bit < 32:
            code = ErrorCode.BAD_VERSION if bit < 16 else ErrorCode.BAD_MAGIC
        at = BASE + i * DESCRIPTOR_BYTES + bit // 8
        if kind != "descriptor" and f.get(f"fetch_{kind}" + "s" * (kind == "parameter")):
            code = ErrorCode[f"{kind.upper()}_CRC"]
            count = f["mask_beats"] if kind == "mask" else programs.beats(
                PARAMETER_BYTES * f["out_channels"], CONFIG)  # fmt: skip
            at = BASE + f[f"{kind}_address"] + rng.randrange(count * BUS)
        world = World(bench, steps)
        got = await run(world, memory, flip=(at, bit % 8))
        first = bench.get("layer")  # another step may have met the same bit before
        assert got == code if first == i else got.name.endswith("_CRC"), (got, code)
        assert first <= i and all(n < first for n in world.events["execute"])
        codes[got] += 1
        await end(bench, memory)
    assert len(codes) >= 5, codes
    await good(bench, memory)


@cocotb.test()
async def mask_length(dut):
    """What the mask decoder says of a stream's length counts when the phase ends."""
    bench, memory = await begin(dut, latency=3)
    for wrong in (1, 0):
        while True:
            steps = programs.random_steps(bench.rng, CONFIG, 4)
            if any(step.fields.get("fetch_mask") for step in steps):
                break
        dut.mask_wrong.value = wrong
        world = World(bench, steps)
        got = await run(world, memory)
        assert got == (ErrorCode.MASK_LENGTH if wrong else ErrorCode.NONE)
        if wrong:
            assert steps[bench.get("layer")].fields.get("fetch_mask")
            await end(bench, memory)


@cocotb.test()
async def regions(dut):
    """A transfer that would write behind what it may write stops the run, and writes nothing."""
    bench, memory = await begin(dut, latency=2)
    found = Counter()
    while found.total() < 12:
        steps = programs.random_steps(bench.rng, CONFIG, 6)
        ends = [(i, *end) for i, end in enumerate(map(written, steps)) if end]
        if not ends:
            continue
        i, port, last = bench.rng.choice(ends)
        getattr(dut, port).value = last - 1
        world = World(bench, steps)
        got = await run(world, memory)
        assert got == ErrorCode.WRITE_REGION and bench.get("layer") <= i
        base = OUTPUT if port == "output_size" else WORKSPACE
        limit = base + last - 1
        room = slice(limit, OUTPUT if base == WORKSPACE else SIZE)
        assert memory.data[room] == world.before[room]
        await end(bench, memory)
        getattr(dut, port).value = last
        world = World(bench, steps[: i + 1] + [Step(Opcode.END, {})])
        if all(end is None or end[0] != port or end[1] <= last
               for end in map(written, world.steps)):  # fmt: skip
            assert await run(world, memory) == ErrorCode.NONE
            found[port] += 1
        else:
            await run(world, memory)
            await end(bench, memory)
        dut.output_size.value, dut.workspace_size.value = SIZE - OUTPUT, OUTPUT - WORKSPACE
    assert len(found) == 2, found


def written(step: Step) -> tuple[str, int] | None:
    """(port, bytes of its region that are needed) of a step that writes to memory."""
    f = step.fields
    if step.opcode == Opcode.STORE:
        last = f["address"] + (f["groups"] - 1) * f["memory_stride"] + f["beats"] * BUS
        return "workspace_size", last
    if f.get("raw") and f["close"]:
        return "output_size", f["parameter_address"] + 4 * f["out_channels"]
    return None


@cocotb.test()
async def timeouts(dut):
    """A memory that answers too late is an error as soon as the watchdog's clocks are over."""
    bench, memory = await begin(dut, latency=60)
    steps = programs.random_steps(bench.rng, CONFIG, 6)
    for limit, code in ((60, ErrorCode.NONE), (59, ErrorCode.TIMEOUT), (0, ErrorCode.NONE)):
        dut.watchdog.value = limit
        await bench.clock()
        for step in steps:
            step.busy, step.tail = 1, 2
        world = World(bench, steps)
        assert await run(world, memory) == code, limit
        if code:
            assert world.now == 3 + 59 + 2  # with the first address, and the clocks behind it
            await end(bench, memory)
    await good(bench, memory)


async def refused(bench, memory, steps, code, layer=None):
    world = World(bench, steps)
    got = await run(world, memory)
    assert got == code, (got, code, steps[-1])
    assert layer is None or bench.get("layer") == layer
    await end(bench, memory)


@cocotb.test()
async def bad_programs(dut):
    """Every reason to refuse a descriptor."""
    bench, memory = await begin(dut, latency=1)
    rng, first, last = bench.rng, programs.begin(CONFIG), Step(Opcode.END, {})
    for value in (0, 1, 8, 9, 255):
        for field, code in ("magic", ErrorCode.BAD_MAGIC), ("version", ErrorCode.BAD_VERSION):
            await refused(bench, memory, [first, Step(Opcode.END, {field: value})], code, 1)
        wrong = Step(Opcode.END, {}, byte=value)
        await refused(bench, memory, [first, wrong], ErrorCode.BAD_OPCODE, 1)
    await refused(bench, memory, [last], ErrorCode.BAD_OPCODE, 0)
    for field, code in (("log2_rows", ErrorCode.BAD_SHAPE), ("log2_bus_bytes", ErrorCode.BAD_SHAPE),
                        ("mask_words", ErrorCode.TOO_LARGE)):  # fmt: skip
        wrong = Step(Opcode.BEGIN, first.fields | {field: 77_777 if code == 5 else 1})
        await refused(bench, memory, [wrong, last], code, 0)
    for port in ("program_address", "input_address", "output_address", "workspace_address"):
        right = int(getattr(dut, port).value)
        getattr(dut, port).value = right + 32
        await refused(bench, memory, [first, last], ErrorCode.BAD_ADDRESS)
        getattr(dut, port).value = right
    for name in ("wait_executed", "wait_stored", "hold_stored"):
        await refused(bench, memory, [first, Step(Opcode.END, {name: 1})], ErrorCode.DEADLOCK, 1)
    for opcode, fields in REFUSED:
        step = next(s for s in iter(lambda: rng.choice(programs.MAKERS)(rng, CONFIG), None)
                    if s.opcode == opcode)  # fmt: skip
        step.fields |= fields
        whole = decode(encode(opcode, **step.fields))[1]
        assert any(faults(opcode, whole, CONFIG)), (opcode, fields)
        await refused(bench, memory, [first, step, last], ErrorCode.BAD_FIELD, 1)
    await good(bench, memory)
