"""Bits of a unit under a mask: how many, and back to their places."""

from amaranth import Cat, Const, Module, Signal, Value


def sort_ones(m: Module, bits: list[Value]) -> list[Value]:
    """Bit i is whether `bits` has more than i ones. Halves are sorted and merged."""
    if len(bits) == 1:
        return bits
    half = len(bits) // 2
    a, b = ([Const(1), *sort_ones(m, part)] for part in (bits[:half], bits[half:]))
    result = []
    for ones in range(1, len(bits) + 1):
        sorted_bit = Signal(name="sorted")
        pairs = [a[i] & b[ones - i] for i in range(half + 1) if 0 <= ones - i <= half]
        m.d.comb += sorted_bit.eq(Cat(pairs).any())
        result.append(sorted_bit)
    return result


def deposit(m: Module, bits: Value, under: Value) -> Value:
    """The first bits at the places of `under`'s ones, as `units.DEPOSIT`."""
    counts = [Const(0)]
    for i, bit in enumerate(under):
        count = Signal(range(i + 2), name=f"ones_{i}")
        m.d.comb += count.eq(counts[-1] + bit)
        counts.append(count)
    return Cat(
        bit & bits[: i + 1].bit_select(count, 1)
        for i, (bit, count) in enumerate(zip(under, counts, strict=False))
    )
