"""The table of synthesis results: what it holds, and its file."""

import pytest

from hfn_accel import synthesis_table as table
from hfn_accel.config import Config
from hfn_accel.errors import HfnError


def row(pe: str, unit=table.CORE, target="ecp5", **figures) -> dict:
    return {"config": Config.parse(pe).to_dict(), "target": target, "library": "", "unit": unit,
            "made_of": {}, "cells": {}, "figures": figures}  # fmt: skip


def test_a_file_is_read_as_written(tmp_path):
    rows = [row("8x8", table.ARRAY, lut=256), row("16x8"), row("8x8"), row("8x8", target="ice40")]
    path = tmp_path / "t.json"
    table.write(path, {table.key(r): r for r in rows})
    again = table.read(path)
    assert list(again.values()) == [rows[2], rows[1], rows[3], rows[0]]
    assert table.cores(again.values()) == [rows[2], rows[1]]
    assert table.per_position(rows[0]) == 4
    assert len(path.read_text().splitlines()) == 2 + len(rows)
    assert table.read(tmp_path / "none.json") == {}


def test_a_field_that_a_row_lacks_has_its_default(tmp_path):
    """Rows of an older `Config`."""
    old = row("8x8")
    del old["config"]["accumulator_bits"]
    assert table.key(old) == table.key(row("8x8"))


@pytest.mark.parametrize("text", ["x", "{}{}", '[{"unit": "core"}]', "[1]", '{"a": 1}', "[[]]"])
def test_another_file(tmp_path, text):
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(HfnError, match="is not a table of synthesis results"):
        table.read(path)


def test_the_packaged_table():
    rows = table.read(table.MEASURED)
    assert rows and all(table.key(r) == k for k, r in rows.items())
    assert all("mhz" in r["clock"] or "failed" in r["clock"] for r in rows.values() if "clock" in r)


def test_names():
    assert table.name(Config.parse("8x4")) == "8x4"
    assert table.name(Config(requantisers=1, psum_depth=64)) == "16x16 requantisers=1 psum_depth=64"
