"""Where every map and every mask lives: the plan that moves the fewest bytes.

A map lies whole in one of three banks for its whole life, or is spilled to memory and passes band
by band. A map that fits a bank stays: no step has more than three maps alive, so it displaces
nothing, and without its transfers every step has at least the same ways to be cut. A folded block's
masks stay in the mask buffer as far as a candidate `Space` for each of its layers says; every
candidate is tried.
"""

from dataclasses import dataclass
from itertools import groupby

from .steps import Step
from .tiling import Space, Tiler, Tiling

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


def place(steps: tuple[Step, ...], tiler: Tiler) -> tuple[list[Placed], int]:
    """The best decisions for all steps, a list of Placed, and the bytes that they move.

    Raises HfnError, naming a step that has no tiling.
    """
    placed, moved = [], 0
    for number, run in enumerate(runs(steps)):
        spilled = [tiler.spilled(step, tiler.config.bank_words) for step in run]
        cost, spaces, tilings = _best(run, spilled, tiler)
        moved += cost[0]
        placed += [Placed(step, out, spaces[step.conv.tensor], tiling, number)
                   for step, out, tiling in zip(run, spilled, tilings, strict=True)]  # fmt: skip
    return placed, moved


def _best(run, spilled, tiler: Tiler):
    """The best candidate for a run: (cost, {tensor: Space}, the steps' tilings)."""
    best = None
    for spaces, cost in candidates(run, spilled, tiler):
        tilings = []
        for step, out in zip(run, spilled, strict=True):
            tiling = tiler.best(step, out, spaces[step.conv.tensor])
            if tiling is None:
                break
            cost = tuple(a + b for a, b in zip(cost, tiling.cost, strict=True))
            if best and cost >= best[0]:
                break
            tilings.append(tiling)
        else:
            best = cost, spaces, tilings
    if best is None:
        whole = Space(0, tiler.config.mask_words)
        raise next(tiler.refusal(step) for step, out in zip(run, spilled, strict=True)
                   if tiler.best(step, out, whole) is None)  # fmt: skip
    return best


def runs(steps):
    """Steps that share masks: the iterations of a folded block; else every step alone."""
    for _, same in groupby(enumerate(steps), lambda s: -1 if s[1].conv.folded else s[0]):
        run = [step for _, step in same]
        again = len({step.conv.tensor for step in run}) < len(run)
        yield from [run] if again else [[step] for step in run]


def candidates(run: list[Step], spilled, tiler: Tiler):
    """Spaces for a run: ({tensor: Space}, cost of what stays). The better liked first."""
    depth, streams = tiler.config.mask_words, tiler.streams
    if run[0].pooled:
        yield {run[0].conv.tensor: Space(0, 0)}, (0, 0, 0)
        return
    first = {step.conv.tensor: step for step in reversed(run)}
    words = {t: tiler.tile_words(s) for t, s in first.items()}
    tiles = {t: tiler.tiles(s) for t, s in first.items()}
    chunk = dict.fromkeys(first, 0)
    if len(run) > 1:
        for step, out in zip(run, spilled, strict=True):
            t, most = step.conv.tensor, tiler.shared_chunk(step, out)
            chunk[t] = min(chunk[t] or most, most)

    def candidate(resident, area, waits):
        beats = sum(streams.beats(t, 0, n) for t, n in resident.items() if n)
        spaces = {t: Space(n, area, chunk[t] if n else 0) for t, n in resident.items()}
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
