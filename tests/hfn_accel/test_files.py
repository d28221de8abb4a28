import os

import pytest

from hfn_accel.errors import HfnError
from hfn_accel.files import atomic_write, make_folder, read_bytes, write_json


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "x"
    for data in (b"first", b"second"):
        atomic_write(path, data)
        assert path.read_bytes() == read_bytes(path) == data
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", ["", ".", "/", "none/x", "file/x", "folder", "a" * 300])
def test_unwritable_places(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(HfnError, match="cannot write"):
        write_json(place, {})
    assert {p.name for p in tmp_path.rglob("*")} == {"file", "folder"}


def test_a_pipe_is_written_and_stays(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDWR)
    atomic_write(path, b"data")
    assert os.read(reader, 9) == b"data" and path.is_fifo()
    os.close(reader)


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("hfn_accel.files.os.replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic_write(tmp_path / "x", b"data")
    assert not list(tmp_path.iterdir())


def test_make_folder(tmp_path):
    assert make_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_bytes(b"")
    for place in ("file", "file/x"):
        with pytest.raises(HfnError, match="cannot make the folder"):
            make_folder(tmp_path / place)
