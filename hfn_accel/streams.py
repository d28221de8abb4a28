"""Mask streams of chunks: their sizes, which the planner needs, and their bytes."""

from functools import lru_cache
from typing import Protocol

import numpy as np

from . import codec
from .config import Config
from .modes import PLAIN, Mode
from .network import Architecture, Graph
from .ticket import Ticket


class Streams(Protocol):
    """Sizes of the mask streams."""

    def mode(self, tensor: int) -> Mode: ...

    def codes(self, tensor: int) -> tuple[int, int]:
        """(code, sign_code)."""

    def beats(self, tensor: int, first_tile: int, tiles: int) -> int:
        """Bus beats of the stream of some output tiles."""

    def ends(self, tensor: int) -> list[int]:
        """Bits of the streams of the first 0, 1, ... output tiles; of plain masks, whole beats."""


class RawStreams:
    """Of a network without a ticket: plain and uncoded."""

    def __init__(self, arch: Architecture | Graph, config: Config):
        self._tile_beats = [codec.tile_beats(conv.fan_in, config) for conv in arch.tensors]
        self._tiles = [-(-conv.cout // config.columns) for conv in arch.tensors]
        self._beat_bits = config.axi_data_width

    def mode(self, tensor: int) -> Mode:
        return PLAIN

    def codes(self, tensor: int) -> tuple[int, int]:
        return 0, 0

    def beats(self, tensor: int, first_tile: int, tiles: int) -> int:
        return tiles * self._tile_beats[tensor]

    def ends(self, tensor: int) -> list[int]:
        tile_bits = self._tile_beats[tensor] * self._beat_bits
        return [n * tile_bits for n in range(self._tiles[tensor] + 1)]


class TicketStreams:
    """Of a ticket: every tensor with the codes of the fewest bits, or uncoded."""

    def __init__(self, ticket: Ticket, config: Config, coded: bool = True):
        self._ticket, self._config = ticket, config
        self._codes, self._ends = [], []  # per tensor; bits up to the end of each tile
        for tensor in range(len(ticket.masks)):
            parts = self._parts(tensor, slice(None))
            codes = codec.choose(*parts, config) if coded else (0, 0)
            bits = codec.tile_bits(*parts, *codes, config)
            self._codes.append(codes)
            self._ends.append([0, *np.cumsum(bits).tolist()])

    def mode(self, tensor: int) -> Mode:
        return self._ticket.modes[tensor]

    def codes(self, tensor: int) -> tuple[int, int]:
        return self._codes[tensor]

    def beats(self, tensor: int, first_tile: int, tiles: int) -> int:
        ends = self._ends[tensor]
        bits = ends[first_tile + tiles] - ends[first_tile]
        return int(codec.stream_beats(bits, self._config))

    def ends(self, tensor: int) -> list[int]:
        return self._ends[tensor]

    def encode(self, tensor: int, first_tile: int, tiles: int) -> bytes:
        """The stream of some output tiles, `beats` long."""
        columns = self._config.columns
        chosen = slice(first_tile * columns, (first_tile + tiles) * columns)
        return codec.encode(*self._parts(tensor, chosen), *self._codes[tensor], self._config)

    @lru_cache(maxsize=4)  # noqa: B019  (a pattern is asked for again by a tensor's chunks)
    def _pattern(self, tensor: int):
        return self._ticket.pattern(tensor)

    def _parts(self, tensor: int, chosen: slice):
        """Mask, sign plane, mode and pattern of some output channels."""
        sign_plane, pattern = self._ticket.sign_planes[tensor], self._pattern(tensor)
        return (
            self._ticket.masks[tensor][chosen],
            None if sign_plane is None else sign_plane[chosen],
            self.mode(tensor),
            None if pattern is None else pattern[chosen],
        )
