"""How one step is cut into bands of output rows and chunks of output channels, by fewest bytes.

`step` and `need` are its rows of STEP and NEED; `maps` has its derived columns.
"""

from typing import NamedTuple

from numba import njit

from ..program import PARAMETER_BYTES
from .bands import Spilled, height, least_words, source_beats
from .compiled import compiled
from .records import dtype

_COUNTS = (*range(1, 9), *(m << k for k in range(1, 10) for m in (5, 6, 7, 8)))  # of chunks
_SLOTS = (2, 2), (1, 2), (1, 1)  # bands in a bank, of the source and of others

NEED = dtype(
    # `measure`: what a step has and needs however it is cut
    "spilled_source", "spilled_residual", "spilled_output", "tiles", "tile_words", "fine", "whole",
    "most", "liked", "again", "read", "others", "parameters", "times",
    # `give`: its space in the mask buffer
    "resident", "area", "chunk", "masks", "least",
)  # fmt: skip
"""What a step needs of a design, and what it has of the mask buffer.

tiles: output tiles. tile_words: mask buffer beats of each, all planes. fine, whole: tiles that
chunks are multiples of, and those that begin with channel groups. most, liked: tiles of a chunk at
most, and so many that the next one finds room. again: whether parameters do not stay. read, others:
of an image, beats of the spilled source in one band, and of spilled residual and output.
parameters: their beats. times: steps of the run that are like this one.

resident: the first so many tiles stay in the buffer; unless all, whole channel groups. The rest
passes through `area` beats. chunk: tiles in which what stays is cut, since other steps use it too;
0 if it is this step's alone. masks: beats of the stream of what passes. least: bytes that the step
moves however it is cut.
"""


class Cost(NamedTuple):
    """Less is better, and what comes first counts first: bytes moved, what waits because it has no
    second buffer, descriptors."""

    moved: int
    waits: int
    descriptors: int


class Order(NamedTuple):
    """chunk_outer: all bands of all images pass a chunk before the next, else all chunks a band.
    kept, passing: tiles of equal chunks that stay and that pass, 0 if none do. waits: as in Cost.
    """

    chunk_outer: int
    kept: int
    passing: int
    waits: int


class Tiling(NamedTuple):
    """height: rows of a band, 0 if there is no way. source_slots, other_slots: bands that a bank
    holds, of the source and of others."""

    cost: Cost
    height: int
    source_slots: int
    other_slots: int
    order: Order


NO_WAY = Cost((1 << 63) - 1, 0, 0)


@compiled
def plus(cost, times, other):
    """cost + times * other."""
    return Cost(
        cost.moved + times * other.moved,
        cost.waits + times * other.waits,
        cost.descriptors + times * other.descriptors,
    )


@compiled
def groups_of(design, first, tiles):
    """Channel groups (first, end) of output tiles first... of a step."""
    parts = design.group // design.columns
    return first // parts, -(-(first + tiles) // parts)


@compiled
def tile_words(network, design, tensor):
    """Mask buffer beats of an output tile: all its planes."""
    t = network.tensors[tensor]
    return t.planes * -(-t.fan_in * design.columns // design.bus_bits)


@compiled
def mask_beats(network, design, tensor, first, tiles):
    """Bus beats of the mask stream of some output tiles; at least one is asked for."""
    ends, at = network.ends, network.tensors[tensor].first_end + first
    return max(1, -(-(ends[at + tiles] - ends[at]) // design.bus_bits))


@compiled
def measure(network, maps, design, step, out, need):
    """Fill what a step needs however it is cut, but for `times`; `out`: what is spilled."""
    columns = design.columns
    need.spilled_source, need.spilled_residual, need.spilled_output = out
    need.tiles = -(-step.cout // columns)
    need.fine = min(max(1, 8 // columns), need.tiles)
    need.whole = min(max(1, 8 // columns, design.group // columns), need.tiles)
    need.most, need.liked, need.parameters, need.tile_words = need.tiles, need.tiles, 0, 0
    if step.classifier:
        need.most = need.liked = min(design.result_words // columns, design.psum_depth)
    elif not step.pooled:
        need.most = design.parameter_channels // columns
        need.liked = need.most // 2
        need.parameters = -(-step.cout * PARAMETER_BYTES // design.bus_bytes)
    need.again = int(need.tiles * columns > design.parameter_channels)
    if not step.pooled:
        need.tile_words = tile_words(network, design, step.tensor)
    need.read = source_beats(step, maps[step.source], step.rows) if out.source else 0
    need.others = maps[step.residual].size if out.residual else 0
    need.others += maps[step.output].size if out.output else 0


@compiled
def give(network, design, step, need, resident, area, chunk):
    """Fill a step's space in the mask buffer.

    Chunks of a coded stream begin at whole beats; that is left out of `masks`, so that it does not
    outweigh what waits.
    """
    need.resident, need.area, need.chunk, need.masks = resident, area, chunk, 0
    if need.tiles > resident and not step.pooled:
        need.masks = mask_beats(network, design, step.tensor, resident, need.tiles - resident)
    beats = design.batch * (need.read + need.others) + need.masks + need.parameters
    need.least = beats * design.bus_bytes


@compiled
def operands(need):
    """The operands that are spilled."""
    return Spilled(need.spilled_source, need.spilled_residual, need.spilled_output)


@compiled
def shared_chunk(step, maps, design, need):
    """Most tiles of the chunks in which all steps that share what stays can cut it."""
    whole, out = need.whole, operands(need)
    size = (need.liked if need.liked >= whole else need.most) // whole * whole
    while size > whole:
        if least_words(step, maps, out, groups_of(design, 0, size)[1]) <= design.bank_words:
            break
        size -= whole
    return size


@compiled
def best(maps, design, step, need):
    """The Tiling of the least cost, the first of those in order of liking."""
    out, batch, parts = operands(need), design.batch, design.group // design.columns
    kinds = out.residual + out.output  # of transfers of a round, but for the source's
    found = Tiling(NO_WAY, 0, 0, 0, Order(0, 0, 0, 0))
    for order in _orders(step, need, kinds):
        chunks = chunks_of(need, order)
        groups = maps[step.output].groups if kinds else 0  # of these, in a bank at a time
        if order.chunk_outer:
            passing = min(order.passing, need.tiles - need.resident)
            groups = min(groups, -(-max(min(order.kept, need.resident), passing) // parts))
        for source_slots, other_slots in _SLOTS:
            if source_slots < other_slots and not out.source or other_slots == 1 and not kinds:
                continue  # as the one before
            source_slots = source_slots if out.source else 2
            rows = height(step, maps, out, source_slots, other_slots, groups, design.bank_words)
            count = -(-step.rows // rows) if rows else 0
            if rows == 0 or step.classifier and count > 1 and not order.chunk_outer:
                continue
            beats = source_beats(step, maps[step.source], rows) if out.source else 0
            items = batch * count
            if order.chunk_outer:
                rounds, times, moved = items * chunks, 1, chunks
            else:
                rounds, times, moved = items, items, 1
            size = batch * need.others + times * need.masks
            size += (times if need.again else 1) * need.parameters
            size += batch * beats * (moved if items > source_slots else 1)
            late = int(source_slots == 1 < items) + int(other_slots == 1 < rounds)
            descriptors = items * chunks + rounds * (out.source + kinds)
            cost = Cost(size * design.bus_bytes, order.waits + late, descriptors)
            if cost < found.cost:
                found = Tiling(cost, rows, source_slots, other_slots, order)
            if count == 1:
                break  # one band in a bank is not better
        if found.cost.moved == need.least and found.cost.waits == 0:
            break
    return found


@compiled
def chunks_of(need, order):
    """Chunks into which an order cuts a step."""
    count = 0
    if need.resident:
        count += -(-need.resident // order.kept)
    if need.tiles > need.resident:
        count += -(-(need.tiles - need.resident) // order.passing)
    return count


@njit  # not from the cache: there, it is lost to callers that are compiled anew
def _orders(step, need, kinds):
    """Orders, the better liked first; kinds: whether residual or output are spilled."""
    tiles, area, words, rest = need.tiles, need.area, need.tile_words, need.tiles - need.resident
    if step.pooled:
        yield Order(0, 0, tiles, 0)
        return
    for most, room, waits in ((need.liked, area // 2, 0), (need.most, area, 1)):
        # a chunk that stays needs no second buffer
        passing = min(most, room // words) if rest else most
        if passing >= need.fine:
            kept = _kept(need, most, need.fine)
            yield Order(0, kept, _equal(rest, passing, need.fine), waits)
            break
    grain, last = need.whole if kinds else need.fine, 0
    for count in _COUNTS:
        size = -(-tiles // (count * grain)) * grain
        if size != last and size <= need.most and (size * words <= area or rest == 0):
            waits = int(size > need.liked or rest and 2 * size * words > area)
            yield Order(1, _kept(need, size, grain), _equal(rest, size, grain), waits)
        if size == grain:
            break
        last = size


@compiled
def _kept(need, most, grain):
    """Tiles of each of the chunks that stay; most, grain: if they are this step's alone."""
    if need.chunk:
        most, grain = need.chunk, need.whole
    return _equal(need.resident, most, grain)


@compiled
def _equal(tiles, most, grain):
    """Tiles of each of equal chunks, at most so many, in multiples of `grain`; 0 of nothing."""
    if tiles == 0:
        return 0
    count = -(-tiles // (most // grain * grain))
    return -(-tiles // (count * grain)) * grain
