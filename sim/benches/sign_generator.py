"""Bench of `SignGenerator` against `hfn_accel.sequence`."""

import cocotb

from hfn_accel import sequence
from rtl.sign_generator import tile_signs
from sim.benches.clocked import Clocked
from sim.runner import parameters

PARAMETERS = parameters()
COLUMNS = PARAMETERS["columns"]
TILE = COLUMNS << sequence.CHANNEL_LOG2
COMMANDS = ["load", "jump", "rewind", "step"]


async def start(dut):
    bench = Clocked(dut, PARAMETERS["seed"], pulses=COMMANDS, data=["load_state"])
    await bench.start()
    return bench


@cocotb.test()
async def basis(dut):
    """Step, jump and signs are linear: 64 basis vectors prove them for every state."""
    bench = await start(dut)
    for state in (1 << i for i in range(sequence.BITS)):
        await bench.clock(load=1, load_state=state)
        await bench.clock(step=1)
        assert bench.get("state") == state
        assert bench.get("signs") == tile_signs(state, COLUMNS)
        await bench.clock(jump=1)
        assert bench.get("state") == sequence.step(state)
        await bench.clock()
        assert bench.get("state") == sequence.jump(state, TILE)


@cocotb.test()
async def random_commands(dut):
    """Base and state follow the commands, of which the first given wins; none changes nothing."""
    bench = await start(dut)
    rng, base, state = bench.rng, 0, 0
    for _ in range(300):
        given = {c: rng.random() < p for c, p in zip(COMMANDS, (0.1, 0.2, 0.2, 0.7), strict=True)}
        value = rng.getrandbits(64)
        await bench.clock(load_state=value, **given)
        assert bench.get("state") == state
        assert bench.get("signs") == tile_signs(state, COLUMNS)
        if given["load"]:
            base = state = value
        elif given["jump"]:
            base = state = sequence.jump(base, TILE)
        elif given["rewind"]:
            state = base
        elif given["step"]:
            state = sequence.step(state)


@cocotb.test()
async def full_throughput(dut):
    """A tile of weights every clock, two output tiles of a tensor, one strip repeated."""
    bench = await start(dut)
    seed, tensor, fan_in = sequence.seed_state(PARAMETERS["seed"]), 5, 70
    weights = sequence.bits(seed, tensor, 2 * COLUMNS, fan_in)
    await bench.clock(load=1, load_state=sequence.tensor_state(seed, tensor))
    for channel, end in ((0, "rewind"), (0, "jump"), (COLUMNS, "rewind")):
        for k in range(fan_in):
            await bench.clock(**{end if k == fan_in - 1 else "step": 1})
            word = bench.get("signs")
            bits = [word >> c & 1 for c in range(COLUMNS)]
            assert bits == weights[channel : channel + COLUMNS, k].tolist()
