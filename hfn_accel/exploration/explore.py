"""A sweep from its axes to its files."""

import sys
from contextlib import closing
from pathlib import Path

import numpy as np

from ..errors import HfnError
from ..files import atomic_write, write_json
from . import table
from .columns import DESIGN_COLUMNS, POINT
from .progress import Progress
from .runner import results
from .store import FRONT, Store
from .summary import summary, text
from .sweep import Sweep

MOST_DRAWN = 100_000  # points in pictures and page, besides the front, so that they fit in memory


def compute(sweep: Sweep, store: Store, workers: int = 1, scheduler: str | None = None):
    """Bring `points.csv` to its end; what is there already stays (`runner.results`)."""
    chunks = sweep.space.chunks
    sizes = [chunk.stop - chunk.start for chunk in chunks]
    todo = [i for i in range(len(chunks)) if i not in store.done]
    progress = Progress(sum(sizes), sum(sizes[i] for i in store.done))
    try:
        with closing(results(sweep.space, todo, workers, scheduler)) as found:
            for chunk, lines in found:
                store.append(chunk, lines)
                progress.add(sizes[chunk])
    finally:
        progress.end()
    store.sort()


def explore(sweep: Sweep, folder: str | Path, workers: int = 1, scheduler: str | None = None,
            restart: bool = False, json: str | None = None, html: str | None = None):  # fmt: skip
    """Compute a sweep into `folder`, or go on with it: `points.csv`, `front.csv`, pictures.

    Prints the summary. json, html: files for it and for the interactive page. Raises HfnError,
    with every finished point kept, if workers die, no point fits or none meets the constraints.
    """
    with Store(folder, sweep.space, sweep.about, restart) as store:
        compute(sweep, store, workers, scheduler)
        finish(sweep, store, json, html)


def finish(sweep: Sweep, store: Store, json: str | None, html: str | None):
    """What follows from the finished points."""
    goals = sweep.goals
    columns = dict.fromkeys((POINT, "network", *DESIGN_COLUMNS, *goals.columns))
    points = table.read(store.points, columns)
    front = goals.front(points)
    atomic_write(store.folder / FRONT, table.take(store.points, front))
    found = summary(points, goals)
    if json:
        write_json(json, found)
    if json != "-":
        print(text(found, goals))
    if not found["feasible"]:
        raise HfnError(f"no point fits: {next(iter(found['infeasible_reasons']))}")
    if not found["allowed"]:
        raise HfnError(f"no point that fits meets {', '.join(map(str, goals.constraints))}")
    from . import pictures  # matplotlib takes a second to import, in every worker

    drawn = front | (np.arange(len(front)) % (1 + len(front) // MOST_DRAWN) == 0)
    whole = table.read(store.points, where=drawn)
    paths = pictures.draw(whole, goals, sweep.space, store.folder)
    if html:
        pictures.write_page(html, whole, goals)
    names = [store.points, store.folder / FRONT, *paths, *([html] if html else [])]
    print("files:", ", ".join(map(str, names)), file=sys.stderr)
