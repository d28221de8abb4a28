"""`rtl.memory`."""

import re

import pytest

from hfn_accel.config import Config
from rtl.accelerator import Accelerator
from rtl.emit import verilog
from rtl.memory import SplitMemory
from sim.runner import run

SHAPES = [(512, (16,), 16), (512, (64,), 16), (512, (4,), 32), (64, (1,), 64), (128, (64,), 1),
          (96, (8,), 8), (1, (1,), 1), (1024, (4, 64), 64), (1024, (8, 64), 4),
          (2048, (16, 128), 128), (512, (64, 64), 64), (512, (16, 4), 64),
          (512, (1, 16), 2)]  # fmt: skip


@pytest.mark.parametrize("latency, bits, write_widths, read_width", [
    *((1, *shape) for shape in SHAPES), *((2, *SHAPES[i]) for i in (0, 1, 7, 9))
])  # fmt: skip
def test_memory(latency, bits, write_widths, read_width):
    name = f"memory_{latency}_{bits}_{'_'.join(map(str, write_widths))}_{read_width}"
    run(SplitMemory(bits, write_widths, read_width, latency), "sim.benches.memory", name=name,
        bits=bits, write_widths=write_widths, read_width=read_width, latency=latency,
        seed=1)  # fmt: skip


def test_attributes():
    """In Verilog, every memory asks for block RAM and for no logic around it."""
    text = verilog(Accelerator(Config.parse("4x4")), "hfn_accel")
    memories = re.findall(r"((?:  \(\*.*\*\)\n)*)  reg \[[^\n]*\] \S+ \[\d+:0\];", text)
    assert len(memories) == 8
    told = [m for m in memories if 'ram_style = "block"' in m and "no_rw_check" in m]
    assert len(told) == 7  # the counters are too few for block RAM


def test_latency():
    with pytest.raises(ValueError, match="latency must be 1 or 2, not 3"):
        SplitMemory(64, (8,), 8, 3)


@pytest.mark.parametrize("bits, write_widths, read_width, reason", [
    (64, (3,), 8, "write_widths must be a power of two, not 3"),
    (64, (8, 12), 8, "write_widths must be a power of two, not 12"),
    (64, (1, 2, 4), 8, r"write_widths must be one or two widths, not \(1, 2, 4\)"),
    (64, (8,), 0, "read_width must be a power of two, not 0"),
    (64, (8,), -8, "read_width must be a power of two, not -8"),
    (0, (8,), 8, "bits must be a positive integer, not 0"),
])  # fmt: skip
def test_refuses(bits, write_widths, read_width, reason):
    with pytest.raises(ValueError, match=reason):
        SplitMemory(bits, write_widths, read_width)
