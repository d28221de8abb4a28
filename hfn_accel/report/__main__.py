"""`python -m hfn_accel.report`: tables and pictures of docs/results.md, cards of docs/tickets.md.

python -m hfn_accel.report sizes [--json F]     one table
python -m hfn_accel.report all --out DIR        all tables and pictures
"""

import re
import sys
from pathlib import Path

from .. import cli
from ..errors import HfnError
from ..files import atomic_write, make_folder, read_bytes, write_json
from .contents import TABLES
from .tables import Table

_BLOCK = re.compile(r"<!-- table: (\S+) -->\n.*?<!-- end -->", re.DOTALL)


def main(argv: list[str] | None = None):
    p = cli.parser("report", "Tables and pictures of the results, from the models.")
    p.add_argument("name", choices=(*TABLES, "all"), help="a table, or all tables and pictures")
    p.add_argument("--out", metavar="DIR", help="of all: folder for tables (Markdown, JSON) and "
                   "pictures (PNG, SVG)")  # fmt: skip
    p.add_argument("--update", metavar="F.md", nargs="+", help="of all: files whose tables, "
                   "between <!-- table: NAME --> and <!-- end -->, are written anew")  # fmt: skip
    cli.add_json(p)
    args = p.parse_args(argv)
    if args.update and args.name != "all":
        raise HfnError("--update belongs to `report all`")
    if (args.name == "all") != (args.out is not None):
        raise HfnError("--out belongs to `report all`, which needs it")
    if args.name == "all":
        if args.json:
            raise HfnError("--json goes with one table; `report all` writes JSON of each")
        return write_all(make_folder(args.out), args.update or [])
    table = TABLES[args.name]()
    if args.json != "-":
        print(table.text())
    if args.json:
        write_json(args.json, table.to_dict())


def write_all(folder: Path, update: list[str]):
    """Every table as Markdown and JSON, every picture as PNG and SVG; update: files to rewrite as
    `updated` does."""
    from .. import plots  # matplotlib takes a second to import
    from .pictures import PICTURES

    old, made = {path: _read(path) for path in update}, {}
    for name, make in TABLES.items():
        _tell(name)
        made[name] = table = make()
        atomic_write(folder / f"{name}.md", table.markdown().encode())
        write_json(folder / f"{name}.json", table.to_dict())
    for path, text in old.items():
        atomic_write(path, updated(text, made).encode())
    for name, draw in PICTURES.items():
        _tell(name)
        plots.save_figures({name: draw()}, folder)
    print(f"{len(TABLES)} tables and {len(PICTURES)} pictures: {folder}")


def _read(path: str) -> str:
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise HfnError(f"{path} is not text: {error}") from None


def updated(text: str, tables: dict[str, Table]) -> str:
    """A document with its tables written anew. Raises HfnError for a table that there is not."""

    def block(match: re.Match) -> str:
        if match[1] not in tables:
            raise HfnError(f"there is no table {match[1]!r}: known are {', '.join(tables)}")
        return f"<!-- table: {match[1]} -->\n{tables[match[1]].markdown()}<!-- end -->"

    return _BLOCK.sub(block, text)


def _tell(name: str):
    if sys.stderr.isatty():
        print(f"{name} ...", file=sys.stderr)


if __name__ == "__main__":
    cli.run(main)
