"""One step's descriptors, in an order in which fetching, computing and storing overlap."""

from dataclasses import dataclass

from ..images import LOGIT_BYTES, image_stride, logits_stride
from ..program import Opcode, Origin
from . import fields
from .bands import bands, packed, window
from .emitter import Emitter, Job
from .places import Slots
from .residency import Placed
from .tiling import Chunk
from .tokens import Access


@dataclass(frozen=True)
class Round:
    """Some chunks of one band (output rows first, end) of an image of the batch; `groups`: those of
    residual and output that are in the bank."""

    image: int
    rows: tuple[int, int]
    chunks: tuple[Chunk, ...]
    groups: tuple[int, int]


class StepEmitter:
    """`jobs` of a step; `bipolar`: of its source."""

    def __init__(self, emitter: Emitter, p: Placed, bipolar: bool):
        self.e, self.p, self.step, self.bipolar = emitter, p, p.step, bipolar
        self.config = emitter.config
        self.source, self.residual, self.output = emitter.operands(p)
        self.jobs: list[Job] = []
        self._in_masks, self._in_parameters = {}, {}  # places of chunks that rounds share
        self._all_parameters = None
        rounds = self._rounds()
        self._again = len(rounds) > 1
        if self.spills(self.output):
            size = emitter.tiler.batch * self.output.map.size * self.config.bus_bytes
            emitter.workspace.take(self.step.output, size)
        self._load(rounds[0], early=None)
        for at, this in enumerate(rounds):
            if at:
                self._load(this, early=False)
            for n, chunk in enumerate(this.chunks):
                self._execute(this, chunk)
                if n == 0 and at + 1 < len(rounds):
                    self._load(rounds[at + 1], early=True)
            if self.spills(self.output):
                self._store(this)

    @staticmethod
    def spills(place) -> bool:
        return isinstance(place, Slots)

    def _rounds(self) -> list[Round]:
        tiler, p = self.e.tiler, self.p
        items = [(i, rows) for i in range(tiler.batch)
                 for rows in bands(self.step.rows, p.tiling.height)]  # fmt: skip
        chunks = p.tiling.chunks
        if p.tiling.chunk_outer:
            return [Round(i, rows, (c,), tiler.groups_of(c)) for c in chunks for i, rows in items]
        groups = (0, self.output.map.groups if self.output else 0)
        return [Round(i, rows, chunks, groups) for i, rows in items]

    def _source_rows(self, this: Round) -> tuple[int, int]:
        """Rows (first, end) of the source that are in the bank as rows 0..., unless `packed`."""
        m = self.source.map
        if not self.spills(self.source):
            return 0, m.height
        return this.rows if packed(self.step, m) else window(self.step, m, *this.rows)

    def _bands(self, this: Round):
        """(place, its band, its number) of source and residual that are spilled."""
        if self.spills(self.source):
            band = (this.image, *self._source_rows(this), 0, self.source.map.groups)
            yield self.source, band, self.step.source
        if self.spills(self.residual):
            yield self.residual, (this.image, *this.rows, *this.groups), self.step.residual

    def _load(self, this: Round, early: bool | None):
        """Bands for a round; `early`: those that a second slot is free for, or the others."""
        for place, band, number in self._bands(this):
            if early in (None, len(place.held) > 1) and place.take(band):
                self._transfer(Opcode.LOAD, place, band, number)

    def _store(self, this: Round):
        band = (this.image, *this.rows, *this.groups)
        self._transfer(Opcode.STORE, self.output, band, self.step.output)

    def _transfer(self, opcode: Opcode, place: Slots, band, number: int):
        """IMAGE or LOAD of a band of map `number`, or its STORE."""
        m, (image, low, high, first, end) = place.map, band
        base, stride = place.view(band, first)
        part = (place.bank, *place.span(band))
        text = f"{self.step.name}: {m.name}{self._part(image, (low, high), m.height)}"
        if m.image:
            address = image * image_stride(m.height**2)
            values = fields.image(m, self.step, self.config, (low, high), place.bank, base, stride,
                                  address)  # fmt: skip
            self._add(Opcode.IMAGE, values, Access(writes=(part,)), text)
            return
        address = self.e.workspace.used[number][0] + image * m.size * self.config.bus_bytes
        pieces = [(low, high, base)]
        if place is self.source and packed(self.step, m):
            pieces = [(y * self.step.stride, y * self.step.stride + 1,
                       base + (y - low) * m.row_words) for y in range(low, high)]  # fmt: skip
        for low, high, base in pieces:
            values = fields.transfer(m, self.config, (low, high), (first, end), place.bank, base,
                                     stride, address)  # fmt: skip
            memory = ((number, image), (first, end, low, high))
            side = "writes" if opcode == Opcode.LOAD else "reads"
            self._add(opcode, values, Access(memory=memory, **{side: (part,)}), text)

    def _part(self, image: int, rows: tuple[int, int], all_rows: int) -> str:
        """What part of a map, in words; nothing if it is the whole."""
        text = f" image {image}" if self.e.tiler.batch > 1 else ""
        return text + (f" rows {rows[0]}-{rows[1] - 1}," if rows != (0, all_rows) else "")

    def _execute(self, this: Round, chunk: Chunk):
        """The CONV or POOL of a chunk of a round."""
        step, (low, high), m = self.step, this.rows, self.source.map
        first, end = self.e.tiler.groups_of(chunk)
        rows = self._source_rows(this)
        if self.spills(self.source):
            band = (this.image, *rows, 0, m.groups)
            base, stride = self.source.view(band, 0)
            part = self.source.span(band)
        else:
            base, stride = self.source.view(this.image, 0, 0)
            part = self.source.span(this.image)
        if self.spills(self.source) and packed(step, m):
            skip, y_first = 1, 0
        else:
            skip, y_first = step.stride, low * step.stride - step.pad - rows[0]
        values = {"src_bank": self.source.bank, **fields.source(
            m, step, rows[1] - rows[0], skip, y_first, base, stride)}  # fmt: skip
        reads, writes = [(self.source.bank, *part)], []
        for place, prefix, name in ((self.residual, "res", "res"), (self.output, "dst", "out")):
            if place is None:
                continue
            if self.spills(place):
                band = (this.image, low, high, *this.groups)
                if place is self.output:
                    place.take(band)
                base, stride = place.view(band, first)
                part = (place.view(band, first)[0], place.view(band, end)[0])
            else:
                base, stride = place.view(this.image, first, low)
                part = place.span(this.image)
            (writes if place is self.output else reads).append((place.bank, *part))
            values |= {f"{prefix}_bank": place.bank, f"{prefix}_base": base,
                       f"{name}_group_stride": stride}  # fmt: skip
        origin = Origin(step.conv.norm, step.pooled, this.image, low,
                        chunk.first * self.config.columns)  # fmt: skip
        if step.pooled:
            values |= fields.pool(m, step, self.config, this.rows)
            self._add(Opcode.POOL, values, Access(reads=tuple(reads), writes=tuple(writes)),
                      f"{step.name}:{self._part(this.image, this.rows, step.rows)}",
                      origin)  # fmt: skip
            return
        self._conv(this, chunk, values, reads, writes, origin)

    def _conv(self, this: Round, chunk: Chunk, values, reads, writes, origin: Origin):
        """What only a CONV has: masks, parameters, requantisation or logits."""
        e, config, step, conv = self.e, self.config, self.step, self.step.conv
        streams, tensor = e.tiler.streams, conv.tensor
        mask_base, fetch_mask, kept = self._masks(chunk)
        values |= fields.conv(self.source.map, step, config, this.rows, values["stride"],
                              chunk.first, chunk.tiles, streams.mode(tensor),
                              streams.codes(tensor))  # fmt: skip
        values |= {"mask_base": mask_base, "fetch_mask": int(fetch_mask),
                   "mask_beats": streams.beats(tensor, chunk.first, chunk.tiles),
                   "bipolar": int(self.bipolar)}  # fmt: skip
        words = chunk.tiles * e.tiler.tile_words(step)
        parameters, fetch = None, False
        if conv.classifier:
            values |= {"open": int(this.rows[0] == 0), "close": int(this.rows[1] == step.rows),
                       "parameter_address": this.image * logits_stride(conv.cout)
                       + chunk.first * config.columns * LOGIT_BYTES}  # fmt: skip
        else:
            base, fetch = self._parameters(chunk)
            parameters = (base, base + chunk.tiles * config.columns)
            values |= {"out_bits": self.output.map.bits, "parameter_base": base,
                       "fetch_parameters": int(fetch)}  # fmt: skip
        if self.residual:
            values |= {"residual": 1, "res_bits": self.residual.map.bits}
        access = Access(reads=tuple(reads), writes=tuple(writes), parameters=parameters,
                        masks=(mask_base, mask_base + words),
                        fetches=(fetch_mask, fetch))  # fmt: skip
        text = f"{step.name}:{self._part(this.image, this.rows, step.rows)}"
        if chunk.tiles < e.tiler.tiles(step):
            text += f" channels {origin.channel}-{origin.channel + values['out_channels'] - 1},"
        self._add(Opcode.CONV, values, access, f"{text} {kept}", origin,
                  (tensor, chunk.first, chunk.tiles))  # fmt: skip

    def _masks(self, chunk: Chunk) -> tuple[int, bool, str]:
        """(mask buffer beat, whether to fetch, what happens in words)."""
        if chunk in self._in_masks:
            return self._in_masks[chunk], False, "mask still on chip"
        base, fetch = self.e.masks(self.p, chunk)
        if chunk.stays or self.p.tiling.chunk_outer:
            self._in_masks[chunk] = base
        if not fetch:
            return base, False, "mask still on chip"
        return base, True, "mask fetched, stays" if chunk.stays else "mask fetched, passes"

    def _parameters(self, chunk: Chunk) -> tuple[int, bool]:
        """(parameter buffer channel, whether to fetch)."""
        if chunk in self._in_parameters:
            return self._in_parameters[chunk], False
        tiles, columns = self.e.tiler.tiles(self.step), self.config.columns
        if self.p.tiling.chunk_outer:
            self._in_parameters[chunk] = base = self.e.parameters(chunk.tiles)
        elif self._again and tiles * columns <= self.config.parameter_channels:
            if self._all_parameters is None:
                self._all_parameters = self.e.parameters(tiles)
            self._in_parameters[chunk] = base = self._all_parameters + chunk.first * columns
        else:
            base = self.e.parameters(chunk.tiles)
        return base, True

    def _add(self, opcode: Opcode, values, access: Access, note: str, origin=None, masks=None):
        self.jobs.append(Job(opcode, values, access, note, origin, masks))
