"""A page of as many points as a sweep has."""

import numpy as np
from selenium.webdriver import Keys

from hfn_accel.exploration import pareto
from hfn_accel.html import write

from .reading import add_range, counts, fits, rows, sort_by
from .tables import OBJECTIVES, random_table


def test_a_hundred_thousand_points(browser, tmp_path):
    table, path = random_table(100_000, figures=50), tmp_path / "page.html"
    write(table, path, "many", OBJECTIVES)
    assert path.stat().st_size < 30e6
    browser.open(path)
    costs = np.stack([table[c][fits(table)] for c in OBJECTIVES])
    fit = fits(table).sum()
    assert counts(browser)[:4] == [fit, fit, pareto.front(costs).sum(), 100_000 - fit]
    add_range(browser, "cycles", 10_000_000)
    assert counts(browser)[0] == (table["cycles"] >= 10_000_000).sum()
    sort_by(browser, "cycles")
    least = np.flatnonzero(table["cycles"] >= 10_000_000)
    assert rows(browser)[0] == least[np.argmin(table["cycles"][least])]
    assert len(rows(browser)) < 80
    browser.keys("#chart", Keys.ARROW_RIGHT)
    assert "cycles" in browser.find("#hint").text
    assert browser.errors() == [] and browser.requests() == [path.as_uri()]
