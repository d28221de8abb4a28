"""The matrices of `rtl.crc` against zlib; the bench of `Control` runs the hardware."""

import zlib
from random import Random

import pytest

from rtl.crc import BITS, ONES, RESIDUE, columns, crc32


@pytest.mark.parametrize("width", [64, 128])
def test_crc_is_that_of_zlib(width):
    rng = Random(width)
    for count in (0, 1, 2, 7, 100):
        data = rng.randbytes(count * width // 8)
        beats = [int.from_bytes(data[i : i + width // 8], "little")
                 for i in range(0, len(data), width // 8)]  # fmt: skip
        assert crc32(beats, width) == zlib.crc32(data)
        state = ONES  # as the hardware has it: what each bit adds
        for beat in beats:
            new = 0
            for matrix, vector in (columns(width, True), state), (columns(width, False), beat):
                for i, column in enumerate(matrix):
                    new ^= column * (vector >> i & 1)
            state = new
        assert state ^ ONES == zlib.crc32(data)


def test_residue():
    data = Random(1).randbytes(108)
    whole = data + zlib.crc32(data).to_bytes(4, "little")
    assert zlib.crc32(whole) == RESIDUE < 1 << BITS
