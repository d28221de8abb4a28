"""A SoC around the core under cocotb, driven by its host over the SoC's bus.

Parameters: `registers`, `ram`: where they lie; `places`: addresses of program, images, logits and
workspace in the RAM; `sizes`: bytes of logits and workspace; `result`: a .npy to write, words of
the logits' memory.
"""

import cocotb
import numpy as np

from hfn_accel.config import Config
from hfn_accel.registers import OFFSETS, constants, encode
from sim import testbench
from sim.runner import parameters


@cocotb.test()
async def run(dut):
    """Identity, a run to its interrupt, and the logits, read back over the bus."""
    given = parameters()
    testbench.start_clock(dut)
    await testbench.reset(dut)

    async def write(name, value):
        assert await testbench.write(dut, given["registers"] + OFFSETS[name], value) == 0

    for name, value in constants(Config(**given["config"])).items():
        assert await testbench.read(dut, given["registers"] + OFFSETS[name]) == value
    names = ("PROGRAM_ADDR", "INPUT_ADDR", "OUTPUT_ADDR", "WORKSPACE_ADDR")
    for name, address in zip(names, given["places"], strict=True):
        await write(name, address)
    for name, size in zip(("OUTPUT_SIZE", "WORKSPACE_SIZE"), given["sizes"], strict=True):
        if name in OFFSETS:
            await write(name, size)
    await write("CONTROL", encode("CONTROL", start=1, irq_enable=1))
    await testbench.wait_irq(dut, 1_000_000)
    status = await testbench.read(dut, given["registers"] + OFFSETS["STATUS"])
    assert status & 0xFFFF == encode("STATUS", done=1)
    await write("IRQ_STATUS", 3)
    assert dut.irq.value == 0
    words = range(given["places"][2], given["places"][2] + given["sizes"][0], 4)
    np.save(given["result"], [await testbench.read(dut, at) for at in words])
