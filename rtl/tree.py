"""Balanced trees over bit-slices.

A *slice* is a value whose bit c belongs to column c; a number a column is a list of slices, least
significant first. So one operator on slices works on all columns at once: the Verilog is short and
simulates fast, and four rows of a tree map to three look-up tables of four inputs a column.
"""

from amaranth import Module, Signal, Value

from hfn_accel.timing import TREE_LEVELS_A_STAGE


def add_counts(m: Module, a: list[Value], b: list[Value]) -> list[Signal]:
    """a + b, for counts of equally many slices that are at most a power of two: the top slice is
    alone in having a one where it has one. The sum is another such count, of one slice more."""
    *low_a, top_a = a
    *low_b, top_b = b
    result, carry = [], None
    for x, y in zip(low_a, low_b, strict=True):
        half, total, carry_out = (Signal(len(x), name=n) for n in ("half", "total", "carry"))
        m.d.comb += half.eq(x ^ y)
        if carry is None:
            m.d.comb += [total.eq(half), carry_out.eq(x & y)]
        else:
            m.d.comb += [total.eq(half ^ carry), carry_out.eq((x & y) | (half & carry))]
        result.append(total)
        carry = carry_out
    one, two = (Signal(len(top_a), name=n) for n in ("one", "two"))
    either = top_a ^ top_b
    m.d.comb += [one.eq(either if carry is None else either | carry), two.eq(top_a & top_b)]
    return [*result, one, two]


def delay(m: Module, slices: list[Value], clocks: int = 1) -> list[Value]:
    """The same slices `clocks` clocks later."""
    for _ in range(clocks):
        registers = [Signal(len(s), name="delayed", reset_less=True) for s in slices]
        m.d.sync += [r.eq(s) for r, s in zip(registers, slices, strict=True)]
        slices = registers
    return slices


def count_ones(m: Module, slices: list[Value]) -> list[Value]:
    """Ones a column among 2^levels slices, as a number of levels + 1 slices.

    A register stage stands behind every TREE_LEVELS_A_STAGE levels and behind the last level: the
    result comes ceil(levels / TREE_LEVELS_A_STAGE) clocks after the slices, one a clock.
    """
    if not slices or len(slices) & (len(slices) - 1):
        raise ValueError(f"slices must be a power of two, not {len(slices)}")
    counts, level = [[s] for s in slices], 0
    while len(counts) > 1:
        counts = [add_counts(m, a, b) for a, b in zip(counts[::2], counts[1::2], strict=True)]
        level += 1
        if level % TREE_LEVELS_A_STAGE == 0 or len(counts) == 1:
            counts = [delay(m, count) for count in counts]
    return counts[0]
