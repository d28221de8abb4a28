"""The page in a real browser, against what NumPy says of the same table."""

import numpy as np
import pytest
from selenium.webdriver import Keys

from hfn_accel.html import write
from hfn_accel.plots import label

from .reading import (
    NEW_FILTER,
    assert_shows,
    choose_axis,
    counts,
    fits,
    front,
    opacity,
    places,
    shown_design,
)
from .tables import HOSTILE, OBJECTIVES


def test_counts(page, table):
    on = len(front(table, *OBJECTIVES))
    fit, unfit = fits(table).sum(), (~fits(table)).sum()
    assert counts(page) == [fit, fit, on, unfit, unfit]


def test_hover_shows_the_design_and_axes_move_it(page, table):
    chosen = np.flatnonzero(fits(table))[[3, 77, 200]]
    choose_axis(page, "x", "point", "linear")
    for y, log in (("cycles", True), ("utilisation_ratio", False)):
        choose_axis(page, "y", y, "log" if log else "linear")
        where = places(page, table, {"x": ("point", False), "y": (y, log)}, chosen)
        for i, at in zip(chosen, where, strict=True):
            page.hover(*at)
            assert_shows(page, table, i)
            assert f"point (number in the sweep): {i:,}" in page.find("#hint").text
            ring = page.find("#ring").rect
            chart = page.find("#chart").rect
            centre = (ring["x"] + ring["width"] / 2 - chart["x"],
                      ring["y"] + ring["height"] / 2 - chart["y"])  # fmt: skip
            assert centre == pytest.approx(at, abs=1)
    page.hover(2, 2)
    assert not page.find("#hint").is_displayed()


def test_a_click_keeps_a_design(page, table):
    choose_axis(page, "x", "point", "linear")
    axes = {"x": ("point", False), "y": ("cycles", True)}
    kept, other = chosen = np.flatnonzero(fits(table))[[10, 250]]
    at_kept, at_other = places(page, table, axes, chosen)
    page.hover(*at_kept)
    page.click()
    page.hover(*at_other)
    assert_shows(page, table, kept)
    assert page.find("tr[aria-selected=true]").get_attribute("data-point") == str(kept)
    page.keys("#chart", Keys.ESCAPE)
    page.hover(*at_kept)
    page.hover(*at_other)
    assert_shows(page, table, other)


@pytest.mark.parametrize("x, y", [("cycles", "total_moved_bytes"), ("cycles", "utilisation_ratio"),
                                  ("utilisation_ratio", "cycles"), ("rows_lanes", "cycles"),
                                  ("accuracy_ratio", "utilisation_ratio")])  # fmt: skip
def test_front_is_that_of_the_definition(page, table, x, y):
    choose_axis(page, "x", x)
    choose_axis(page, "y", y)
    signs = [-1 if c in ("utilisation_ratio", "accuracy_ratio") else 1 for c in (x, y)]
    expected = front(table, x, y, signs)
    assert counts(page)[2] == len(expected)
    walked = []
    for _ in expected:
        page.keys("#chart", Keys.ARROW_RIGHT)
        walked.append(int(shown_design(page, table)[label("point")]))
    assert sorted(walked) == expected.tolist()
    assert np.all(np.diff(table[x][walked]) >= 0)


def test_directions_can_be_chosen(page, table):
    page.choose("#x-axis select:nth-of-type(3)", "more")
    page.choose("#y-axis select:nth-of-type(3)", "more")
    assert counts(page)[2] == len(front(table, *OBJECTIVES, signs=(-1, -1)))


def test_dominated_points_are_faded(page, table):
    choose_axis(page, "x", "point", "linear")
    axes = {"x": ("point", False), "y": ("cycles", True)}
    on = set(front(table, "point", "cycles").tolist())
    points = np.flatnonzero(fits(table))
    shown = opacity(page, places(page, table, axes, points))
    assert {a for a, i in zip(shown, points, strict=True) if i in on} == {255}
    assert 50 < np.median([a for a, i in zip(shown, points, strict=True) if i not in on]) < 160


def test_hostile_text_stays_text(page, table):
    assert page.find("h1").text == HOSTILE.replace("  ", " ")
    assert page.run("return document.title") == HOSTILE
    assert page.texts("#legend span")[1:] == np.unique(table["network"]).tolist()
    page.find("#unfit").click()
    page.choose(NEW_FILTER, "network")
    allowed = {"HTML", "HEAD", "META", "TITLE", "STYLE", "BODY", "HEADER", "H1", "P", "FORM",
               "FIELDSET", "LEGEND", "SELECT", "OPTION", "DIV", "LABEL", "INPUT", "BUTTON", "MAIN",
               "FIGURE", "CANVAS", "FIGCAPTION", "SPAN", "ASIDE", "H2", "DL", "DT", "DD",
               "SECTION", "TABLE", "THEAD", "TBODY", "TR", "TH", "TD", "SCRIPT"}  # fmt: skip
    there = page.run("return [...new Set([...document.querySelectorAll('*')].map(n => n.tagName))]")
    assert set(there) <= allowed
    assert len(page.all("script")) == 2


def test_colour_by_numbers_is_a_ramp(page, table):
    page.choose("#colour select", "energy_low_uj")
    assert page.all("#legend canvas.ramp")
    page.choose("#colour select", "rows_lanes")
    assert page.texts("#legend span")[1:] == ["4", "8", "16"]


def test_every_control_is_reached_by_keyboard(page):
    reached = set()
    page.run("document.activeElement.blur()")
    for _ in range(30):
        page.press(Keys.TAB)
        reached.add(page.run("const n = document.activeElement; return n.id || n.ariaLabel"))
    assert {"column", "scale", "better", "add a filter", "export", "chart", "fitting",
            "unfit"} <= reached  # fmt: skip
    assert all(select.accessible_name for select in page.all("select"))


def test_dark_and_print(page):
    def ink() -> str:
        return page.run("return getComputedStyle(document.body).color")

    before = page.run("return document.getElementById('chart').toDataURL()")
    try:
        features = [{"name": "prefers-color-scheme", "value": "dark"}]
        page.command("Emulation.setEmulatedMedia", features=features)
        page.settle()
        assert ink() == "rgb(236, 236, 236)"
        assert page.run("return document.getElementById('chart').toDataURL()") != before
        page.command("Emulation.setEmulatedMedia", media="print", features=features)
        page.settle()
        assert ink() == "rgb(0, 0, 0)"
        assert not page.find("form").is_displayed() and page.find("#chart").is_displayed()
    finally:
        page.command("Emulation.setEmulatedMedia", media="", features=[])


@pytest.mark.parametrize("some", ["one point", "none fits", "no reasons"])
def test_small_tables(browser, tmp_path, table, some):
    fit = fits(table)
    chosen = {"one point": np.flatnonzero(fit)[:1], "none fits": ~fit, "no reasons": fit}[some]
    small = {name: values[chosen] for name, values in table.items()}
    if some == "no reasons":
        del small["infeasible_reason"]
    write(small, tmp_path / "page.html", some, OBJECTIVES)
    browser.open(tmp_path / "page.html")
    choose_axis(browser, "x", "batch_images", "log")  # all alike
    found = len(small["cycles"]) * (some != "none fits")
    assert counts(browser)[:2] == [found, found]
    browser.hover(300, 200)
    browser.keys("#chart", Keys.ARROW_RIGHT)
    assert browser.find("#hint").is_displayed() == (found > 0)
    assert browser.errors() == []
