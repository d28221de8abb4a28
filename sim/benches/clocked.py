"""What the benches of plain (not handshaken) blocks share: one call a clock."""

from random import Random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge


class Clocked:
    """Drives a block's inputs and samples its outputs, clock by clock.

    `pulses` are inputs that are 0 in a clock that does not name them; all inputs in `data` are
    random then, so that a block which looks at them at the wrong time shows it.
    """

    def __init__(self, dut, seed: int, pulses=(), data=()):
        self.dut, self.pulses, self.data = dut, pulses, data
        self.rng = Random(seed)

    async def start(self):
        """Start the clock and leave reset."""
        cocotb.start_soon(Clock(self.dut.clk, 10, "ns").start())
        self.dut.rst.value = 1
        await self.clock()
        await self.clock()
        self.dut.rst.value = 0

    async def clock(self, **inputs):
        """Enter the next clock with these inputs; returns when its outputs are stable."""
        await RisingEdge(self.dut.clk)
        for name in self.pulses:
            getattr(self.dut, name).value = int(inputs.pop(name, 0))
        for name in self.data:
            port = getattr(self.dut, name)
            port.value = int(inputs.pop(name, self.rng.getrandbits(len(port))))
        assert not inputs, f"no such inputs: {inputs}"
        await FallingEdge(self.dut.clk)

    def get(self, name: str) -> int:
        return int(getattr(self.dut, name).value)

    def get_signed(self, name: str, count: int) -> list[int]:
        """The elements of an array of `count` signed numbers."""
        word, width = self.get(name), len(getattr(self.dut, name)) // count
        half, mask = 1 << (width - 1), (1 << width) - 1
        return [(((word >> (i * width)) & mask) ^ half) - half for i in range(count)]


def pack(values, width: int) -> int:
    """Numbers as one array word, the first in the least significant bits."""
    mask = (1 << width) - 1
    return sum((int(v) & mask) << (i * width) for i, v in enumerate(values))
