"""The activation banks of the functional simulator: strings of bits."""

import numpy as np

from ..program import BANKS


class Banks:
    """Three banks of `beats` beats of `width` bits, for each of `count` runs.

    `bits`: uint8 (BANKS, count, beats * width) of 0 and 1; bit i of word w is at w * G + i.
    """

    def __init__(self, count: int, beats: int, width: int):
        self.width = width
        self.bits = np.zeros((BANKS, count, beats * width), np.uint8)

    def _lanes(self, bank: int, lanes: int) -> np.ndarray:
        """View (count, addresses, lanes) of a bank's whole units of `lanes` bits."""
        count, size = self.bits[bank].shape
        return self.bits[bank][:, : size // lanes * lanes].reshape(count, -1, lanes)

    def write(self, bank: int, addresses: np.ndarray, values: np.ndarray):
        """Store uint8 values (count, ..., lanes) as planes, the most significant first.

        `addresses`: (..., planes), in units of `lanes`.
        """
        place = self._lanes(bank, values.shape[-1])
        planes = addresses.shape[-1]
        for plane in range(planes):
            place[:, addresses[..., plane]] = values >> (planes - 1 - plane) & 1

    def read(self, bank: int, addresses: np.ndarray, lanes: int) -> np.ndarray:
        """uint8 (count, ..., lanes) from planes at `addresses` (..., planes), as `write`."""
        place = self._lanes(bank, lanes)
        values = place[:, addresses[..., 0]]
        for plane in range(1, addresses.shape[-1]):
            values = values << 1 | place[:, addresses[..., plane]]
        return values

    def load(self, bank: int, beat: int, data: np.ndarray):
        """Store uint8 bytes (count, beats * width / 8) from `beat` on."""
        bits = np.unpackbits(data, axis=1, bitorder="little")
        self.bits[bank][:, beat * self.width :][:, : bits.shape[1]] = bits

    def store(self, bank: int, beat: int, beats: int) -> np.ndarray:
        """uint8 bytes (count, beats * width / 8) from `beat` on."""
        bits = self.bits[bank][:, beat * self.width : (beat + beats) * self.width]
        return np.packbits(bits, axis=1, bitorder="little")
