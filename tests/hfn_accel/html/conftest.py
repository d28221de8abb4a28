"""One browser for all tests of pages, and a page that says what a random table says."""

import pytest

from hfn_accel.html import write

from .browser import Browser
from .tables import HOSTILE, OBJECTIVES, random_table


@pytest.fixture(scope="package")
def browser(tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("saved"))
    yield opened
    opened.driver.quit()


@pytest.fixture(scope="package")
def table():
    return random_table(400)


@pytest.fixture(scope="package")
def path(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    write(table, path, HOSTILE, OBJECTIVES)
    return path


@pytest.fixture
def page(browser, path):
    """The page, freshly opened; at the end nothing was logged, and nothing but it was loaded."""
    browser.open(path)
    yield browser
    assert browser.errors() == []
    assert browser.requests() == [path.as_uri()]
