"""Clocks that blocks take: the numbers and closed forms that RTL, benches and estimator share."""

import numpy as np

from .config import Config

FILL_CYCLES = 2
"""A tile's fill takes `rows(tile) + FILL_CYCLES` clocks from the start of the tile before it: one
for the mask buffer to answer, one for the registers between mask, sign and shadow tile."""

TREE_LEVELS_A_STAGE = 2
"""Adder levels between two register stages of the array's column trees."""


def array_latency(rows):
    """Clocks from a bit-plane at the array to its column sums: one for the input, the rest for
    the log2(rows) adder levels of a column (arrays too)."""
    levels = rows.bit_length() - 1 if isinstance(rows, int) else np.frexp(rows)[1] - 1
    return 1 + -(-levels // TREE_LEVELS_A_STAGE)


def bursts(config: Config, address, beats):
    """AXI bursts of a transfer of `beats` > 0 bus beats from byte `address` on (arrays too)."""
    size = config.burst_bytes
    return (address + beats * config.bus_bytes - 1) // size - address // size + 1


def read_cycles(config: Config, address, beats, latency):
    """Clocks of a `ReadDma` from start to the first clock with busy low (arrays too).

    `latency`: clocks from an accepted address to its first beat; then one beat a clock.
    """
    return beats + bursts(config, address, beats) * latency + 1


def write_cycles(config: Config, address, beats, latency):
    """Clocks of a `WriteDma` from start to the first clock with busy low (arrays too).

    `latency`: clocks from a burst's last beat to its response; a beat is always at hand.
    """
    return beats + bursts(config, address, beats) * (latency + 1) + 1


def load_cycles(config: Config, address, pixels, granules, latency):
    """Clocks of `ReadDma` and `ImageLoader`, started together, until both are idle (arrays too).

    A beat takes D/4 clocks a granule. The loader holds one, so a burst's latency hides behind its
    processing; a pixel takes 8 clocks a granule, the image's last beat only those in use.
    """
    beat_pixels = config.bus_bytes // 4
    beats = (pixels + beat_pixels - 1) // beat_pixels
    count = bursts(config, address, beats)
    beat_cycles = beat_pixels * 8 * granules
    between = np.maximum(beat_cycles, latency + 1)
    last = (pixels - (beats - 1) * beat_pixels) * 8 * granules
    return 2 + latency + (beats - count) * beat_cycles + (count - 1) * between + last


PHASE_OVERHEAD = 1
"""A phase that transfers something ends one clock after the transfer does."""

DECODE_CYCLES = 1
"""A descriptor is looked at for one clock after it was fetched."""

NEXT_CYCLES = 1
"""Every descriptor but END is left through one clock that counts it."""

SETUP_CYCLES = 2
"""A layer's blocks are reset in one clock and started in the next, which asks for the first fill;
the array then gets its first plane `rows + FILL_CYCLES + 1` clocks later."""

RESTART_CYCLES = 2
"""Tiles begin at least `rows(next tile) + FILL_CYCLES + RESTART_CYCLES` clocks apart: a tile's
fill is asked for one clock after the first plane of the tile before, and is taken one clock
before its own first plane."""

BANK_CYCLES = 1
"""From a plane's address to the plane at the array."""

PLANE_CYCLES = 1
"""From the sums of a pixel's last plane to the pixel's contribution."""

PSUM_CYCLES = 2
"""From a contribution to the new partial sum."""

REQUANTISE_CYCLES = 4
"""From a group's accumulators to its activations."""


def drain_cycles(rows, in_bits, out_bits, residual_bits, groups, period, raw):
    """Clocks from a layer's last pixel slot to its last write, inclusive (arrays too).

    `residual_bits`: planes of the residual, 1 where there is none; `groups`: C / U; `period`:
    clocks of a pixel in the last pass; `raw`: accumulators instead of planes are written.
    """
    sums = BANK_CYCLES + array_latency(rows) + PLANE_CYCLES + PSUM_CYCLES
    written = np.where(raw, groups, residual_bits + groups + REQUANTISE_CYCLES - 1 + out_bits)
    return sums + written - (period - in_bits)
