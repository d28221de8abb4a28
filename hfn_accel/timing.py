"""Clocks that the datapath takes: numbers and closed forms that RTL, benches and estimator share.

The closed forms take descriptor fields by name, integers or NumPy arrays, and return the like.
"""

import numpy as np

FILL_CYCLES = 2
"""A tile's fill takes its rows' clocks (one each, two with a sign plane) + FILL_CYCLES: one for the
mask buffer to answer, one for the registers between mask, sign and shadow tile."""

TREE_LEVELS_A_STAGE = 2
"""Adder levels between two register stages of the array's column trees."""

SETUP_CYCLES = 2
"""A layer's blocks are reset in one clock and started in the next, which asks for the first fill;
the array then gets its first plane a fill and one clock later."""

BANK_CYCLES = 1
"""From a plane's address to the plane at the array."""

PLANE_CYCLES = 1
"""From the sums of a pixel's last plane to the pixel's contribution."""

PSUM_CYCLES = 2
"""From a contribution to the new partial sum."""

REQUANTISE_CYCLES = 4
"""From a group's accumulators to its activations."""

POOL_CYCLES = 3
"""What POOL takes beyond its planes: the clock of its start, and from its last plane's address to
its last write."""

LOAD_CYCLES = 2
"""From an image's start to its first pixel in the window, beyond the memory's latency."""


def array_latency(rows):
    """Clocks from a bit-plane at the array to its column sums: one for the input, the rest for
    the log2(rows) adder levels of a column (arrays too)."""
    levels = rows.bit_length() - 1 if isinstance(rows, int) else np.frexp(rows)[1] - 1
    return 1 + -(-levels // TREE_LEVELS_A_STAGE)


def period(fields, groups):
    """Clocks of a pixel of a CONV in the last pass; `groups` = C / U."""
    f = fields
    written = np.where(f["raw"], 0, f["out_bits"])
    residual = np.where(f["residual"], f["res_bits"], 0)
    return np.maximum(np.maximum(f["in_bits"], written), np.maximum(residual, groups))


def conv_cycles(fields, rows, columns, units) -> dict:
    """fill, compute, stall and drain of a CONV (docs/architecture.md, Time of a tile): together
    from the clock of its `setup` to that of its last write, both included.

    A strip holds coats * taps * in_tiles tiles. Its tiles but the last stream X pixels of in_bits
    clocks, and the tile after each has `last_rows` rows at the end of a tap and R rows elsewhere;
    its last tile streams X pixels of `period` clocks, and is followed by the first tile of the next
    strip, except at the very end. Waiting is by how much a stream falls short of the clocks that
    tiles begin apart at least, which is what the fill of the next one takes.
    """
    f, groups = fields, columns // units
    in_bits, in_tiles, strips, width = (
        f[n] for n in ("in_bits", "in_tiles", "strips", "out_width")
    )
    taps = f["coats"] * f["kernel_height"] * f["kernel_width"]
    last = period(f, groups)
    single = np.where(in_tiles == 1, 1, 0)
    row = np.where(f["signs"], 2, 1)
    full, short = rows * row + FILL_CYCLES, f["last_rows"] * row + FILL_CYCLES
    first = np.where(single, short, full)  # of a strip
    to_short = taps - single  # followers within a strip with last_rows rows, and with R rows
    to_full = taps * in_tiles - 1 - to_short

    def waiting(pixels):
        """Clocks waited in a strip, and after its last tile."""
        within = to_full * np.maximum(full - pixels * in_bits, 0)
        within = within + to_short * np.maximum(short - pixels * in_bits, 0)
        return within, np.maximum(first - pixels * last, 0)

    within, after = waiting(f["strip_rows"] * width)
    last_within, last_after = waiting(f["last_strip_rows"] * width)
    strip_stalls = (strips - 1) * (within + after) + last_within + last_after
    pixels = ((strips - 1) * f["strip_rows"] + f["last_strip_rows"]) * width
    return {
        "fill": SETUP_CYCLES + first,
        "compute": f["out_tiles"] * pixels * ((taps * in_tiles - 1) * in_bits + last),
        "stall": f["out_tiles"] * strip_stalls - last_after,
        "drain": drain_cycles(f, rows, groups),
    }


def drain_cycles(fields, rows, groups):
    """Clocks from a CONV's last pixel slot to its last write, inclusive; `groups` = C / U. A raw
    layer whose sums stay (`pool` without `close`) takes as long."""
    f = fields
    sums = BANK_CYCLES + array_latency(rows) + PLANE_CYCLES + PSUM_CYCLES
    residual = np.where(f["residual"], f["res_bits"], 1)
    planes = residual + groups + REQUANTISE_CYCLES - 1 + f["out_bits"]
    return sums + np.where(f["raw"], groups, planes) - (period(f, groups) - f["in_bits"])


def pool_cycles(fields):
    """Clocks of a POOL from `start` to its last write, both included."""
    f = fields
    pixels = f["out_height"] * f["out_width"]
    return f["granules"] * pixels * f["kernel"] ** 2 * f["bits"] + POOL_CYCLES


def load_cycles(fields, latency):
    """Clocks of `ReadDma` and `ImageLoader`, started together, until both are idle.

    fields: of IMAGE. A word's pixel takes 8 clocks a granule; so many pixels (zeros beside the row
    included) enter the window one a clock, one of them in the last clock of each word's pixel but
    a row's last.
    """
    f = fields
    used = (f["out_width"] - 1) * f["stride"] + f["taps"]
    row = np.maximum(f["pad"] + f["width"], used) + f["out_width"] * (8 * f["granules"] - 1) + 1
    return LOAD_CYCLES + latency + f["rows"] * row
