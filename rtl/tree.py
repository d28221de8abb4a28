"""Balanced trees over bit-slices.

A *slice* is a value whose bit c belongs to column c; a number a column is a list of slices, least
significant first. So one operator on slices works on all columns at once: the Verilog is short,
simulates fast, and maps to the same full adders as a tree a column.
"""

from amaranth import Module, Signal, Value

from hfn_accel.timing import TREE_LEVELS_A_STAGE


def add(m: Module, a: list[Value], b: list[Value], carry: Value) -> list[Signal]:
    """a + b + carry, for numbers of equally many slices; one slice more than those."""
    result = []
    for x, y in zip(a, b, strict=True):
        half, total, carry_out = (Signal(len(carry), name=n) for n in ("half", "total", "carry"))
        m.d.comb += [
            half.eq(x ^ y),
            total.eq(half ^ carry),
            carry_out.eq((x & y) | (half & carry)),
        ]
        result.append(total)
        carry = carry_out
    return [*result, carry]


def delay(m: Module, slices: list[Value], clocks: int = 1) -> list[Value]:
    """The same slices `clocks` clocks later."""
    for _ in range(clocks):
        registers = [Signal(len(s), name="delayed", reset_less=True) for s in slices]
        m.d.sync += [r.eq(s) for r, s in zip(registers, slices, strict=True)]
        slices = registers
    return slices


def count_latency(levels: int) -> int:
    """Register stages inside `count_ones` over 2^(levels + 1) - 1 slices."""
    return max(0, levels - 1) // TREE_LEVELS_A_STAGE


def count_ones(m: Module, slices: list[Value]) -> list[Value]:
    """Ones a column among 2^(levels + 1) - 1 slices, as a number of levels + 1 slices.

    Each level adds two counts and, as carry, one further slice: as many full adders as slices.
    A register stage stands before every TREE_LEVELS_A_STAGE-th level but the first, so the
    result comes `count_latency(levels)` clocks after the slices, one a clock.
    """
    levels = len(slices).bit_length() - 1
    if len(slices) + 1 != 2 << levels:
        raise ValueError(f"slices must be one fewer than a power of two, not {len(slices)}")
    if levels == 0:
        return list(slices)
    half = len(slices) // 2
    stages = count_latency(levels)
    behind = stages - count_latency(levels - 1)
    a = delay(m, count_ones(m, slices[:half]), behind)
    b = delay(m, count_ones(m, slices[half + 1 :]), behind)
    [carry] = delay(m, slices[half : half + 1], stages)
    return add(m, a, b, carry)
