"""One self-contained HTML page of a table of points: picture, filters, table. Works offline.

Everything is in the file: the data, the script, the style. The page's own policy allows it to run
this script and nothing else, and to load nothing.
"""

import base64
import hashlib
import html
import json
import zlib
from collections.abc import Collection, Sequence
from importlib import resources
from pathlib import Path
from string import Template

import numpy as np

from ..errors import HfnError
from ..exploration.columns import DESIGN_COLUMNS, POINT, REASON, WORKLOAD
from ..files import atomic_write
from ..plots.labels import MAXIMISED, label, unit

_SCRIPTS = ("data.js", "scale.js", "marks.js", "chart.js", "table.js", "controls.js", "main.js")
_ASKED = (*WORKLOAD.values(), *DESIGN_COLUMNS)  # the columns that are no figures


def write(table: dict[str, np.ndarray], path: str | Path, title: str, objectives: Sequence[str],
          maximise: Collection[str] = MAXIMISED):  # fmt: skip
    """Writes the page of a table of points (see `exploration.columns`), whole or not at all.

    The first objective is the y axis at first, the second, or else another column, the x axis.
    maximise: columns of which more is better at first. Raises HfnError for a table without points
    or with fewer than two columns of numbers, for columns of different lengths, for objectives
    that are no columns of numbers, and if the place is unwritable.
    """
    numbers = _numbers(table)
    for name in objectives:
        if name not in numbers:
            raise HfnError(f"objective {name!r} is no column of numbers of the table")
    y, x, *_ = dict.fromkeys([*objectives, *numbers])
    data = {
        "count": len(table[x]), "x": x, "y": y, "colour": _colour(table),
        "columns": [_column(name, values, name in maximise) for name, values in table.items()],
    }  # fmt: skip
    script = "\n".join(_part(name) for name in _SCRIPTS)
    style = _part("style.css")
    policy = (f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
              "base-uri 'none'; form-action 'none'")  # fmt: skip
    page = Template(_part("page.html")).substitute(
        title=html.escape(title), policy=policy, style=style, script=script,
        data=json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    )  # fmt: skip
    atomic_write(path, page.encode())


def _numbers(table: dict[str, np.ndarray]) -> list[str]:
    """The columns of numbers of a table that can be drawn."""
    lengths = {len(values) for values in table.values()}
    if len(lengths) > 1:
        raise HfnError("the columns of the table have different numbers of points")
    if lengths <= {0}:
        raise HfnError("the table has no point: there is nothing to show")
    numbers = [name for name, values in table.items() if not _is_text(values)]
    if len(numbers) < 2:
        raise HfnError("the table has fewer than two columns of numbers: there is nothing to draw")
    return numbers


def _is_text(values: np.ndarray) -> bool:
    return np.asarray(values).dtype.kind in "OUT"


def _colour(table: dict[str, np.ndarray]) -> str:
    """The column that colours the points at first: the first that was asked for and varies."""
    names = [name for name in (*_ASKED, *table) if name in table and name != REASON]
    return next((n for n in names if len(set(np.asarray(table[n]).tolist())) > 1), names[0])


def _column(name: str, values: np.ndarray, more: bool) -> dict:
    """A column as data.js reads it: deflated little-endian float64 or, of text, uint32 indices
    of its sorted texts."""
    column = {
        "name": name, "label": label(name), "bytes": unit(name).startswith("bytes"),
        "design": name in (POINT, *_ASKED), "more": more, "reason": name == REASON,
    }  # fmt: skip
    if _is_text(values):
        texts, values = np.unique([str(value) for value in values], return_inverse=True)
        column["texts"] = texts.tolist()
    kind = "<u4" if "texts" in column else "<f8"
    packed = zlib.compress(np.asarray(values).astype(kind).tobytes())
    return column | {"data": base64.b64encode(packed).decode()}


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """A source of a content security policy: this text and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
