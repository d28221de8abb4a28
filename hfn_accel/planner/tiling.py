"""How one step is cut into bands of output rows and chunks of output channels, by fewest bytes."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from ..codec import tile_beats
from ..config import Config
from ..errors import HfnError, exceeded
from ..program import PARAMETER_BYTES
from .bands import height, least_words, source_beats
from .steps import Map, Step
from .streams import Streams

_COUNTS = (*range(1, 9), *(m << k for k in range(1, 10) for m in (5, 6, 7, 8)))  # of chunks
_SLOTS = (2, 2), (1, 2), (1, 1)  # bands in a bank, of the source and of others


class Space(NamedTuple):
    """What a layer has of the mask buffer: its first `resident` tiles stay there, the rest passes
    through `area` beats. `chunk`: tiles in which what stays is cut, since other steps use it too;
    0 if it is this step's alone."""

    resident: int
    area: int
    chunk: int = 0


class Chunk(NamedTuple):
    """Output tiles `first`... of a step; `stays`: their masks do, in the buffer."""

    first: int
    tiles: int
    stays: bool


@dataclass(frozen=True)
class Tiling:
    """cost: (bytes moved, what waits because it has no second buffer, descriptors).

    height: rows of a band. slots: bands that a bank holds, of the source and of others.
    chunk_outer: all bands of all images pass a chunk before the next, else all chunks a band.
    """

    cost: tuple[int, int, int]
    height: int
    slots: tuple[int, int]
    chunks: tuple[Chunk, ...]
    chunk_outer: bool


class Tiler:
    """The best tiling of every step, by what of it is spilled and by its space for masks."""

    def __init__(self, config: Config, batch: int, maps: tuple[Map, ...], streams: Streams):
        self.config, self.batch, self.maps, self.streams = config, batch, maps, streams
        first = {}
        self._alike = {None: None} | {n: first.setdefault(m, n) for n, m in enumerate(maps)}
        self._known, self._tile_words = {}, {}

    def tiles(self, step: Step) -> int:
        return -(-step.conv.cout // self.config.columns)

    def tile_words(self, step: Step) -> int:
        """Mask buffer beats of an output tile: all its planes."""
        tensor = step.conv.tensor
        if tensor not in self._tile_words:
            beats = tile_beats(step.conv.fan_in, self.config)
            self._tile_words[tensor] = self.streams.mode(tensor).planes * beats
        return self._tile_words[tensor]

    def grain(self, step: Step, groups: bool) -> int:
        """Tiles that chunks are multiples of: 8 channels, and whole `groups` where asked."""
        config = self.config
        grain = max(1, 8 // config.columns, config.group // config.columns if groups else 1)
        return min(grain, self.tiles(step))

    def groups_of(self, chunk: Chunk) -> tuple[int, int]:
        """Channel groups (first, end) of a chunk's output."""
        parts = self.config.group // self.config.columns
        return chunk.first // parts, -(-(chunk.first + chunk.tiles) // parts)

    def shared_chunk(self, step: Step, spilled) -> int:
        """Most tiles of the chunks in which all steps that share what stays can cut it."""
        most, liked = self._limits(step)
        whole, shape = self.grain(step, True), self._shape(step)
        size = (liked if liked >= whole else most) // whole * whole
        while size > whole and self.config.bank_words < least_words(
            step, shape, spilled, self.groups_of(Chunk(0, size, True))[1]
        ):
            size -= whole
        return size

    def best(self, step: Step, spilled: tuple[bool, bool, bool], space: Space) -> Tiling | None:
        """`spilled`: source, residual, output. None if there is no way."""
        alike = self._alike  # what a step takes depends on its weights and on its maps' shapes
        key = (step.conv.tensor, step.pooled, *(alike[n] for n in step.operands), spilled, space)
        if key not in self._known:
            self._known[key] = self._best(step, spilled, space)
        return self._known[key]

    def _best(self, step, spilled, space):
        config, shape = self.config, self._shape(step)
        source, *others = shape
        moves = [m.size for m, out in zip(others, spilled[1:], strict=True) if out]
        read = source_beats(step, source, step.rows) if spilled[0] else 0  # in one band
        masks, parameters = self._masks(step, space), self._parameters(step)
        again = self.tiles(step) * config.columns > config.parameter_channels
        least = (self.batch * (read + sum(moves)) + masks + parameters) * config.bus_bytes
        slots = dict.fromkeys((a if spilled[0] else 2, b if moves else 2) for a, b in _SLOTS)
        best, cut = None, {}
        for chunk_outer, chunks, waits in self._orders(step, spilled, space):
            groups = self._groups(step, chunks, chunk_outer)
            for both in slots:
                if (both, groups) not in cut:
                    cut[both, groups] = self._banded(step, shape, spilled, both, groups)
                rows, count, beats = cut[both, groups]
                if rows == 0 or step.conv.classifier and count > 1 and not chunk_outer:
                    continue
                items = self.batch * count
                if chunk_outer:
                    rounds, times, moved = items * len(chunks), 1, len(chunks)
                else:
                    rounds, times, moved = items, items, 1
                size = self.batch * sum(moves) + times * masks
                size += (times if again else 1) * parameters
                size += self.batch * beats * (moved if items > both[0] else 1)
                late = (both[0] == 1 < items) + (both[1] == 1 < rounds)
                descriptors = items * len(chunks) + rounds * (spilled[0] + len(moves))
                cost = size * config.bus_bytes, waits + late, descriptors
                if best is None or cost < best.cost:
                    best = Tiling(cost, rows, both, chunks, chunk_outer)
                if count == 1:
                    break  # one band in a bank is not better
            if best and best.cost[:2] == (least, 0):
                break
        return best

    def _orders(self, step, spilled, space):
        """(chunk_outer, chunks, waits) in order of liking."""
        tiles = self.tiles(step)
        if step.pooled:
            yield False, (Chunk(0, tiles, False),), 0
            return
        most, liked = self._limits(step)
        words, area = self.tile_words(step), space.area
        whole, fine = self.grain(step, True), self.grain(step, False)
        fixed = (space.chunk, whole) if space.chunk else None
        for limit, half, waits in ((liked, area // 2, 0), (most, area, 1)):
            # a chunk that stays needs no second buffer
            passing = min(limit, half // words) if space.resident < tiles else limit
            if passing >= fine:
                kept = fixed or (limit, fine)
                yield False, self._cut(tiles, space, kept, (passing, fine)), waits
                break
        grain = whole if any(spilled[1:]) else fine
        sizes = {-(-tiles // (n * grain)) * grain: None for n in _COUNTS}
        for size in sizes:
            if size <= most and (size * words <= area or space.resident == tiles):
                waits = int(size > liked or space.resident < tiles and 2 * size * words > area)
                kept = fixed or (size, grain)
                yield True, self._cut(tiles, space, kept, (size, grain)), waits

    @staticmethod
    def _cut(tiles, space, kept, passing) -> tuple[Chunk, ...]:
        """Equal chunks, each of the two kinds of at most so many tiles, in multiples of others."""
        chunks = []
        for first, end, (most, grain) in ((0, space.resident, kept),
                                          (space.resident, tiles, passing)):  # fmt: skip
            if end > first:
                count = -(-(end - first) // (most // grain * grain))
                size = -(-(end - first) // (count * grain)) * grain
                chunks += [Chunk(at, min(size, end - at), end <= space.resident)
                           for at in range(first, end, size)]  # fmt: skip
        return tuple(chunks)

    def _banded(self, step, shape, spilled, slots, groups) -> tuple[int, int, int]:
        """Rows of a band (0: there is no way), bands, and beats of the source that they take."""
        rows = height(step, shape, spilled, slots, groups, self.config.bank_words)
        if rows == 0:
            return 0, 0, 0
        beats = source_beats(step, shape[0], rows) if spilled[0] else 0
        return rows, -(-step.rows // rows), beats

    def _groups(self, step: Step, chunks, chunk_outer: bool) -> int:
        """Channel groups of residual and output that are in a bank at a time."""
        if step.output is None:
            return 0
        groups = self.maps[step.output].groups
        if chunk_outer:
            groups = min(groups, max(end - first for first, end in map(self.groups_of, chunks)))
        return groups

    def _limits(self, step: Step) -> tuple[int, int]:
        """Tiles of a chunk: the most, and so many that the next one finds room."""
        config = self.config
        if step.conv.classifier:
            most = min(config.result_words // config.columns, config.psum_depth)
            return most, most
        most = config.parameter_channels // config.columns
        return most, most // 2

    def _shape(self, step: Step) -> tuple[Map | None, ...]:
        """Source, residual and output."""
        return tuple(None if n is None else self.maps[n] for n in step.operands)

    def _masks(self, step: Step, space: Space) -> int:
        """Beats of the masks that do not stay.

        Chunks of a coded stream begin at whole beats; that is left out, so that it does not
        outweigh what waits.
        """
        rest = 0 if step.pooled else self.tiles(step) - space.resident
        return self.streams.beats(step.conv.tensor, space.resident, rest) if rest else 0

    def _parameters(self, step: Step) -> int:
        """Beats of all parameters."""
        if step.pooled or step.conv.classifier:
            return 0
        return -(-step.conv.cout * PARAMETER_BYTES // self.config.bus_bytes)

    def spilled(self, step: Step, bank: int) -> tuple[bool, bool, bool]:
        """Which of source, residual and output do not fit a bank of so many words."""
        return tuple(n is not None and not self._words(n) <= bank for n in step.operands)

    def _words(self, number: int) -> float:
        """Words of a bank that a map takes; the input is never in one."""
        m = self.maps[number]
        return math.inf if m.image else self.batch * m.groups * m.stride(m.height)

    def refusal(self, step: Step) -> HfnError:
        """Why a step has no tiling, however little of the masks stays."""
        config, chunks, chunk_outer = self.config, (), False
        if not step.pooled:
            words = self.tile_words(step)
            least = words * self.grain(step, False)
            if least > config.mask_words:
                return exceeded(step.name, "mask bytes", least * config.bus_bytes,
                                config.mask_bytes, "mask_bytes")  # fmt: skip
            chunks = (Chunk(0, self.grain(step, True), False),)
            chunk_outer = words * chunks[0].tiles <= config.mask_words
        shape, groups = self._shape(step), self._groups(step, chunks, chunk_outer)
        banks = config.bank_words, *(self._words(n) for n in step.operands if n is not None)
        words = min(max(bank, least_words(step, shape, self.spilled(step, bank), groups))
                    for bank in banks)  # fmt: skip
        return exceeded(step.name, "activation bytes", -(-words * config.group // 8),
                        config.activation_bytes, "activation_bytes")  # fmt: skip
