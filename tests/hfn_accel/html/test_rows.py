"""Filters, the table behind the picture, and its export, against NumPy."""

import csv

import numpy as np
from selenium.webdriver import Keys

from hfn_accel.plots import label

from .reading import (
    NEW_FILTER,
    add_range,
    assert_shows,
    counts,
    fits,
    front,
    rows,
    sort_by,
)
from .tables import OBJECTIVES


def test_filters(page, table):
    fit, unfit = fits(table), ~fits(table)
    add_range(page, "cycles", 5_000_000, 20_000_000)
    inside = (table["cycles"] >= 5e6) & (table["cycles"] <= 2e7)
    assert counts(page)[:4] == [inside.sum(), fit.sum(),
                                len(front(table, *OBJECTIVES, among=inside)), 0]  # fmt: skip
    page.choose(NEW_FILTER, "network")
    page.find(".filter:last-of-type label:nth-of-type(2) input").click()
    page.settle()
    inside &= table["network"] != np.unique(table["network"])[1]
    assert counts(page)[0] == inside.sum()
    assert len(page.all(".filter")) == 2
    page.find(".filter button").click()
    page.settle()
    others = table["network"] != np.unique(table["network"])[1]
    assert counts(page) == [(fit & others).sum(), fit.sum(),
                            len(front(table, *OBJECTIVES, among=fit & others)),
                            (unfit & others).sum(), unfit.sum()]  # fmt: skip
    page.find(".filter button").click()
    page.settle()
    assert counts(page)[0] == fit.sum() and not page.all(".filter")


def test_filters_may_leave_nothing(page, table):
    add_range(page, "rows_lanes", 1000)
    assert counts(page)[0] == counts(page)[2] == counts(page)[3] == 0
    page.hover(300, 200)
    assert not page.find("#hint").is_displayed()


def test_table_sorts_and_scrolls(page, table):
    order = np.flatnonzero(fits(table))
    assert rows(page)[:5] == order[:5].tolist()
    order = order[np.argsort(table["cycles"][order], kind="stable")]
    sort_by(page, "cycles")
    assert rows(page) == order[: len(rows(page))].tolist() and len(rows(page)) < 80
    page.run("document.getElementById('rows').scrollTop = 23 * 150")
    page.settle()
    middle = rows(page)
    begin = order.tolist().index(middle[0])
    assert middle == order[begin : begin + len(middle)].tolist() and begin <= 150 < begin + 40
    sort_by(page, "cycles")
    page.run("document.getElementById('rows').scrollTop = 0")
    page.settle()
    assert rows(page)[:5] == order[::-1][:5].tolist()
    assert page.find("th[aria-sort=descending]").text.startswith(label("cycles"))


def test_table_has_every_cell(page, table):
    names = page.texts("th button")
    assert set(names) == {label(c) for c in table if c != "infeasible_reason"}
    assert names.index(label("batch_images")) == len(names) - 1  # it does not vary
    cells = page.texts("tbody tr[data-point]:nth-child(2) td")
    i = rows(page)[0]
    for name, values in table.items():
        if values.dtype.kind == "U" and name != "infeasible_reason":
            assert cells[names.index(label(name))] == values[i]


def test_table_follows_filter_and_keys(page, table):
    add_range(page, "rows_lanes", 8, 8)
    inside = np.flatnonzero(fits(table) & (table["rows_lanes"] == 8))
    assert rows(page) == inside[: len(rows(page))].tolist()
    page.keys("#rows", *[Keys.ARROW_DOWN] * 60)
    assert_shows(page, table, inside[59])
    assert page.find("tr[aria-selected=true]").is_displayed()


def test_reasons_are_shown(page, table):
    page.find("#unfit").click()
    unfit = np.flatnonzero(~fits(table))
    assert rows(page) == unfit[: len(rows(page))].tolist()
    reasons = page.texts("tbody tr[data-point] td:first-child")
    assert reasons == table["infeasible_reason"][rows(page)].tolist()
    page.keys("#rows", Keys.ARROW_DOWN)
    assert_shows(page, table, unfit[0])


def test_export_reads_back(page, table):
    add_range(page, "rows_lanes", 8, 16)
    page.find("#export").click()
    saved = page.saved / "points.csv"
    page.wait(saved.exists)
    with saved.open(newline="") as file:
        header, *lines = csv.reader(file)
    saved.unlink()
    inside = table["rows_lanes"] >= 8
    assert header == list(table)
    for name, cells in zip(header, zip(*lines, strict=True), strict=True):
        values = table[name][inside]
        if values.dtype.kind != "U":
            cells = [float(cell) if cell else np.nan for cell in cells]
        np.testing.assert_array_equal(cells, values)
