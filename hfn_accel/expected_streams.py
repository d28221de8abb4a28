"""Mask streams of networks without a ticket: the sizes to expect of independent weights.

A stream's size follows from its bits; without bits there is its expectation, if every weight is in
the mask with the same probability, independently, as in a random ticket. Tickets that were searched
for are as good as independent (docs/codec.md): what differs is the density from tensor to tensor.
"""

import math
from functools import lru_cache

from . import codec
from .config import Config
from .huffman import TABLES
from .modes import FROZEN_PARTS, Mode
from .network import Conv
from .program import Signs
from .random_ticket import EXCEPTIONS
from .units import UNIT, unit_bits


class ExpectedStreams:
    """`streams.Streams` of tensors of one density each; sizes are rounded up to bits.

    tensors: as `Architecture.tensors`; modes: one each. density: fraction of weights in the first
    coat; of N coats, coat i has (N + 1 - i) / N of it, as in `random_ticket`. coded: whether planes
    may be coded; then each has the table of the fewest bits, or none where none has fewer.
    """

    def __init__(self, tensors: tuple[Conv, ...], modes, config: Config, density: float,
                 coded: bool = True):  # fmt: skip
        self._modes, self._config = tuple(modes), config
        self._codes, self._ends, known = [], [], {}
        for conv, mode in zip(tensors, self._modes, strict=True):
            key = conv.cout, conv.fan_in, mode
            if key not in known:
                known[key] = _sizes(conv, mode, config, density, coded)
            codes, ends = known[key]
            self._codes.append(codes)
            self._ends.append(ends)

    def mode(self, tensor: int) -> Mode:
        return self._modes[tensor]

    def codes(self, tensor: int) -> tuple[int, int]:
        return self._codes[tensor]

    def ends(self, tensor: int) -> list[int]:
        return self._ends[tensor]

    def beats(self, tensor: int, first_tile: int, tiles: int) -> int:
        ends = self._ends[tensor]
        bits = ends[first_tile + tiles] - ends[first_tile]
        return int(codec.stream_beats(bits, self._config))


def _sizes(conv: Conv, mode: Mode, config: Config, density: float, coded: bool):
    """((code, sign_code), bits up to the end of each output tile)."""
    tiles, last = -(-conv.cout // config.columns), -conv.cout % config.columns
    codes, full, short = _rates(tiles, config.columns - last, mode, config.columns, density,
                                coded and unit_bits(config) == UNIT)  # fmt: skip
    if codec.is_plain(mode, codes[0]):
        bits = codec.tile_beats(conv.fan_in, config) * config.axi_data_width
        return codes, [n * bits for n in range(tiles + 1)]
    ends = [conv.fan_in * full * n for n in range(tiles)]
    ends.append(conv.fan_in * (full * (tiles - 1) + short))
    return codes, [math.ceil(end - 1e-6) for end in ends]


@lru_cache(maxsize=4096)
def _rates(tiles: int, last: int, mode: Mode, columns: int, density: float, coded: bool):
    """Codes, and expected bits of a full output tile and of the last one, of `last` channels, for
    each weight of their fan-in. The codes are those of the fewest bits, raw if none has fewer."""

    def bits(codes):
        full, short = (_rate(n, mode, codes, columns, density) for n in (columns, last))
        return full * (tiles - 1) + short, full, short

    best, codes = bits((0, 0)), (0, 0)
    for which, allowed in ((0, not mode.frozen), (1, mode.signs != Signs.SEQUENCE)):
        for table in TABLES if allowed and coded else ():
            tried = (table, 0) if which == 0 else (codes[0], table)
            if (found := bits(tried))[0] < best[0]:
                best, codes = found, tried
    return codes, *best[1:]


def _rate(channels: int, mode: Mode, codes, columns: int, density: float) -> float:
    """Expected bits of an output tile with so many channels, for each weight of its fan-in."""
    unit, density = min(UNIT, columns), min(density, 1 - mode.pruned / FROZEN_PARTS)
    units = [min(unit, max(channels - u, 0)) for u in range(0, columns, unit)]
    if codes[0]:
        bits = sum(_plane(codes[0], density, real) for real in units)
    elif mode.frozen:
        bits = channels * (1 - mode.frozen / FROZEN_PARTS)
    else:
        bits = columns
    for coat in range(1, mode.coats):  # raw under the coat before
        bits += channels * density * (mode.coats + 1 - coat) / mode.coats
    if mode.signs != Signs.SEQUENCE and codes[1]:
        share = density * (EXCEPTIONS if mode.signs == Signs.EXCEPTIONS else 0.5)
        bits += sum(_plane(codes[1], share, real) for real in units)
    elif mode.signs != Signs.SEQUENCE:
        bits += channels * density  # raw under the mask
    return bits


@lru_cache(maxsize=4096)
def _plane(table: int, density: float, real: int) -> float:
    """Expected bits of a coded unit of which the first `real` bits may be 1."""
    return TABLES[table].mean_bits(density, real)
