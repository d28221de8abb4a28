"""Memories from Yosys's text, and the rule for buffers."""

import pytest

from hfn_accel.errors import HfnError
from sim.synthesis.checks import Memory, memories, refuse_buffers

DUMP = """
  attribute \\src "core.v:1.1"
  cell $mem_v2 \\banks.bank0.memory
    parameter \\WIDTH 64
    parameter \\SIZE 8192
    parameter \\WR_PORTS 1
    parameter \\WR_WIDE_CONTINUATION 1'0
    connect \\RD_CLK \\clk
  end
  cell $mem_v2 $auto$proc_rom.cc:155:do_switch$5398
    parameter \\WIDTH 1
    parameter \\SIZE 4096
    parameter \\WR_PORTS 0
  end
  cell $mem_v2 \\counters.memory
    parameter \\WIDTH 48
    parameter \\SIZE 16
    parameter \\WR_PORTS 1
  end
"""
FOUND = [Memory("banks.bank0.memory", 64, 8192), Memory("counters.memory", 48, 16)]


def test_memories():
    """Recorded from Yosys 0.70, shortened; what nothing writes is a table of constants."""
    assert memories(DUMP) == FOUND
    assert [m.bits for m in FOUND] == [524288, 768]
    assert memories("\n") == []


def test_buffers():
    block = {"banks.bank0.memory.0.0": "DP16KD"}
    table = {"counters.memory.0.0": "TRELLIS_DPR16X4"}
    refuse_buffers(FOUND, block | table, "DP16KD")
    refuse_buffers(FOUND, block, "DP16KD")  # counters as flip-flops
    for cells in ({}, {"banks.bank0.memory.0.0": "TRELLIS_DPR16X4"}, {"banks.bank0x": "DP16KD"}):
        with pytest.raises(HfnError, match="banks.bank0.memory .8192 words of 64 bits. is not in"):
            refuse_buffers(FOUND, cells, "DP16KD")
