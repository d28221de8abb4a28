"""Where every map and every mask lives: the plan that moves the fewest bytes.

A map lies whole in one of three banks for its whole life, or is spilled to memory and passes band
by band. Dynamic programming over the steps is exact in that: a state is the set of living maps that
are in a bank (which bank is indifferent: lifetimes of which at most three overlap can always be
given three banks). A folded block's masks stay in the mask buffer as far as a candidate `Space` for
each of its layers says; every candidate is tried.
"""

from dataclasses import dataclass
from itertools import groupby

from .steps import Map, Step
from .tiling import Space, Tiler, Tiling

BANKS = 3
_AREA_GROWTH = 4  # from one candidate for the masks that pass to the next


@dataclass(frozen=True)
class Placed:
    """A step with its decisions. spilled: source, residual, output. run: number of the steps that
    share masks; later steps of a run find the tiles that stay where the first has left them."""

    step: Step
    spilled: tuple[bool, bool, bool]
    space: Space
    tiling: Tiling
    run: int


def last_uses(steps: tuple[Step, ...]) -> dict[int, int]:
    """Map number -> index of the last step that reads it."""
    return {m: i for i, s in enumerate(steps) for m in (s.source, s.residual) if m is not None}


def place(steps: tuple[Step, ...], maps: tuple[Map, ...], tiler: Tiler):
    """The best decisions for all steps, a list of Placed, and the bytes that they move.

    Raises HfnError, naming a step that has no tiling.
    """
    last, words = last_uses(steps), tiler.config.bank_words
    may_stay = {n for n, m in enumerate(maps) if not m.image
                and tiler.batch * m.groups * m.stride(m.height) <= words}  # fmt: skip
    for step in steps:
        everything = tuple(m is not None for m in _operands(step))
        if tiler.best(step, everything, Space(0, tiler.config.mask_words)) is None:
            raise tiler.refusal(step)
    states = {frozenset(): ((0, 0, 0), None)}  # maps in banks -> cost, decisions backwards
    at = 0
    for number, run in enumerate(_runs(steps)):
        best = {}
        for spaces, cost in _spaces(run, tiler):
            now = {state: (_sum(cost, c), link) for state, (c, link) in states.items()}
            for index, step in enumerate(run, at):
                now = _advance(now, index, step, spaces[step.conv.tensor], number, last, may_stay,
                               tiler)  # fmt: skip
            for state, found in now.items():
                if state not in best or found[0] < best[state][0]:
                    best[state] = found
        states, at = best, at + len(run)
    placed, ((moved, *_), link) = [], min(states.values(), key=lambda found: found[0])
    while link:
        link, decision = link
        placed.append(decision)
    return placed[::-1], moved


def _sum(a, b):
    return tuple(x + y for x, y in zip(a, b, strict=True))


def _operands(step: Step) -> tuple[int | None, ...]:
    return step.source, step.residual, step.output


def _advance(states, index, step, space, run, last, may_stay, tiler):
    """The states behind a step, from those before it."""
    after = {}
    for state, (cost, link) in states.items():
        for stays in (True, False) if step.output in may_stay else (False,):
            inside = state | {step.output} if stays else state
            spilled = tuple(m is not None and m not in inside for m in _operands(step))
            if len(inside) + sum(spilled) > BANKS:
                continue
            tiling = tiler.best(step, spilled, space)
            if tiling is None:
                continue
            total = _sum(cost, tiling.cost)
            living = frozenset(m for m in inside if last[m] > index)
            if living not in after or total < after[living][0]:
                after[living] = (total, (link, Placed(step, spilled, space, tiling, run)))
    return after


def _runs(steps):
    """Steps that share masks: the iterations of a folded block; else every step alone."""
    for _, same in groupby(enumerate(steps), lambda s: -1 if s[1].conv.folded else s[0]):
        run = [step for _, step in same]
        again = len({step.conv.tensor for step in run}) < len(run)
        yield from [run] if again else [[step] for step in run]


def _spaces(run: list[Step], tiler: Tiler):
    """Candidates: ({tensor: Space}, cost of what stays). The better liked first."""
    depth, streams = tiler.config.mask_words, tiler.streams
    if run[0].pooled:
        yield {run[0].conv.tensor: Space(0, 0)}, (0, 0, 0)
        return
    first = {step.conv.tensor: step for step in reversed(run)}
    words = {t: tiler.tile_words(s) for t, s in first.items()}
    tiles = {t: tiler.tiles(s) for t, s in first.items()}

    def candidate(resident, area, waits):
        beats = sum(streams.beats(t, 0, n) for t, n in resident.items() if n)
        spaces = {t: Space(n, area, len(run) > 1) for t, n in resident.items()}
        return spaces, (beats * tiler.config.bus_bytes, waits, 0)

    total = sum(words[t] * tiles[t] for t in first)
    alone = len(run) == 1 and 2 * total > depth
    if total > depth or alone:
        yield candidate(dict.fromkeys(first, 0), depth, 0)
    if total <= depth:
        yield candidate(tiles, 0, int(alone))
        return
    # part stays: as much as leaves room for one or two chunks of those that pass
    grain = {t: tiler.grain(s, True) for t, s in first.items()}
    passing = max(words[t] * tiler.grain(first[t], False) for t in first)
    saved = sorted(first, key=lambda t: -streams.beats(t, 0, tiles[t]) / (words[t] * tiles[t]))
    while passing <= depth:
        for area in (2 * passing, passing):
            for leader in first if area <= depth else ():
                left, resident = depth - area, dict.fromkeys(first, 0)
                for t in sorted(saved, key=lambda t: t != leader):
                    n = left // words[t]
                    resident[t] = tiles[t] if n >= tiles[t] else n // grain[t] * grain[t]
                    left -= resident[t] * words[t]
                yield candidate(resident, area, 0)
        passing *= _AREA_GROWTH
