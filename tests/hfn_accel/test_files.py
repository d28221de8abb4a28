import subprocess
import sys

import pytest

from hfn_accel import cli
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


def test_an_error_is_one_line(capsys):
    def main():
        raise HfnError("two\n  lines")

    with pytest.raises(SystemExit) as end:
        cli.run(main)
    assert end.value.code == 2 and capsys.readouterr().err == "error: two lines\n"
    with pytest.raises(SystemExit):
        cli.parser("x", "").error("two\nlines")
    assert capsys.readouterr().err == "hfn_accel.x: error: two lines\n"


@pytest.mark.parametrize("target, code, message", [
    ("/dev/full", 2, "error: No space left on device\n"),
    (None, 141, ""),
])  # fmt: skip
def test_standard_output_that_ends(target, code, message):
    """A full disk is an error in one line; a reader that has seen enough is none."""
    script = "from hfn_accel import cli; cli.run(lambda: [print('line') for _ in range(100_000)])"
    out = subprocess.PIPE if target is None else open(target, "w")
    with subprocess.Popen([sys.executable, "-c", script], stdout=out, stderr=subprocess.PIPE,
                          text=True) as process:  # fmt: skip
        if target is None:
            process.stdout.readline()
        process.stdout = process.stdout and process.stdout.close()
        error = process.stderr.read()
    assert (process.returncode, error) == (code, message)
