"""The cited tables of energy, and prices of events as intervals over them; see docs/energy.md."""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .errors import HfnError

DATA = Path(__file__).parent / "data"
NODES = (22, 45)  # nm, of the CACTI sweep
ADDERS = {  # by bits; 40 nm, 45 nm
    "aladdin": {32: "adder_32"},
    "horowitz": {8: "int_add_8", 16: "int_add_16", 32: "int_add_32"},
}
DRAMS = {
    "hbm2": ("hbm2_low", "hbm2_high"), "lpddr4": ("lpddr4",), "gddr5": ("gddr5",),
    "horowitz": ("dram_64b_low", "dram_64b_high"), "lpddr": ("lpddr",), "ddr3": ("ddr3",),
}  # fmt: skip


class Constant(NamedTuple):
    """A row of `energy_constants.csv`."""

    item: str
    value: float
    unit: str
    node: str
    source: str


@cache
def constants() -> dict[str, Constant]:
    """The rows of `energy_constants.csv` by item."""
    with open(DATA / "energy_constants.csv", newline="") as file:
        rows = [Constant(**row) for row in csv.DictReader(file)]
    return {row.item: row._replace(value=float(row.value)) for row in rows}


def _known(name: str, value, allowed: Iterable):
    if value not in allowed:
        raise HfnError(f"{name} must be one of {', '.join(map(str, allowed))}, not {value!r}")
    return value


def constant(item: str) -> Constant:
    """A row of `energy_constants.csv`; HfnError, naming the item, if there is none."""
    return constants()[_known("an energy constant", item, constants())]


@cache
def _sweep(node: int, column: str) -> tuple[list[int], list[int], np.ndarray]:
    """Sizes in bytes, widths in bits, and log2 of the column by size and width."""
    _known("node", node, NODES)
    with open(DATA / "sram_cacti7.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if round(float(row["tech_um"]) * 1e3) == node]
    values = {(int(row["size_B"]), int(row["width_bits"])): float(row[column]) for row in rows}
    sizes, widths = (sorted(set(axis)) for axis in zip(*values, strict=True))
    return sizes, widths, np.log2([[values[size, width] for width in widths] for size in sizes])


class Sram:
    """A memory of `size_bytes` and words of `width_bits`, numbers or arrays, by the CACTI sweep.

    Between the sweep's sizes, and between its widths, values are interpolated log-log. Wider words
    are of equal macros side by side, each with its share of the bytes; narrower ones are of the
    narrowest macro, a part of whose word is used. A smaller memory is the smallest macro; a larger
    one is of largest macros, of which an access wakes one and all leak.
    """

    def __init__(self, size_bytes, width_bits):
        sizes, widths, _ = _sweep(NODES[0], "read_pJ")
        width = np.maximum(width_bits, widths[0])
        self.abreast = np.ceil(width / widths[-1])
        size = size_bytes / self.abreast
        self.stacked = np.maximum(size / sizes[-1], 1)
        at_size, at_width = (
            np.interp(np.log2(at), np.log2(axis), range(len(axis)))
            for at, axis in ((np.maximum(size, 1), sizes), (width / self.abreast, widths))
        )
        i, j = np.floor(at_size).astype(int), np.floor(at_width).astype(int)
        x, y = at_size - i, at_width - j
        self._corners = [  # indices, and their shares
            (i, j, (1 - x) * (1 - y)), (i, j + (y > 0), (1 - x) * y),
            (i + (x > 0), j, x * (1 - y)), (i + (x > 0), j + (y > 0), x * y),
        ]  # fmt: skip

    def value(self, column: str, node: int):
        """`read_pJ` or `write_pJ` of a word, or `leak_mW` of the memory, at `node` nm."""
        table = _sweep(node, column)[2]
        one = np.exp2(sum(table[i, j] * share for i, j, share in self._corners))
        return one * self.abreast * (self.stacked if column == "leak_mW" else 1)

    def rows(self, node: int) -> frozenset[str]:
        """The sweep's rows that `value` uses."""
        sizes, widths, table = _sweep(node, "read_pJ")
        used = np.zeros(table.shape, bool)
        for i, j, _ in self._corners:  # one without a share is another one again
            used[i, j] = True
        return frozenset(f"sram_cacti7.csv {node} nm {sizes[i]} B x {widths[j]} bits"
                         for i, j in np.argwhere(used))  # fmt: skip


def sram_read_pj(size_bytes, width_bits, node: int):
    """pJ of reading a word; see `Sram`. HfnError for a node that is not in NODES."""
    return Sram(size_bytes, width_bits).value("read_pJ", node)


def sram_write_pj(size_bytes, width_bits, node: int):
    """pJ of writing a word; see `Sram`. HfnError for a node that is not in NODES."""
    return Sram(size_bytes, width_bits).value("write_pJ", node)


@dataclass(frozen=True)
class Energy:
    """An interval in pJ, of numbers or arrays, and the table rows that it comes from."""

    low: float | np.ndarray = 0.0
    high: float | np.ndarray = 0.0
    rows: frozenset[str] = frozenset()
    __array_ufunc__ = None  # an array times an Energy is an Energy

    @classmethod
    def over(cls, choices: list["Energy"]) -> "Energy":
        """The least interval that contains all of them."""
        low = np.minimum.reduce([choice.low for choice in choices])
        high = np.maximum.reduce([choice.high for choice in choices])
        return cls(low, high, frozenset().union(*(choice.rows for choice in choices)))

    def __add__(self, other: "Energy") -> "Energy":
        return Energy(self.low + other.low, self.high + other.high, self.rows | other.rows)

    def __mul__(self, count) -> "Energy":
        return Energy(self.low * count, self.high * count, self.rows)

    __rmul__ = __mul__


def _of(price: Callable, *items: str) -> Energy:
    """`price` of the values of these constants."""
    pj = price(*(constant(item).value for item in items))
    return Energy(pj, pj, frozenset(f"energy_constants.csv {item}" for item in items))


class Prices:
    """Intervals over all tables or, of a kind, by the one that is named: `dram` of DRAMS, `node` of
    NODES, `adders` of ADDERS. HfnError for another name. Counts and widths may be arrays."""

    def __init__(self, dram: str | None = None, node: int | None = None, adders: str | None = None):
        self.drams = DRAMS if dram is None else [_known("dram", dram, DRAMS)]
        self.nodes = NODES if node is None else [_known("node", node, NODES)]
        self.kinds = ADDERS if adders is None else [_known("adders", adders, ADDERS)]

    def bus(self, bits) -> Energy:
        """Bits to or from memory. Horowitz's figures are of 64 bits."""
        items = [constant(item) for kind in self.drams for item in DRAMS[kind]]
        return bits * Energy.over(
            [_of(lambda v, c=c: v if c.unit == "pJ/bit" else v / 64, c.item) for c in items]
        )

    def sram(self, sram: Sram, column: str) -> Energy:
        """`column` of `Sram.value`; leakage in mW."""
        values = {node: sram.value(column, node) for node in self.nodes}
        return Energy.over([Energy(v, v, sram.rows(node)) for node, v in values.items()])

    def read(self, sram: Sram) -> Energy:
        return self.sram(sram, "read_pJ")

    def write(self, sram: Sram) -> Energy:
        return self.sram(sram, "write_pJ")

    def adder(self, bits) -> Energy:
        """Linear between the widths of a table; below the least and beyond the largest in
        proportion to the bits."""
        return Energy.over([
            _of(lambda *pj, w=[0, *items]: np.interp(bits, w, [0, *pj])
                * np.maximum(bits / w[-1], 1), *items.values())
            for items in (ADDERS[kind] for kind in self.kinds)
        ])  # fmt: skip

    def multiplier(self, bits, by_bits) -> Energy:
        """Quadratic in the width, so linear in the product of both, through the table's two."""
        return _of(lambda a, b: a + (b - a) * (bits * by_bits - 8**2) / (32**2 - 8**2),
                   "int_mult_8", "int_mult_32")  # fmt: skip

    def gates(self, count) -> Energy:
        """Two-input gates."""
        return _of(lambda pj: count / 32 * pj, "bitwise_32")

    def registers(self, bits) -> Energy:
        """Bits that are clocked in."""
        return _of(lambda pj: bits * pj, "register_bit")

    def shifter(self, bits) -> Energy:
        return _of(lambda pj: bits / 32 * pj, "shifter_32")
