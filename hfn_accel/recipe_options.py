"""A recipe on the command line: an option a field, over a preset or a TOML file."""

import argparse
from dataclasses import MISSING, Field, fields

from .errors import HfnError
from .recipe import METHODS, SEARCHES, Recipe, presets, read_toml


def add_options(p: argparse.ArgumentParser):
    """`--preset`, `--recipe` and an option for every field; read back with `chosen`."""
    base = p.add_mutually_exclusive_group()
    base.add_argument("--preset", metavar="NAME", help="a published recipe, which the options "
                      f"below change: {', '.join(presets())}")  # fmt: skip
    base.add_argument("--recipe", metavar="F.toml",
                      help="a file of the options below, such as quantise_from = 30")  # fmt: skip
    group = p.add_argument_group("recipe")
    for f in fields(Recipe):
        group.add_argument(option(f), metavar=f.metadata["kind"].metavar, help=about(f))


def chosen(args: argparse.Namespace) -> Recipe:
    """The recipe that preset or file and options say together. Raises HfnError."""
    given = {f.name: getattr(args, f.name) for f in fields(Recipe)}
    given = {name: text for name, text in given.items() if text is not None}
    if args.preset is not None and args.preset not in presets():
        raise HfnError(f"--preset must be one of {', '.join(presets())}, not {args.preset!r}")
    base = args.preset or args.recipe
    return Recipe.from_toml(base, **given) if base else Recipe.from_dict(given)


def words(recipe: Recipe, preset: str | None = None) -> list[str]:
    """The fewest options, over a preset if one is named, that say this recipe."""
    base = read_toml(preset) if preset else {}
    given = recipe.to_dict()
    for name in list(given):
        fewer = {key: value for key, value in given.items() if key != name}
        try:
            if Recipe.from_dict(base | fewer) == recipe:
                given = fewer
        except HfnError:
            continue  # without it, the others do not go together
    found = ["--preset", preset] if preset else []
    for f in fields(Recipe):
        if f.name in given:
            found += [option(f), _text(given[f.name])]
    return found


def option(f: Field) -> str:
    return f"--{f.name.replace('_', '-')}"


def about(f: Field) -> str:
    """What an option is, may be, and is by default, in one sentence."""
    kind, methods = f.metadata["kind"], f.metadata["methods"]
    text = f.metadata["help"] + (f": {kind.what}" if kind.metavar == "NAME" else "")
    notes = {METHODS: [], SEARCHES: ["not dense"]}.get(methods, [" or ".join(methods)])
    if f.default not in (MISSING, None, "", ()):
        notes = [*notes, f"default {_text(f.default)}"]
    return text + (f" ({'; '.join(notes)})" if notes else "")


def table() -> str:
    """The options as a Markdown table, for docs/search.md."""
    rows = [f"| `{option(f)}` | {about(f)} |" for f in fields(Recipe)]
    return "\n".join(["| option | what it is |", "|---|---|", *rows, ""])


def _text(value) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
