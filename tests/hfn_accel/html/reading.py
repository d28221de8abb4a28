"""What tests read from a page, and what it should say."""

import re

import numpy as np
import pytest
from selenium.webdriver import Keys

from hfn_accel.plots import label

NEW_FILTER = "#filters > select"


def fits(table) -> np.ndarray:
    return table["infeasible_reason"] == ""


def front(table, x: str, y: str, signs=(1, 1), among=None) -> np.ndarray:
    """Indices, by definition: nothing is at least as good in both and better in one."""
    some = np.flatnonzero(fits(table) if among is None else among)
    a, b = signs[0] * table[x][some], signs[1] * table[y][some]
    known = ~np.isnan(a + b)
    some, a, b = some[known], a[known], b[known]
    good = (a[:, None] <= a) & (b[:, None] <= b) & ((a[:, None] < a) | (b[:, None] < b))
    return some[~good.any(axis=0)]


def counts(page) -> list[int]:
    """Points that fit and pass the filters, that fit, on the front, that do not fit and pass, that
    do not fit."""
    return [int(n.replace(",", "")) for n in re.findall(r"[\d,]*\d", page.find("#count").text)]


def shown_design(page, table) -> dict:
    """Label -> value of the design that is shown, numbers where the column has numbers."""
    shown = dict(zip(page.texts("#design dt"), page.texts("#design dd"), strict=True))
    for name, values in table.items():
        if values.dtype.kind != "U":
            text = shown[label(name)].replace(",", "")
            shown[label(name)] = np.nan if text == "–" else float(text)
    return shown


def assert_shows(page, table, i: int):
    expected = {label(name): values[i] for name, values in table.items()}
    assert shown_design(page, table) == pytest.approx(expected, rel=1e-12, nan_ok=True)


def places(page, table, axes: dict[str, tuple[str, bool]], points) -> np.ndarray:
    """(n, 2): where points are on the chart, in CSS pixels. The plot lies 76, 14, 12 and 46 pixels
    from left, right, top and bottom, with a margin of 5 % of the range. axes: x, y -> column, log.
    """
    box = page.find("#chart").rect
    ends = {"x": (76, box["width"] - 14), "y": (box["height"] - 46, 12)}
    found = []
    for axis, (column, log) in axes.items():
        values = np.log(table[column]) if log else table[column]
        low, high = np.nanmin(values[fits(table)]), np.nanmax(values[fits(table)])
        first, last = ends[axis]
        share = 0.05 + (values[points] - low) / (high - low)
        found.append(first + (last - first) * share / 1.1)
    return np.transpose(found)


def choose_axis(page, axis: str, column: str, scale: str | None = None):
    page.choose(f"#{axis}-axis select", column)
    if scale:
        page.choose(f"#{axis}-axis select:nth-of-type(2)", scale)


def opacity(page, places: np.ndarray) -> list[int]:
    """Of the chart at places in CSS pixels, 0 to 255."""
    return page.run("""
        const { width, height } = document.getElementById("chart");
        const context = document.getElementById("chart").getContext("2d");
        const { data } = context.getImageData(0, 0, width, height);
        const pixel = (n) => Math.floor(n * devicePixelRatio);
        return arguments[0].map(([x, y]) => data[4 * (pixel(y) * width + pixel(x)) + 3]);
    """, places.tolist())  # fmt: skip


def add_range(page, column: str, low="", high=""):
    page.choose(NEW_FILTER, column)
    for box, text in zip(page.all(".filter:last-of-type input"), (low, high), strict=True):
        box.send_keys(str(text), Keys.TAB)
    page.settle()


def rows(page) -> list[int]:
    """Points of the rows that exist, from the top."""
    shown = "document.querySelectorAll('tbody tr[data-point]')"
    return [int(point) for point in page.run(f"return [...{shown}].map(r => r.dataset.point)")]


def sort_by(page, column: str):
    heads = page.texts("th button")
    page.run("document.querySelectorAll('th button')[arguments[0]].click()",
             heads.index(label(column)))  # fmt: skip
