"""`python -m hfn_accel.bench`: its output, JSON and picture."""

import json
import sys

import pytest

from hfn_accel import bench
from hfn_accel.cli import run


def test_sequence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "SPEED_SHAPE", (64, 576))
    monkeypatch.setattr(bench, "TAIL_MATRICES", 1)
    words = ["sequence", "--plot", str(tmp_path / "s.png"), "--json", str(tmp_path / "s.json")]
    monkeypatch.setattr(sys, "argv", ["bench", *words])
    bench.main()
    result = json.loads((tmp_path / "s.json").read_text())
    rates = result["signs_per_second"]
    assert result["ratio_to_numpy"] == rates["sequence"] / rates["numpy"] > 0
    ranks = {name: row["effective_rank"] for name, row in result["statistics"].items()}
    assert ranks["sequence"] > 200 > 70 > ranks["one_shift_a_word_64"]
    assert f"{result['ratio_to_numpy']:.2f}" in capsys.readouterr().out
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")


def test_wrong_input_ends_with_one_line(tmp_path, monkeypatch, capsys):
    for words in (["nothing"], ["sequence", "--plot", str(tmp_path / "nowhere" / "s.png")]):
        monkeypatch.setattr(sys, "argv", ["bench", *words])
        monkeypatch.setattr(bench, "SPEED_SHAPE", (8, 64))
        monkeypatch.setattr(bench, "TAIL_MATRICES", 1)
        with pytest.raises(SystemExit) as end:
            run(bench.main)
        assert end.value.code == 2 and capsys.readouterr().err.count("\n") == 1
