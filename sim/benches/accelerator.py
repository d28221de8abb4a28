"""The whole design under cocotb: a `sim.harness.Job`, with the Python memory model.

Parameters: `job`, a .npz with the memory and the fields of the job, and `result`, the .npz to
write. The same job on the C++ harness leaves the same result.
"""

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from sim import testbench
from sim.harness import TRACE
from sim.memory import Memory
from sim.runner import parameters


async def record(dut, events: list):
    """Collect every activation write, as tuples of TRACE."""
    edge = RisingEdge(dut.clk)
    while True:
        await edge
        if dut.trace_valid.value == 1:
            # lanes beyond a layer's channels come from parameters that nobody wrote: X in Icarus
            lanes = dut.trace_data.value.resolve("zeros")
            events.append((int(dut.trace_layer.value), int(dut.trace_bank.value), 0,
                           int(dut.trace_addr.value), int(lanes)))  # fmt: skip


@cocotb.test()
async def job(dut):
    """Run the job's commands; save memory, register values, clocks of waits, and the trace."""
    given = parameters()
    with np.load(given["job"]) as file:
        data = bytearray(file["memory"].tobytes())
    options = given["options"]
    testbench.start_clock(dut)
    fault = options["fault"]

    def error(address, write):
        return fault[2] if fault and fault[0] <= address <= fault[1] else 0

    Memory(dut, data, latency=options["latency"], seed=options["seed"], stall=options["stall"],
           error=error)  # fmt: skip
    await testbench.reset(dut)
    events, reads, waits = [], [], []
    if options["trace"]:
        cocotb.start_soon(record(dut, events))
    for name, *values in options["commands"]:
        if name == "write":
            assert await testbench.write(dut, *values) == 0
        elif name in ("read", "expect"):
            reads.append(await testbench.read(dut, values[0]))
            if name == "expect" and reads[-1] & values[1] != values[2]:
                break
        else:
            waits.append(await testbench.wait_irq(dut, options["limit"]))
    np.savez(given["result"], memory=np.frombuffer(bytes(data), np.uint8),
             reads=np.array(reads, np.int64), waits=np.array(waits, np.int64),
             trace=np.array(events, TRACE))  # fmt: skip
