"""The folder of a sweep: killed at any byte, full, of another sweep, used twice."""

import json

import numpy as np
import pytest

from hfn_accel.errors import HfnError
from hfn_accel.exploration import space, sweep, table
from hfn_accel.exploration.columns import COLUMNS, POINT, REASON, TEXT
from hfn_accel.exploration.store import Store

AXES = {"network": "hfn-resnet18", "density": [0.1, 0.2, 0.3], "pe": ["4x4", "8x8", "8x16"],
        "latency": [1, 2]}  # fmt: skip


DAMAGE = [(b",,", b",abc,"), (b'0,"x, y",', b"0,"), (b'"x, y"', b'"x, \xff"'),
          (b'0,"x', b'0,x"'), (b"0,", b"9" * 5000 + b",")]  # fmt: skip
"""Of the first line: bytes, and others in their place that leave no row."""


@pytest.fixture
def found(monkeypatch) -> sweep.Sweep:
    monkeypatch.setattr(space, "CHUNK", 4)  # of 18 points: 4, 2, 4, 2, 4, 2
    return sweep.parse({"axes": AXES})


def lines(found: sweep.Sweep, chunk: int) -> bytes:
    """A chunk's lines, of various lengths."""
    numbers = found.space.numbers(found.space.chunks[chunk])
    rows = {c: np.full(len(numbers), "x, y" if c in TEXT else np.nan) for c in COLUMNS}
    reasons = np.array([int(n) * "no" for n in numbers], object)
    return table.rows(rows | {POINT: numbers, REASON: reasons})


def fill(store: Store, found: sweep.Sweep, chunks) -> None:
    for chunk in chunks:
        store.append(chunk, lines(found, chunk))


def finished(found: sweep.Sweep) -> bytes:
    return table.header() + b"".join(lines(found, i) for i in range(len(found.space.chunks)))


def test_killed_at_any_byte(tmp_path, found):
    """What is left of the file are whole chunks; going on gives the whole file."""
    order = [3, 0, 5, 2, 1, 4]
    with Store(tmp_path / "a", found.space, found.about) as store:
        fill(store, found, order)
        ends = [store.done[chunk][1] for chunk in order]
    data = (tmp_path / "a" / "points.csv").read_bytes()
    for size in [*range(len(table.header()), len(data), 3), len(data)]:
        (tmp_path / "a" / "points.csv").write_bytes(data[:size])
        with Store(tmp_path / "a", found.space, found.about) as store:
            whole = [chunk for chunk, end in zip(order, ends, strict=True) if end <= size]
            assert list(store.done) == whole
            fill(store, found, [i for i in range(6) if i not in store.done])
            store.sort()
        assert (tmp_path / "a" / "points.csv").read_bytes() == finished(found)


def test_a_spoilt_chunk_and_what_follows_are_computed_again(tmp_path, found):
    with Store(tmp_path, found.space, found.about) as store:
        fill(store, found, range(6))
        start = store.done[2][0]
    path = tmp_path / "points.csv"
    data = bytearray(path.read_bytes())
    data[start : start + 1] = b"\0"
    path.write_bytes(data)
    with Store(tmp_path, found.space, found.about) as store:
        assert list(store.done) == [0, 1]
    assert path.read_bytes() == data[:start]
    for old, new in DAMAGE:
        data = bytearray(finished(found))
        at = data.index(old, len(table.header()))
        data[at : at + len(old)] = new
        path.write_bytes(data)
        with Store(tmp_path, found.space, found.about) as store:
            assert list(store.done) == [], new
    path.write_bytes(b"point,cycles\r\n")
    with pytest.raises(HfnError, match="points.csv is damaged: --restart"):
        Store(tmp_path, found.space, found.about)


def test_another_sweep_is_refused(tmp_path, found):
    with Store(tmp_path, found.space, found.about) as store:
        fill(store, found, [0])
    (tmp_path / "front.csv").touch()
    other = sweep.parse({"axes": AXES | {"batch": 2}})
    before = (tmp_path / "points.csv").read_bytes()
    with pytest.raises(HfnError, match="holds another sweep: .*--restart"):
        Store(tmp_path, other.space, other.about)
    assert (tmp_path / "points.csv").read_bytes() == before
    for text in ("", "[]", "{", '{"digest": null}'):
        (tmp_path / "sweep.json").write_text(text)
        with pytest.raises(HfnError, match="holds another sweep"):
            Store(tmp_path, found.space, found.about)
    with Store(tmp_path, other.space, other.about, restart=True) as store:
        assert not store.done
    assert sorted(p.name for p in tmp_path.iterdir()) == ["points.csv", "sweep.json"]
    assert json.loads((tmp_path / "sweep.json").read_text())["axes"]["batch"] == [2]


def test_one_writer_at_a_time(tmp_path, found):
    with Store(tmp_path, found.space, found.about):
        with pytest.raises(HfnError, match="another sweep is writing into"):
            Store(tmp_path, found.space, found.about, restart=True)
    Store(tmp_path, found.space, found.about).__exit__()


class Full:
    """A file that takes `room` bytes more."""

    def __init__(self, file, room: int):
        self._file, self._room = file, room

    def __getattr__(self, name):
        return getattr(self._file, name)

    def write(self, data) -> int:
        if not self._room:
            raise OSError(28, "No space left on device")
        part = bytes(data[: self._room])
        self._room -= len(part)
        return self._file.write(part)


def test_full_disk(tmp_path, found):
    with Store(tmp_path, found.space, found.about) as store:
        fill(store, found, [0])
        store._file = Full(store._file, len(lines(found, 1)) - 1)
        with pytest.raises(HfnError, match="cannot write .*points.csv: No space left on device"):
            fill(store, found, [1])
    assert (tmp_path / "points.csv").read_bytes() == table.header() + lines(found, 0)
