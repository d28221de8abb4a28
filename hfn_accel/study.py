"""`python -m hfn_accel.study`: does one choice change what a search reaches?

The same recipe is trained with each of some values of one field, each with some seeds; the
accuracies are then compared. See docs/study.md.
"""

import argparse
import csv
import io
import json
import re
from concurrent.futures import as_completed
from contextlib import nullcontext, redirect_stderr
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

from . import cli, plots, recipe_options, rooms, train, workers
from .errors import HfnError
from .files import atomic_write, make_folder, read_bytes, write_json
from .plots.style import SERIES
from .recipe import Recipe

NAMED = {"generators": "weights=sequence,shifted,generator"}
ACCURACY = "float_accuracy"  # of `train`'s result: real activations, on all test images


def arguments(argv=None) -> argparse.Namespace:
    """The command line; `recipes`: value of the field -> its recipe with seed 1."""
    p = cli.parser("study", "Compare searches that differ in one thing, with several seeds each.")
    meanings = "; ".join(f"{name} is --compare {what}" for name, what in NAMED.items())
    p.add_argument("name", nargs="?", choices=NAMED, help=f"a known comparison: {meanings}")
    p.add_argument("--compare", metavar="FIELD=A,B,...", help="a field of the recipe and its values"
                   ", with semicolons between where values have commas")  # fmt: skip
    p.add_argument("--seeds", type=int, default=5, metavar="N", help="searches of each value, with "
                   "the seeds 1...N (default %(default)s)")  # fmt: skip
    p.add_argument("--data", metavar="DIR", help="folder of the data set's original files")
    p.add_argument("--out", required=True, metavar="DIR", type=Path,
                   help="folder for searches and results; what is finished there is kept, what is "
                   "not is gone on with")  # fmt: skip
    p.add_argument("--processes", type=int, default=1, metavar="N",
                   help="searches at a time (default %(default)s)")  # fmt: skip
    p.add_argument("--threads", type=int, default=1, metavar="N",
                   help="CPU threads of each (default %(default)s)")  # fmt: skip
    p.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="where to compute")
    recipe_options.add_options(p)
    args = p.parse_args(argv)
    if (args.name is None) == (args.compare is None):
        raise HfnError(f"give either {' or '.join(NAMED)} or --compare FIELD=A,B,...")
    for name, value, low, high in (("--seeds", args.seeds, 2, 1000),
                                   ("--processes", args.processes, 1, 256),
                                   ("--threads", args.threads, 1, 256)):  # fmt: skip
        if not low <= value <= high:
            raise HfnError(f"{name} must be from {low} to {high}, not {value}")
    args.field, args.recipes = _recipes(args, args.compare or NAMED[args.name])
    return args


def _recipes(args, text: str) -> tuple[str, dict[str, Recipe]]:
    """Field, and value -> recipe, that `FIELD=A,B` says; what a recipe leaves to be chosen is
    chosen for each value. Raises HfnError."""
    name, equals, values = text.partition("=")
    known = [f.name for f in fields(Recipe) if f.name not in ("seed", "dataset")]
    name = name.replace("-", "_")
    if not equals or name not in known:
        raise HfnError(f"--compare must be FIELD=A,B,... with one of {', '.join(known)}, "
                       f"not {text!r}")  # fmt: skip
    values = [v.strip() for v in values.split(";" if ";" in values else ",")]
    found = {v: recipe_options.chosen(argparse.Namespace(**vars(args) | {name: v})) for v in values}
    if len(set(found.values())) < max(2, len(values)):
        raise HfnError(f"--compare must have at least two values, each of its own, not {text!r}")
    if len(found) > len(SERIES):
        raise HfnError(f"--compare may have {len(SERIES)} values at most, not {len(found)}: a "
                       "picture tells no more apart")  # fmt: skip
    return name, found


@dataclass(frozen=True)
class Run:
    """One search of a study: a value of the field, a seed, and the options of its `train`."""

    value: str
    seed: int
    recipe: Recipe
    out: Path
    options: tuple[str, ...]

    @property
    def result(self) -> Path:
        """Where its result is once it is finished."""
        return self.out.with_suffix(".json")

    def accuracy(self) -> float | None:
        """Its result; None if it is not finished. Raises HfnError for another recipe's."""
        if not self.result.exists():
            return None
        try:
            found = json.loads(read_bytes(self.result))
            there, accuracy = Recipe.from_dict(found["recipe"]).to_dict(), float(found[ACCURACY])
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise HfnError(f"{self.result} is damaged ({error}); delete it") from None
        for name, ours in self.recipe.to_dict().items():
            if there[name] != ours:
                raise HfnError(f"{self.result} is of a search with {name} {there[name]!r}, not "
                               f"{ours!r}; choose another --out")  # fmt: skip
        return accuracy


def runs(args) -> list[Run]:
    """All searches of the study, seed by seed."""
    shared = ("--threads", str(args.threads), "--device", args.device)
    shared += ("--data", args.data) if args.data else ()
    found = []
    for seed in range(1, args.seeds + 1):
        for value, recipe in args.recipes.items():
            recipe = replace(recipe, seed=seed)
            name = re.sub(r"[^\w.]+", "-", value) or "none"
            out = args.out / f"{args.field}-{name}-{seed}.safetensors"
            found.append(Run(value, seed, recipe, out, shared))
    return found


def search(run: Run, progress: bool = True):
    """Do (or go on with) one search; its result is written last."""
    options = [*recipe_options.words(run.recipe), *run.options, "--out", str(run.out)]
    train.keep_freed_memory()
    with nullcontext() if progress else redirect_stderr(io.StringIO()):
        result = train.train(train.arguments(options))
    write_json(run.result, result)
    print(f"{run.out.stem}: {result[ACCURACY]:.2%}", flush=True)


def study(args) -> dict:
    """Do what is not yet done of all searches; compare them."""
    analyse = rooms.load("golden.study", "train", rooms=("golden",)).analyse
    make_folder(args.out)
    every = runs(args)
    todo = [run for run in every if run.accuracy() is None]
    processes = min(args.processes, len(todo))
    do = partial(search, progress=processes <= 1)
    with workers.processes(processes) as hand:
        for done in as_completed([hand.submit(do, run) for run in todo]):
            done.result()
    found = [{"value": run.value, "seed": run.seed, "accuracy": run.accuracy()} for run in every]
    groups = {value: [run["accuracy"] for run in found if run["value"] == value]
              for value in args.recipes}  # fmt: skip
    recipe = every[0].recipe.to_dict()
    return {"field": args.field, "dataset": recipe["dataset"], "arch": recipe["arch"],
            "recipe": {name: v for name, v in recipe.items() if name not in (args.field, "seed")},
            "seeds": list(range(1, args.seeds + 1)), "runs": found} | analyse(groups)  # fmt: skip


def markdown(result: dict) -> str:
    """The tables of a study, for documents: groups, and differences of pairs. In per cent."""
    lines = [f"| {result['field']} | runs | mean | standard deviation (points) | 95 % interval |",
             "|---|---|---|---|---|"]  # fmt: skip
    for value, group in result["groups"].items():
        (low, high), spread = group["interval"], 100 * group["standard_deviation"]
        lines.append(f"| {value} | {group['runs']} | {group['mean']:.2%} | {spread:.2f} | "
                     f"{low:.2%} to {high:.2%} |")  # fmt: skip
    lines += ["", "| difference | points | 95 % interval | Welch's t | degrees of freedom | p |",
              "|---|---|---|---|---|---|"]  # fmt: skip
    for pair in result["pairs"]:
        tested = ["no spread", "", "", ""]
        if pair["p"] is not None:
            low, high = (100 * end for end in pair["interval"])
            tested = [f"{low:+.2f} to {high:+.2f}", f"{pair['t']:.2f}",
                      f"{pair['degrees_of_freedom']:.1f}", f"{pair['p']:.2g}"]  # fmt: skip
        lines.append(f"| {pair['a']} - {pair['b']} | {100 * pair['difference']:+.2f} | "
                     + " | ".join(tested) + " |")  # fmt: skip
    variance = result["variance"]
    if variance["p"] is not None:
        lines += ["", f"One-way analysis of variance: F = {variance['F']:.2f}, "
                  f"p = {variance['p']:.2g}."]  # fmt: skip
    return "\n".join(lines) + "\n"


def write(result: dict, folder: Path):
    """study.json, .csv, .md and the picture."""
    write_json(folder / "study.json", result)
    text = io.StringIO()
    table = csv.DictWriter(text, result["runs"][0], lineterminator="\n")
    table.writeheader()
    table.writerows(result["runs"])
    atomic_write(folder / "study.csv", text.getvalue().encode())
    atomic_write(folder / "study.md", markdown(result).encode())
    plots.save_figures({"study": plots.study_plot(result)}, folder)


def main():
    args = arguments()
    result = study(args)
    write(result, args.out)
    print(markdown(result), end="")


if __name__ == "__main__":
    cli.run(main)
