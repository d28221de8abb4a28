"""What the energy model counts in an event is what the emitted RTL has."""

import re
from collections import Counter

import numpy as np
import pytest
from amaranth.back import rtlil

from hfn_accel import energy, sequence
from hfn_accel.config import Config
from rtl import accumulate, array, bit_feed, max_pool, psum, requantise, sign_generator


def cells(component) -> list[tuple[str, int, str]]:
    """Kind, width and name of the output of each cell of the component."""
    found = []
    for kind, body in re.findall(r"  cell (\$\w+) \S+\n(.*?)\n  end",
                                 rtlil.convert(component, emit_src=False), re.DOTALL):  # fmt: skip
        width = re.search(r"parameter \\(?:Y_)?WIDTH (\d+)", body)
        output = re.search(r"connect \\[QY] (\S+)", body)
        found.append((kind, int(width[1]) if width else 0, output[1] if output else ""))
    return found


def register_bits(component, names: str = "") -> int:
    """Bits of the registers whose names begin like that."""
    return sum(
        width for kind, width, output in cells(component)
        if kind == "$dff" and re.match(names, output)
    )  # fmt: skip


@pytest.mark.parametrize("columns", [1, 4, 16])
def test_sign_generation_is_that_of_the_rtl(columns):
    generator = sign_generator.SignGenerator(columns)
    # A parity is an $and with the taps before a $reduce_xor; those of `base` work once a tile of
    # output channels, when it jumps, and not once a row.
    text = rtlil.convert(generator, emit_src=False)
    taps = re.findall(r"connect \\A \\state \[63:0\]\n    connect \\B 64'([01]+)", text)
    assert len(taps) == 1 + columns
    assert sum(mask.count("1") - 1 for mask in taps) == energy.sign_gates(columns)
    assert register_bits(generator) == 2 * sequence.BITS  # state, and base, which stands


@pytest.mark.parametrize("rows, columns", [(1, 4), (2, 3), (4, 2), (8, 3), (16, 2), (64, 2)])
def test_the_array_is_that_of_the_rtl(rows, columns):
    found = Counter(kind for kind, width, _ in cells(array.Array(rows, columns))
                    if width == columns)  # fmt: skip
    adders, gates, registers = energy.column_tree(rows)
    bits = rows.bit_length()  # of an offset: a half adder each
    assert found["$xor"] + found["$and"] + found["$or"] == (
        5 * adders + gates + 2 * rows + 2 * bits + bits + 3  # a clear's; what is counted
    )
    latency, values = array.Array(rows, columns).LATENCY, bits + 1
    assert register_bits(array.Array(rows, columns)) == (
        columns * (registers + 4 * rows + latency * bits + values) + rows + latency - 1
    )


@pytest.mark.parametrize("config", [Config(), Config(rows=4, columns=2, accumulator_bits=13)])
def test_registers_are_those_of_the_rtl(config):
    c, a, u = config.columns, config.accumulator_bits, config.units
    value = accumulate.PlaneAccumulator(config.rows, c, a)
    assert value.width == np.log2(config.rows) + 2 + accumulate.MAX_PLANES
    assert register_bits(value, r"\\value_") == c * min(value.width, a)
    sums = psum.PartialSums(config, value.width)
    assert register_bits(sums, r"\\(o_)?values|\\stored|\\older") == c * (2 * value.width + 3 * a)
    assert energy.LOW_BITS == requantise.LOW
    unit = r"\\(?!before|top|valid)"  # which all units share
    assert register_bits(requantise.Requantiser(config), unit) == (
        u * energy.requantiser_registers(a)
    )


def test_widths_are_those_of_the_rtl():
    assert energy.WINDOW_BITS == bit_feed.WINDOW
    wide = Counter(kind for kind, width, output in cells(max_pool.MaxPool(Config(columns=64)))
                   if width == 64 and not re.match(r"\\plane_[1-7]", output))  # fmt: skip
    assert wide["$and"] + wide["$or"] == energy.POOL_GATES
    assert wide["$dff"] == energy.POOL_REGISTERS
