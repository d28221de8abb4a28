"""`rtl.memory`."""

import pytest

from rtl.memory import SplitMemory
from sim.runner import run

SHAPES = [(512, (16,), 16), (512, (64,), 16), (512, (4,), 32), (64, (1,), 64), (128, (64,), 1),
          (96, (8,), 8), (1, (1,), 1), (1024, (4, 64), 64), (1024, (8, 64), 4),
          (2048, (16, 128), 128), (512, (64, 64), 64), (512, (16, 4), 64),
          (512, (1, 16), 2)]  # fmt: skip


@pytest.mark.parametrize("bits, write_widths, read_width", SHAPES)
def test_memory(bits, write_widths, read_width):
    name = f"memory_{bits}_{'_'.join(map(str, write_widths))}_{read_width}"
    run(SplitMemory(bits, write_widths, read_width), "sim.benches.memory", name=name,
        bits=bits, write_widths=write_widths, read_width=read_width, seed=1)  # fmt: skip


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
