"""Registers in a row."""

from amaranth.hdl import Signal


def delayed(m, value, clocks: int, name: str) -> list:
    """`value`, and what it was 1, 2, ..., `clocks` clocks before."""
    values = [value]
    for i in range(clocks):
        values.append(Signal(value.shape(), name=f"{name}_{i + 1}"))
        m.d.sync += values[-1].eq(values[-2])
    return values
