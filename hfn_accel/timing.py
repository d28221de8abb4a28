"""Clocks that blocks and engines take: the numbers that the RTL and `engine.durations` share."""

FILL_CYCLES = 2
"""A tile's fill takes its rows' clocks (one each, two with a sign plane) + FILL_CYCLES: one in
which it begins, one in which the loops step to the next tile."""

MASK_CYCLES = 2
"""From a mask row's address to the row: one for the memory, one for a register behind it."""

TREE_LEVELS_A_STAGE = 2
"""Adder levels before a register stage of the array's column trees."""

SETUP_CYCLES = 2
"""A layer's blocks are reset in one clock and started in the next, which asks for the first fill;
the array then gets its first plane a fill and one clock later."""

BANK_CYCLES = 2
"""From an activation bank's address to the data: one for the memory, one for a register behind it.
So long is a plane's way from its address to the array."""

PLANE_CYCLES = 1
"""From the sums of a pixel's last plane to the pixel's contribution."""

PSUM_CYCLES = 3
"""From a contribution to the new partial sum."""

RESIDUAL_CYCLES = BANK_CYCLES + 2
"""From a pixel's sums to its residual, and so to its first group at the requantiser: the residual
was gathered before, and goes on when the first plane of the next pixel's arrives."""

REQUANTISE_CYCLES = 7
"""From a group's accumulators to its activations."""

POOL_CYCLES = BANK_CYCLES + 3
"""What POOL takes beyond its planes: the clock of its start, one to its first plane's address, and
from its last plane's address to its last write."""

LOAD_CYCLES = 4
"""What an image takes beyond the memory's latency and its pixels: two clocks from its start to the
first in the window, two from the last plane's look-up to its write."""

CODED_CYCLES = 10
"""Clocks of a coded mask stream beyond the memory's latency and one a unit of a plane: one in which
the DMA asks, one each for the first beat to arrive and for its first bits, three for the stages
ahead of the stream to fill, three for those behind it to empty, one for the last write."""

PLAIN_CYCLES = 2
"""Clocks of a plain stream beyond latency and one a beat: one to ask, one for the last write."""

OUTSTANDING = 4
"""Bursts that a DMA has in flight at most. It hides any latency up to that of three full bursts."""

LONGEST_LATENCY = (OUTSTANDING - 1) * 256 - 1
"""Up to this many clocks of memory latency the closed forms hold: three bursts of 256 beats pass
while the fourth's answer is on its way (one clock more for reads)."""

READ_CYCLES = 2
"""Clocks of a `ReadDma` from start to the first with `busy` low, beyond beats and latency."""

WRITE_CYCLES = 4
"""The same of a `WriteDma`; its latency is from a burst's last beat to the response."""

PHASE_CYCLES = 1
"""A phase that transfers something ends one clock after the transfer does."""

DECODE_CYCLES = 3
"""A descriptor is judged for so many clocks, and waits longer where its tokens ask for it."""

CHECK_CYCLES = 2
"""Behind the phase of parameters or of a mask, their CRC is checked for so many clocks."""

TAKE_CYCLES = 2
"""The executor takes a descriptor in one clock, behind which the fetcher goes on, and looks at it
in the next."""

HOLD_CYCLES = 1
"""From the first clock in which STOREs that are waited for are complete to the descriptor's own."""

TOKEN_CYCLES = 2
"""The same of a token that the fetcher waits for, to its next phase."""


def array_latency(rows: int) -> int:
    """Clocks from a bit-plane at the array to its column sums: one for the input, one for each
    register stage in the log2(rows) adder levels of a column, one to take its offset away."""
    stages = 0
    while rows > 1:
        rows >>= TREE_LEVELS_A_STAGE
        stages += 1
    return 2 + stages
