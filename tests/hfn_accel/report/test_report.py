"""The tables of the results: their forms, the command, and that the documents have them."""

import json
import re
from pathlib import Path

import pytest

from hfn_accel import cli
from hfn_accel.errors import HfnError
from hfn_accel.report import __main__ as command
from hfn_accel.report.contents import TABLES
from hfn_accel.report.pictures import PICTURES
from hfn_accel.report.tables import Column, Table

DOCS = Path(__file__).parents[3] / "docs"
RESULTS, CARDS = DOCS / "results.md", DOCS / "tickets.md"
BLOCK = re.compile(r"<!-- table: (\S+) -->\n(.*?)<!-- end -->", re.DOTALL)


@pytest.fixture
def table():
    columns = Column("name", "what"), Column("n", "count (bytes)", "{:,}"), Column("x", "share")
    rows = [{"name": "a", "n": 1234, "x": None, "more": 1}, {"name": "long", "n": 5, "x": 0.5}]
    return Table("Some figures", columns, rows, "python -m something")


def test_forms(table):
    assert table.markdown() == (
        "Some figures\n\n| what | count (bytes) | share |\n| --- | --- | --- |\n"
        "| a | 1,234 |  |\n| long | 5 | 0.5 |\n\n(`python -m something`)\n")  # fmt: skip
    assert table.text().splitlines() == [
        "Some figures", "", "what  count (bytes)  share", "a             1,234",
        "long              5    0.5"]  # fmt: skip
    assert table.to_dict()["rows"][0]["more"] == 1


@pytest.mark.parametrize("name", TABLES)
def test_results_are_up_to_date(name):
    """Every table that follows from the models is in one of the documents as it comes out now."""
    found = [block for path in (RESULTS, CARDS) for block in BLOCK.findall(path.read_text())]
    blocks = dict(found)
    assert len(blocks) == len(found) and set(blocks) == set(TABLES)
    assert blocks[name] == TABLES[name]().markdown()


def test_pictures_are_there():
    text, images = RESULTS.read_text(), RESULTS.parent / "images"
    for name in PICTURES:
        assert (images / f"{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    for name in re.findall(r"\]\((images/\S+)\)", text):
        assert (RESULTS.parent / name).is_file()


def test_update(table):
    text = "a\n<!-- table: t -->\nold\n<!-- end -->\nb\n"
    new = command.updated(text, {"t": table})
    assert new == f"a\n<!-- table: t -->\n{table.markdown()}<!-- end -->\nb\n"
    assert command.updated(new, {"t": table}) == new
    with pytest.raises(HfnError, match="there is no table 't'"):
        command.updated(text, {})


def test_sizes_command(tmp_path, capsys):
    command.main(["sizes", "--json", str(tmp_path / "s.json")])
    rows = json.loads((tmp_path / "s.json").read_text())["rows"]
    keys = {"network", "dataset", "published_mb", "full_mb", "traffic_mb_reuse",
            "traffic_mb_refetch"}  # fmt: skip
    assert len(rows) == 21 and all(keys <= set(row) for row in rows)
    assert "hfn-resnet50" in capsys.readouterr().out
    command.main(["sizes", "--json", "-"])
    assert json.loads(capsys.readouterr().out)["rows"] == rows


def test_all(tmp_path, monkeypatch, table):
    """Every table twice, every picture twice, and the files that are written anew."""
    from hfn_accel.plots import style

    monkeypatch.setattr(command, "TABLES", {"t": lambda: table})
    monkeypatch.setattr("hfn_accel.report.pictures.PICTURES", {"p": lambda: style.new(3, 2)[0]})
    files = [tmp_path / "r.md", tmp_path / "s.md"]
    for path in files:
        path.write_text("<!-- table: t -->\n<!-- end -->\n")
    command.main(["all", "--out", str(tmp_path / "o"), "--update", *map(str, files)])
    assert {p.name for p in (tmp_path / "o").iterdir()} == {"t.md", "t.json", "p.png", "p.svg"}
    assert all(table.markdown() in path.read_text() for path in files)


@pytest.mark.parametrize("arguments, message", [
    (["nothing"], "invalid choice: 'nothing'"),
    (["all"], "--out belongs to `report all`"),
    (["sizes", "--out", "x"], "--out belongs to `report all`"),
    (["sizes", "--update", "x"], "--update belongs to `report all`"),
    (["all", "--out", "x", "--json", "y"], "--json goes with one table"),
])  # fmt: skip
def test_bad_input(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.run(lambda: command.main(arguments))
    printed = capsys.readouterr().err
    assert stop.value.code == 2 and message in printed and printed.count("\n") == 1
