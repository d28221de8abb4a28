"""From the decisions about every step to descriptors in program order."""

from dataclasses import dataclass

from ..config import Config
from ..program import BANKS, Opcode, Origin
from .places import Home, Ring, Slots, Workspace
from .residency import Placed, last_uses
from .steps import Map
from .tiling import Chunk, Tiler
from .tokens import Access


@dataclass
class Job:
    """A descriptor between BEGIN and END, but for its tokens.

    masks: tensor, first tile and tiles of the stream that a CONV's mask comes from.
    """

    opcode: Opcode
    fields: dict[str, int]
    access: Access
    note: str
    origin: Origin | None = None
    masks: tuple[int, int, int] | None = None


def needs(jobs: list[Job], config: Config) -> dict[str, int]:
    """BEGIN's requirement fields but for the accumulators."""
    access = [job.access for job in jobs]
    convs = [job.fields for job in jobs if job.opcode == Opcode.CONV]
    parts = [part for a in access for part in (*a.reads, *a.writes)]
    tiles = max(f["out_tiles"] for f in convs if f["raw"])
    sums = [f["strip_rows"] * f["out_width"] for f in convs if not f["raw"]]
    unit = parameter_unit(config)
    channels = max(a.parameters[1] for a in access if a.parameters)
    return {
        "bank_words": max(end for _, _, end in parts),
        "mask_words": max(a.masks[1] for a in access if a.masks),
        "psum_depth": max(tiles, *sums),
        "parameter_channels": -(-channels // unit) * unit,
        "result_words": tiles * config.columns,
    }


def parameter_unit(config: Config) -> int:
    """Channels that parameters are fetched in: whole column tiles and beats."""
    return max(8, config.columns)


class Emitter:
    """What outlives a step: who has which bank, and what the buffers hold."""

    def __init__(self, maps: tuple[Map, ...], placed: list[Placed], tiler: Tiler):
        self.maps, self.tiler, self.config = maps, tiler, tiler.config
        self.placed, self.last = placed, last_uses(tuple(p.step for p in placed))
        self.workspace = Workspace()
        self.homes: dict[int, Home] = {}
        self._banks = list(range(BANKS))  # the longest unused first
        self._buffer = self._passing = Ring(0, self.config.mask_words)
        self._kept, self._fetched = {}, set()
        self._parameters = Ring(0, self.config.parameter_channels, parameter_unit(self.config))

    def begin(self, index: int):
        """Before a step: if masks are shared from here on, what stays of them gets its place."""
        p = self.placed[index]
        if index and self.placed[index - 1].run == p.run:
            return
        self._kept, self._fetched, self._passing = {}, set(), self._buffer
        sizes = {q.step.conv.tensor: q.space.resident * self.tiler.tile_words(q.step)
                 for q in self.placed[index:] if q.run == p.run}  # fmt: skip
        if stays := sum(sizes.values()):
            base = self._buffer.take(stays + p.space.area)
            for tensor, size in sizes.items():
                self._kept[tensor] = base
                base += size
            self._passing = Ring(base, base + p.space.area)

    def end(self, index: int):
        """After a step: maps that nobody reads any more lose their places."""
        for number in [n for n in (*self.homes, *self.workspace.used) if self.last[n] <= index]:
            self.homes.pop(number, None)
            self.workspace.free(number)

    def operands(self, p: Placed) -> list[Home | Slots | None]:
        """Where the step has source, residual and output."""
        busy = {home.bank for home in self.homes.values()}
        found = []
        for role, (number, spilled) in enumerate(zip(p.step.operands, p.spilled, strict=True)):
            place = self.homes.get(number)
            if number is not None and place is None:
                m, bank = self.maps[number], next(b for b in self._banks if b not in busy)
                busy.add(bank)
                place = Home(m, bank)
                if spilled:
                    place = Slots(m, bank, p.tiling.slots[role > 0], self.config.bank_words)
                else:
                    self.homes[number] = place
            found.append(place)
        for place in filter(None, found):
            self._banks.remove(place.bank)
            self._banks.append(place.bank)
        return found

    def masks(self, p: Placed, chunk: Chunk) -> tuple[int, bool]:
        """(mask buffer beat, whether to fetch) of a chunk that is used now."""
        tensor, words = p.step.conv.tensor, self.tiler.tile_words(p.step)
        fetch = not chunk.stays or (tensor, chunk) not in self._fetched
        if chunk.stays:
            self._fetched.add((tensor, chunk))
            base = self._kept[tensor] + chunk.first * words
        else:
            base = self._passing.take(chunk.tiles * words)
        return base, fetch

    def parameters(self, tiles: int) -> int:
        """Parameter buffer channel for so many output tiles."""
        return self._parameters.take(tiles * self.config.columns)
