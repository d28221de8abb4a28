"""The file of a page: self-contained, compact, and refused where there is nothing to show."""

import base64
import html
import json
import re
import zlib

import numpy as np
import pytest

from hfn_accel.errors import HfnError
from hfn_accel.html import write
from hfn_accel.plots import label

from .tables import HOSTILE, OBJECTIVES, random_table


def data_of(text: str) -> dict:
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    return json.loads(found)


def values_of(column: dict) -> np.ndarray:
    packed = zlib.decompress(base64.b64decode(column["data"]))
    if "texts" in column:
        return np.array(column["texts"])[np.frombuffer(packed, "<u4")]
    return np.frombuffer(packed, "<f8")


def test_every_column_is_in_the_file(tmp_path):
    table = random_table(300)
    write(table, tmp_path / "page.html", HOSTILE, OBJECTIVES)
    text = (tmp_path / "page.html").read_text()
    assert f"<h1>{html.escape(HOSTILE)}</h1>" in text and HOSTILE not in text
    assert text.count("</script>") == 2 and "http" not in text.replace("http-equiv", "")
    data = data_of(text)
    assert (data["x"], data["y"], data["count"]) == ("total_moved_bytes", "cycles", 300)
    assert [c["name"] for c in data["columns"]] == list(table)
    for column, (name, values) in zip(data["columns"], table.items(), strict=True):
        np.testing.assert_array_equal(values_of(column), values)
        assert column["label"] == label(name)
        assert column["more"] == (name in ("utilisation_ratio", "accuracy_ratio"))
        assert column["bytes"] == name.endswith("_bytes")


def test_the_same_table_is_the_same_file(tmp_path):
    for name in ("a", "b"):
        write(random_table(50), tmp_path / name, "t", OBJECTIVES)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_directions(tmp_path):
    write(random_table(50), tmp_path / "page.html", "t", ["accuracy_ratio"], {"cycles"})
    data = data_of((tmp_path / "page.html").read_text())
    assert data["y"] == "accuracy_ratio"
    assert [c["name"] for c in data["columns"] if c["more"]] == ["cycles"]


@pytest.mark.parametrize("change, objectives, words", [
    ({"cycles": np.zeros(3)}, OBJECTIVES, "different numbers of points"),
    ({}, ("cycles", "area"), "objective 'area' is no column of numbers"),
    ({}, ("network",), "objective 'network' is no column of numbers"),
])  # fmt: skip
def test_bad_tables(tmp_path, change, objectives, words):
    with pytest.raises(HfnError, match=words):
        write(random_table(50) | change, tmp_path / "page.html", "t", objectives)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("table, words", [
    ({}, "no point"),
    ({"cycles": np.zeros(0), "macs": np.zeros(0)}, "no point"),
    ({"cycles": np.zeros(2), "network": np.array(["a", "b"])}, "fewer than two columns"),
])  # fmt: skip
def test_nothing_to_draw(tmp_path, table, words):
    with pytest.raises(HfnError, match=words):
        write(table, tmp_path / "page.html", "t", ())


def test_unwritable(tmp_path):
    with pytest.raises(HfnError, match="cannot write"):
        write(random_table(50), tmp_path / "absent" / "page.html", "t", OBJECTIVES)
