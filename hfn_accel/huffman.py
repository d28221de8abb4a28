"""Static canonical Huffman codes for bytes of independent bits, one for each of a few densities.

A byte with n ones has the weight p^n (1 - p)^(8 - n), so for any density p < 1/2 the bytes stand in
the same order, `ORDER`: by their number of ones, then by value. Only how many codes have which
length differs from table to table. Lengths are limited by package-merge (Larmore and Hirschberg,
"A Fast Algorithm for Optimal Length-Limited Huffman Codes", Journal of the ACM, 1990), in integers,
so that they are the same everywhere. Every code is complete: any bits decode to some byte.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

MAX_LENGTH = 15
PERCENT = (1, 2, 3, 4, 5, 7, 9, 12, 15, 19, 23, 27, 32, 37, 42)
"""Densities of the tables 1 to 15. Those below 5 are for planes of sign exceptions."""

ORDER = tuple(sorted(range(256), key=lambda byte: (byte.bit_count(), byte)))
"""The bytes, most likely first."""


def code_lengths(weights: list[int], limit: int) -> list[int]:
    """Lengths, ascending, of an optimal prefix code whose codes have at most `limit` bits."""
    leaves = [(weight, (symbol,)) for symbol, weight in enumerate(weights)]
    packages: list[tuple[int, tuple[int, ...]]] = []
    for _ in range(limit):
        packages = [(a[0] + b[0], a[1] + b[1])
                    for a, b in zip(packages[::2], packages[1::2], strict=False)]  # fmt: skip
        packages = sorted(leaves + packages, key=lambda package: package[0])
    lengths = [0] * len(weights)
    for _, symbols in packages[: 2 * len(weights) - 2]:
        for symbol in symbols:
            lengths[symbol] += 1
    return sorted(lengths)


@dataclass(frozen=True)
class Table:
    """A code: `counts[n]` codes have n bits, n = 0...MAX_LENGTH.

    Canonical: codes of one length are consecutive numbers, in `ORDER`, and continue those of
    the lengths before. `limits[n]`: what lies below it, as MAX_LENGTH bits of which the first is
    the most significant, begins with a code of at most n bits. `offsets[n]`: a code of n bits
    as a number, plus this, is its byte's place in ORDER (modulo 256).
    """

    counts: tuple[int, ...]

    @classmethod
    def of(cls, percent: int) -> "Table":
        """The code for bits of which `percent` in a hundred are 1."""
        ones = [byte.bit_count() for byte in ORDER]
        lengths = code_lengths([percent**n * (100 - percent) ** (8 - n) for n in ones], MAX_LENGTH)
        return cls(tuple(lengths.count(n) for n in range(MAX_LENGTH + 1)))

    @cached_property
    def limits(self) -> tuple[int, ...]:
        spans = [count << (MAX_LENGTH - n) for n, count in enumerate(self.counts)]
        return tuple(sum(spans[: n + 1]) for n in range(MAX_LENGTH + 1))

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        return tuple(
            (sum(self.counts[:n]) - (self.limits[n - 1] >> (MAX_LENGTH - n) if n else 0)) % 256
            for n in range(MAX_LENGTH + 1)
        )

    def decode(self, bits: int) -> tuple[int, int]:
        """(length of the code, byte) at the beginning of MAX_LENGTH bits, first bit highest."""
        length = next(n for n, limit in enumerate(self.limits) if bits < limit)
        return length, ORDER[((bits >> (MAX_LENGTH - length)) + self.offsets[length]) % 256]

    @cached_property
    def lookup(self) -> tuple[np.ndarray, np.ndarray]:
        """`decode` of all MAX_LENGTH bits in the stream's order, first bit lowest: two uint8."""
        bits = np.arange(1 << MAX_LENGTH)
        first_highest = sum((bits >> i & 1) << (MAX_LENGTH - 1 - i) for i in range(MAX_LENGTH))
        lengths = np.searchsorted(self.limits, first_highest, side="right")
        places = (first_highest >> (MAX_LENGTH - lengths)) + np.array(self.offsets)[lengths]
        return lengths.astype(np.uint8), np.array(ORDER, np.uint8)[places % 256]

    def mean_bits(self, density: float, places: int = 8) -> float:
        """Expected length of the code of a byte of which the first `places` bits are 1 with that
        probability, independently, and the others 0."""
        byte = np.arange(1 << places)
        ones = np.bitwise_count(byte).astype(int)
        return float((density**ones * (1 - density) ** (places - ones)) @ self.codes[0][byte])

    @cached_property
    def codes(self) -> tuple[np.ndarray, np.ndarray]:
        """(lengths, codes) by byte, uint8 and uint16: a code's first bit is its lowest."""
        lengths, codes = np.zeros(256, np.uint8), np.zeros(256, np.uint16)
        found_lengths, found_bytes = self.lookup
        bytes_, first = np.unique(found_bytes, return_index=True)  # the one with zeros behind
        lengths[bytes_], codes[bytes_] = found_lengths[first], first
        return lengths, codes


TABLES = {number: Table.of(percent) for number, percent in enumerate(PERCENT, 1)}
"""By the number that a descriptor's `code` and `sign_code` carry."""
