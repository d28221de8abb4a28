"""Where every map and every mask lives: the plan that moves the fewest bytes.

A map lies whole in one of three banks for its whole life, or is spilled to memory and passes band
by band. A map that fits a bank stays: no step has more than three maps alive, so it displaces
nothing, and without its transfers every step has at least the same ways to be cut. The masks of a
run, the steps that share them, stay in the mask buffer as far as a candidate says for each tensor;
every candidate is tried.
"""

import numpy as np
from numba import njit

from .alike import distinct, firsts
from .bands import spilled
from .compiled import compiled
from .records import CHUNK, FITS, PLACED, Refusal, dtype
from .refusals import refusal
from .tiling import (
    NEED,
    NO_WAY,
    Cost,
    best,
    chunks_of,
    give,
    mask_beats,
    measure,
    plus,
    shared_chunk,
)

_AREA_GROWTH = 4  # from one candidate for the masks that pass to the next

SHARE = dtype("need", "beats", "chunk", "resident")
"""A tensor's part in a run. need: row of NEED of a step that uses it. beats: of its whole stream.
chunk, resident: as in NEED, the latter as a candidate says."""


@compiled
def decide(network, maps, design):
    """The best decisions for all steps.

    Returns tables PLACED and CHUNK, the bytes of activations, masks and parameters that they move,
    and a Refusal; unless that is FITS, the others mean nothing. `maps` has its derived columns. The
    steps of a run follow each other.
    """
    steps, first = network.steps, firsts(network, maps)
    placed, needs = np.zeros(len(steps), PLACED), np.zeros(len(steps), NEED)
    shares, moved = np.zeros(len(network.tensors), SHARE), np.zeros(len(steps), np.int64)
    begin = 0
    while begin < len(steps):
        end = begin + 1
        while end < len(steps) and steps[end].run == steps[begin].run:
            end += 1
        if first[begin] == begin:
            own = distinct(first[begin:end])
            for i in own:
                out = spilled(steps[i], maps, design.batch, design.bank_words)
                measure(network, maps, design, steps[i], out, needs[i])
            for i in range(begin, end):
                needs[first[i]].times += 1
            cost = settle(network, maps, design, own, needs, shares, placed)
            if cost == NO_WAY:
                why = _why(network, maps, design, own, needs)
                return placed, np.zeros(0, CHUNK), 0, why
            moved[begin] = cost.moved
        moved[begin] = moved[first[begin]]
        for i in range(begin, end):
            placed[i] = placed[first[i]]
        begin = end
    return placed, _cut(placed, needs, first), moved.sum(), Refusal(FITS, -1, 0, 0, -1)


@compiled
def settle(network, maps, design, own, needs, shares, placed):
    """Decide the steps `own` of a run, one of each kind, by its best candidate.

    Fills their rows of `placed`; returns the run's Cost, NO_WAY if there is none. Their rows of
    `needs` are measured; shares: a row a tensor of the network, to work with.
    """
    steps, trial, found = network.steps, np.zeros(len(own), PLACED), NO_WAY
    tensors = _shared(network, maps, design, own, needs, shares)
    for area, waits in _candidates(design.mask_words, own, needs, shares, tensors):
        beats = 0
        for t in tensors:
            if shares[t].resident:
                beats += mask_beats(network, design, t, 0, shares[t].resident)
        cost = Cost(beats * design.bus_bytes, waits, 0)
        for i in own:
            resident = chunk = 0
            if not steps[i].pooled and shares[steps[i].tensor].resident:
                resident, chunk = shares[steps[i].tensor].resident, shares[steps[i].tensor].chunk
            give(network, design, steps[i], needs[i], resident, area, chunk)
            cost = plus(cost, needs[i].times, Cost(needs[i].least, 0, 0))
        for n, i in enumerate(own):
            if cost >= found:  # however the others are cut
                break
            tiling = best(maps, design, steps[i], needs[i])
            if tiling.height == 0:
                cost = NO_WAY
                break
            cost = plus(cost, -needs[i].times, Cost(needs[i].least, 0, 0))
            cost = plus(cost, needs[i].times, tiling.cost)
            _write(trial[n], needs[i], tiling)
        if cost < found:
            found = cost
            for n, i in enumerate(own):
                placed[i] = trial[n]
    return found


@compiled
def _why(network, maps, design, own, needs):
    """The refusal of the first step that has no tiling with all of the mask buffer its own."""
    for i in own:
        give(network, design, network.steps[i], needs[i], 0, design.mask_words, 0)
        if best(maps, design, network.steps[i], needs[i]).height == 0:
            break
    return refusal(network, maps, design, i, needs[i])


@compiled
def _shared(network, maps, design, own, needs, shares):
    """The tensors of a run, the last first; fills their `shares` but for `resident`."""
    tensors, count = np.zeros(len(own), np.int64), 0
    for i in own:
        step, need, most = network.steps[i], needs[i], 0
        if step.pooled:
            continue
        share = shares[step.tensor]
        if len(own) > 1 or need.times > 1:
            most = shared_chunk(step, maps, design, need)
        if step.tensor in tensors[len(own) - count :]:
            share.chunk = min(share.chunk, most)
        else:
            count += 1
            tensors[len(own) - count] = step.tensor
            share.need, share.chunk = i, most
            share.beats = mask_beats(network, design, step.tensor, 0, need.tiles)
    return tensors[len(own) - count :]


@njit  # not from the cache: there, it is lost to callers that are compiled anew
def _candidates(depth, own, needs, shares, tensors):
    """(beats for the masks that pass, what waits), the better liked first; sets `resident`.

    depth: beats of the mask buffer.
    """
    total, passing = 0, 1
    for t in tensors:
        need = needs[shares[t].need]
        total += need.tile_words * need.tiles
        passing = max(passing, need.tile_words * need.fine)
    alone = len(own) == 1 and needs[own[0]].times == 1
    crowded = alone and 2 * total > depth
    if total > depth or crowded:
        for t in tensors:
            shares[t].resident = 0
        yield depth, 0
    if total <= depth:
        for t in tensors:
            shares[t].resident = needs[shares[t].need].tiles
        yield 0, int(crowded)
        if not alone:  # what stays is cut as all steps need it, which can move more of the maps
            for t in tensors:
                shares[t].resident = 0
            yield depth, 0
        return
    # part stays: as much as leaves room for one or two chunks of those that pass
    saved = _saved(needs, shares, tensors)
    while passing <= depth:
        for area in (2 * passing, passing):
            for leader in tensors:
                if area <= depth:
                    room = _keep(shares[leader], needs, depth - area)
                    for t in saved:
                        if t != leader:
                            room = _keep(shares[t], needs, room)
                    yield area, 0
        passing *= _AREA_GROWTH


@compiled
def _keep(share, needs, room):
    """Let as many tiles stay as `room` beats of the mask buffer hold; returns what is left."""
    need = needs[share.need]
    count = room // need.tile_words
    share.resident = need.tiles if count >= need.tiles else count // need.whole * need.whole
    return room - share.resident * need.tile_words


@compiled
def _saved(needs, shares, tensors):
    """The tensors, those first that save the most of their streams in a beat of the buffer."""
    order = tensors.copy()
    for n in range(1, len(order)):
        t = order[n]
        while n and _saves_more(needs, shares[t], shares[order[n - 1]]):
            order[n] = order[n - 1]
            n -= 1
        order[n] = t
    return order


@compiled
def _saves_more(needs, a, b):
    x, y = needs[a.need], needs[b.need]
    return a.beats * y.tile_words * y.tiles > b.beats * x.tile_words * x.tiles


@compiled
def _write(p, need, tiling):
    """Fill a row of PLACED, but for where its chunks are in their table."""
    p.spilled_source = need.spilled_source
    p.spilled_residual = need.spilled_residual
    p.spilled_output = need.spilled_output
    p.resident, p.area = need.resident, need.area
    p.height = tiling.height
    p.source_slots, p.other_slots = tiling.source_slots, tiling.other_slots
    p.chunk_outer = tiling.order.chunk_outer
    p.kept, p.passing = tiling.order.kept, tiling.order.passing
    p.chunks = chunks_of(need, tiling.order)


@compiled
def _cut(placed, needs, first):
    """The chunks of all steps; fills in where they are."""
    count = 0
    for p in placed:
        p.first_chunk = count
        count += p.chunks
    chunks, at = np.zeros(count, CHUNK), 0
    for i in range(len(placed)):
        p, tile = placed[i], 0
        for end, size, stays in ((p.resident, p.kept, 1), (needs[first[i]].tiles, p.passing, 0)):
            while tile < end:
                c = chunks[at]
                c.first, c.tiles, c.stays = tile, min(size, end - tile), stays
                tile, at = tile + c.tiles, at + 1
    return chunks
