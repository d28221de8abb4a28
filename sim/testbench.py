"""What benches of the whole design share: clock, reset, AXI4-Lite accesses, the interrupt.

Inputs are set after a rising edge, outputs are those of the clock that the edge ends.
"""

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

PERIOD = 10  # ns
ACCESS = 1000  # clocks within which a register access must be answered


def start_clock(dut):
    """Start `clk`."""
    cocotb.start_soon(Clock(dut.clk, PERIOD, unit="ns").start())


async def reset(dut, clocks: int = 4):
    """Hold `rst` for some clocks; AXI4-Lite inputs, where there are any, become idle."""
    for name in ("awvalid", "wvalid", "bready", "arvalid", "rready"):
        if hasattr(dut, f"s_axil_{name}"):
            getattr(dut, f"s_axil_{name}").value = 0
    dut.rst.value = 1
    for _ in range(clocks):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    await RisingEdge(dut.clk)


async def write(dut, offset: int, value: int, strobe: int = 15) -> int:
    """Write a register; returns the response (0 OKAY). AssertionError if it is not answered."""
    dut.s_axil_awaddr.value = offset
    dut.s_axil_wdata.value = value
    dut.s_axil_wstrb.value = strobe
    for name in ("awvalid", "wvalid", "bready"):
        getattr(dut, f"s_axil_{name}").value = 1
    for _ in range(ACCESS):
        await RisingEdge(dut.clk)
        if dut.s_axil_awready.value == 1:
            dut.s_axil_awvalid.value = 0
        if dut.s_axil_wready.value == 1:
            dut.s_axil_wvalid.value = 0
        if dut.s_axil_bvalid.value == 1:
            dut.s_axil_bready.value = 0
            return int(dut.s_axil_bresp.value)
    raise AssertionError(f"write to register {offset:#x} was not answered")


async def read(dut, offset: int) -> int:
    """Read a register. AssertionError if it is not answered, or not with OKAY."""
    dut.s_axil_araddr.value = offset
    dut.s_axil_arvalid.value = 1
    dut.s_axil_rready.value = 1
    for _ in range(ACCESS):
        await RisingEdge(dut.clk)
        if dut.s_axil_arready.value == 1:
            dut.s_axil_arvalid.value = 0
        if dut.s_axil_rvalid.value == 1:
            dut.s_axil_rready.value = 0
            assert dut.s_axil_rresp.value == 0, f"read of register {offset:#x} failed"
            return int(dut.s_axil_rdata.value)
    raise AssertionError(f"read of register {offset:#x} was not answered")


async def wait_irq(dut, limit: int) -> int:
    """Wait for `irq`; returns the clocks it took. AssertionError after `limit` clocks without."""
    edge = RisingEdge(dut.clk)
    for clocks in range(1, limit + 1):
        await edge
        if dut.irq.value == 1:
            return clocks
    raise AssertionError(f"no interrupt within {limit} clocks")
