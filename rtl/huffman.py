"""The codes of `hfn_accel.huffman` in hardware: comparisons with what a table's number gives."""

from amaranth import Array, Cat, Const, Module, Signal, Value

from hfn_accel.huffman import MAX_LENGTH, ORDER, TABLES
from hfn_accel.units import UNIT

ALL = 1 << MAX_LENGTH  # above any bits


def _below(m: Module, head: Value, table: Value, name: str, bounds: list[tuple]) -> list[Value]:
    """For each of `bounds`, by table: whether the bits that `head` begins with are below it.

    The bounds are registered: `table` is that of the next clock's head. In table 0 all are below.
    """
    result = []
    for n, values in enumerate(bounds):
        zeros = min((v & -v).bit_length() - 1 for v in values if v)  # in every table
        bound = Signal(MAX_LENGTH + 1 - zeros, name=f"{name}_{n}")
        of_tables = [v >> zeros for v in (ALL, *values)]
        m.d.sync += bound.eq(Array(Const(v, len(bound)) for v in of_tables)[table])
        bits = Cat(reversed(head[: MAX_LENGTH - zeros]))
        below = Signal(name=f"below_{name}_{n}")
        m.d.comb += below.eq(bits < bound)
        result.append(below)
    return result


def code_length(m: Module, head: Value, next_table: Value) -> list[Value]:
    """Whether the code that `head` begins with, in the table of the clock before, has more than 0,
    1...14 bits; none in table 0."""
    limits = [tuple(t.limits[n] for t in TABLES.values()) for n in range(1, MAX_LENGTH)]
    coded = Signal()
    m.d.sync += coded.eq(next_table != 0)
    return [coded, *(~below for below in _below(m, head, next_table, "limit", limits))]


def ones_above(m: Module, head: Value, table: Value) -> list[Value]:
    """Whether the byte that `head` encodes has more than 0, 1...7 ones; none in table 0.

    Bytes stand in the order of their ones, so those of at most k begin below a bound."""
    bounds = []
    for k in range(UNIT):
        count = sum(byte.bit_count() <= k for byte in ORDER)
        bounds.append(tuple(_bound(t, count) for t in TABLES.values()))
    return [~below for below in _below(m, head, table, "ones", bounds)]


def _bound(table, count: int) -> int:
    """What lies below it, as MAX_LENGTH bits, are the first `count` codes."""
    bound = 0
    for n, codes in enumerate(table.counts):
        used = min(codes, count)
        bound, count = bound + (used << (MAX_LENGTH - n)), count - used
    return bound


def to_number(thermometer: list[Value]) -> Value:
    """The number of ones in what has no 1 above a 0; `thermometer` has 2^n or 2^n - 1 bits."""
    t, bits = list(thermometer), []
    step = 1
    while step <= len(t):
        ups = t[step - 1 :: step]  # at step, 2 step...
        terms = [a & ~b for a, b in zip(ups[::2], [*ups[1::2], Const(0)], strict=False)]
        bits.append(Cat(terms).any())
        step *= 2
    return Cat(bits)


def place(head: Value, length: Value, table: Value) -> Value:
    """Place in ORDER of the byte whose code of `length` bits `head` begins with."""
    code = (Cat(reversed(head)) >> ~length)[:UNIT]
    offsets = [0] * 16
    for t in TABLES.values():
        offsets += [t.offsets[n] if t.counts[n] else 0 for n in range(MAX_LENGTH + 1)]
    return (code + Array(Const(v, UNIT) for v in offsets)[Cat(length, table)])[:UNIT]


def byte_at(place: Value) -> Value:
    """ORDER[place]. The second half is the first, backwards and inverted."""
    half = UNIT - 1
    index = place[:half] ^ place[half].replicate(half)
    return Array(Const(v, UNIT) for v in ORDER[: 1 << half])[index] ^ place[half].replicate(UNIT)
