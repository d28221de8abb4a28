"""`rtl.memory`."""

import pytest

from rtl.memory import SplitMemory
from sim.runner import run

SHAPES = [(512, 16, 16), (512, 64, 16), (512, 4, 32), (64, 1, 64), (128, 64, 1), (96, 8, 8),
          (1, 1, 1)]  # fmt: skip


@pytest.mark.parametrize("bits, write_width, read_width", SHAPES)
def test_memory(bits, write_width, read_width):
    memory = SplitMemory(bits, write_width, read_width)
    run(memory, "sim.benches.memory", name=f"memory_{bits}_{write_width}_{read_width}",
        bits=bits, write_width=write_width, read_width=read_width, seed=1)  # fmt: skip


@pytest.mark.parametrize("bits, write_width, read_width, reason", [
    (64, 3, 8, "write_width must be a power of two, not 3"),
    (64, 8, 0, "read_width must be a power of two, not 0"),
    (64, 8, -8, "read_width must be a power of two, not -8"),
    (0, 8, 8, "bits must be a positive integer, not 0"),
])  # fmt: skip
def test_refuses(bits, write_width, read_width, reason):
    with pytest.raises(ValueError, match=reason):
        SplitMemory(bits, write_width, read_width)
