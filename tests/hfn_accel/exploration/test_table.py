"""Tables as CSV."""

import csv
import io

import numpy as np

from hfn_accel.exploration import table
from hfn_accel.exploration.columns import COLUMNS, TEXT

AWKWARD = ("", 'said "so"', "a, b", "é µ")


def random_table(rng, points: int) -> dict[str, np.ndarray]:
    def column(name):
        if name in TEXT:
            return np.array(rng.choice(AWKWARD, points), object)
        if rng.integers(2):
            return rng.integers(0, 1 << 50, points)
        values = rng.random(points) * 10.0 ** rng.integers(-12, 15, points)
        values[rng.random(points) < 0.3] = np.nan
        return values

    return {name: column(name) for name in COLUMNS}


def test_read_is_the_inverse(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "_LINES", 7)
    rng = np.random.default_rng(0)
    path = tmp_path / "t.csv"
    for points in (1, 7, 50):
        written = random_table(rng, points)
        path.write_bytes(table.header() + table.rows(written))
        where = rng.random(points) < 0.5
        where[0] = True
        for rows in (None, where):
            found = table.read(path, where=rows)
            for name, values in written.items():
                np.testing.assert_array_equal(found[name], values[... if rows is None else rows])
        assert list(table.read(path, ["cycles", "network"])) == ["cycles", "network"]


def test_integers_have_no_point_and_unknown_is_empty():
    row = dict.fromkeys(COLUMNS, np.array([0.5]))
    row |= {"cycles": np.array([3.0]), "macs": np.array([np.nan])}
    row |= {name: np.array([1], np.int64) for name in ("point", "coded")}
    row["network"] = np.array(["two\r\n lines"], object)
    cells = dict(zip(COLUMNS, next(csv.reader(io.StringIO(table.rows(row).decode()))),
                     strict=True))  # fmt: skip
    assert (cells["cycles"], cells["macs"], cells["coded"]) == ("3", "", "1")
    assert cells["network"] == "two lines" and cells["folding"] == "0.5"


def test_take(tmp_path):
    path = tmp_path / "t.csv"
    written = random_table(np.random.default_rng(1), 20)
    path.write_bytes(table.header() + table.rows(written))
    where = written["point"] % 3 == 0
    (tmp_path / "u.csv").write_bytes(table.take(path, where))
    assert table.read(tmp_path / "u.csv")["point"].tolist() == written["point"][where].tolist()
