"""How one step is cut into bands of output rows and chunks of output channels, by fewest bytes."""

from dataclasses import dataclass
from typing import Protocol

from .bands import height, least_rows, packed, source_beats
from .codec import tile_beats
from .config import Config
from .errors import HfnError
from .modes import Mode
from .program import PARAMETER_BYTES
from .steps import Map, Step

_COUNTS = (*range(1, 9), *(m << k for k in range(1, 10) for m in (5, 6, 7, 8)))  # of chunks


class Streams(Protocol):
    """Sizes of the mask streams."""

    def mode(self, tensor: int) -> Mode: ...

    def codes(self, tensor: int) -> tuple[int, int]: ...

    def beats(self, tensor: int, first_tile: int, tiles: int) -> int: ...


@dataclass(frozen=True)
class Space:
    """What a layer has of the mask buffer: its first `resident` tiles stay there, the rest passes
    through `area` beats. `shared`: what stays is used by other steps too, so that all must cut it
    into the same chunks."""

    resident: int
    area: int
    shared: bool = False


@dataclass(frozen=True)
class Chunk:
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
        self._known = {}

    def tiles(self, step: Step) -> int:
        return -(-step.conv.cout // self.config.columns)

    def tile_words(self, step: Step) -> int:
        """Mask buffer beats of an output tile: all its planes."""
        planes = self.streams.mode(step.conv.tensor).planes
        return planes * tile_beats(step.conv.fan_in, self.config)

    def grain(self, step: Step, groups: bool) -> int:
        """Tiles that chunks are multiples of: 8 channels, and whole `groups` where asked."""
        config = self.config
        grain = max(1, 8 // config.columns, config.group // config.columns if groups else 1)
        return min(grain, self.tiles(step))

    def best(self, step: Step, spilled: tuple[bool, bool, bool], space: Space) -> Tiling | None:
        """`spilled`: source, residual, output. None if there is no way."""
        shape = tuple(None if m is None else self.maps[m]
                      for m in (step.source, step.residual, step.output))  # fmt: skip
        key = (shape, step.conv.tensor, step.pooled, step.kernel, step.stride, spilled, space)
        if key not in self._known:
            self._known[key] = self._best(step, shape, spilled, space)
        return self._known[key]

    def _best(self, step, shape, spilled, space):
        best = None
        floor = self._floor(step, shape, spilled, space)
        for chunk_outer, chunks, waits in self._orders(step, spilled, space):
            for tiling in self._banded(step, shape, spilled, space, chunk_outer, chunks, waits):
                if best is None or tiling.cost < best.cost:
                    best = tiling
            if best and best.cost[:2] == (floor, 0):
                break
        return best

    def _orders(self, step, spilled, space):
        """(chunk_outer, chunks, waits) in order of liking."""
        tiles, config = self.tiles(step), self.config
        if step.pooled:
            yield False, (Chunk(0, tiles, False),), 0
            return
        if step.conv.classifier:
            most = liked = min(config.result_words // config.columns, config.psum_depth)
        else:
            most = config.parameter_channels // config.columns
            liked = most // 2
        words, area = self.tile_words(step), space.area
        whole, fine = self.grain(step, True), self.grain(step, False)
        fixed = None
        if space.shared and space.resident:
            fixed = liked if liked >= whole else most, whole
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

    def groups_of(self, chunk: Chunk) -> tuple[int, int]:
        """Channel groups (first, end) of a chunk's output."""
        parts = self.config.group // self.config.columns
        return chunk.first // parts, -(-(chunk.first + chunk.tiles) // parts)

    def _banded(self, step, shape, spilled, space, chunk_outer, chunks, waits):
        """Tilings of one order, with as many bands in a bank as there is room for, or one."""
        source, residual, output = shape
        config, batch = self.config, self.batch
        columns = residual or output
        groups = columns.groups if columns else 0
        if chunk_outer:
            spans = [self.groups_of(c) for c in chunks]
            groups = min(groups, max(end - first for first, end in spans))
        for slots in (2, 2), (1, 2), (1, 1):
            rows = height(step, shape, spilled, slots, groups, config.bank_words)
            if rows == 0:
                continue
            count = -(-step.rows // rows)
            if step.conv.classifier and count > 1 and not chunk_outer:
                continue
            items = batch * count
            size = 0
            if spilled[0]:
                again = len(chunks) if chunk_outer and items > slots[0] else 1
                size += again * batch * source_beats(step, source, rows)
            size += batch * sum(m.groups * m.beats(m.height) for m, out in
                                ((residual, spilled[1]), (output, spilled[2])) if out)  # fmt: skip
            size += self._fetched(step, space, 1 if chunk_outer else items)
            moves = (spilled[0] + (spilled[1] + spilled[2])) * any(spilled)
            descriptors = items * (len(chunks) * (1 + chunk_outer * moves)
                                   + (not chunk_outer) * moves)  # fmt: skip
            rounds = items * (len(chunks) if chunk_outer else 1)
            late = (spilled[0] and slots[0] == 1 < items) + (
                any(spilled[1:]) and slots[1] == 1 < rounds)  # fmt: skip
            yield Tiling((size * config.bus_bytes, waits + late, descriptors),
                         rows, slots, chunks, chunk_outer)  # fmt: skip

    def _fetched(self, step: Step, space: Space, times: int) -> int:
        """Beats of masks that do not stay and of parameters, where each passes so often.

        Chunks of a coded stream begin at whole beats; that is left out, so that it does not
        outweigh what waits.
        """
        config, conv = self.config, step.conv
        if step.pooled:
            return 0
        rest = self.tiles(step) - space.resident
        beats = times * self.streams.beats(conv.tensor, space.resident, rest) if rest else 0
        if not conv.classifier:
            if self.tiles(step) * config.columns <= config.parameter_channels:
                times = 1
            beats += times * -(-conv.cout * PARAMETER_BYTES // config.bus_bytes)
        return beats

    def _floor(self, step, shape, spilled, space) -> int:
        """Bytes that no tiling is below."""
        beats = 0
        for m, out in zip(shape, spilled, strict=True):
            if out:
                part = m is shape[0] and packed(step, m)
                beats += m.memory_groups * m.beats(step.rows if part else m.height)
        return (self.batch * beats + self._fetched(step, space, 1)) * self.config.bus_bytes

    def refusal(self, step: Step) -> HfnError:
        """Why a step has no tiling, even if everything is spilled."""
        config = self.config
        if not step.pooled:
            beats = self.grain(step, False) * self.tile_words(step)
            if beats > config.mask_words:
                return HfnError(f"{step.name}: mask beats {beats}, the limit is "
                                f"{config.mask_words}: enlarge mask_bytes")  # fmt: skip
        words = 0
        for number in (step.source, step.residual, step.output):
            if number is None:
                continue
            m = self.maps[number]
            rows = m.grain
            if number == step.source:
                rows = 1 if packed(step, m) else min(least_rows(step, m), m.height)
            words = max(words, m.groups * m.stride(rows))
        return HfnError(f"{step.name}: activation words {words}, the limit is "
                        f"{config.bank_words}: enlarge activation_bytes")  # fmt: skip
