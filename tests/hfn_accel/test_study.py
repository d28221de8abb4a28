"""Comparisons of searches: what is run, resume, tables, bad input."""

import json

import pytest

from hfn_accel import study, train
from hfn_accel.errors import HfnError

TINY = ["--dataset", "digits", "--arch", "4x1,4x2f", "--epochs", "1", "--batch", "128"]


def compare(folder, *options):
    return study.arguments([*TINY, "--seeds", "2", "--out", str(folder), *options])


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """(folder, arguments, result) of the named comparison."""
    folder = tmp_path_factory.mktemp("study")
    args = compare(folder, "generators")
    result = study.study(args)
    study.write(result, folder)
    return folder, args, result


def test_every_value_with_every_seed(done):
    folder, _, result = done
    values = ["sequence", "shifted", "generator"]
    assert [(r["seed"], r["value"]) for r in result["runs"]] == [
        (seed, value) for seed in (1, 2) for value in values]  # fmt: skip
    for run in result["runs"]:
        found = json.loads((folder / f"weights-{run['value']}-{run['seed']}.json").read_text())
        assert run["accuracy"] == found["float_accuracy"]
        assert (found["recipe"]["weights"], found["seed"]) == (run["value"], run["seed"])
    assert len({run["accuracy"] for run in result["runs"]}) > 2  # signs and seeds matter
    assert list(result["groups"]) == values and len(result["pairs"]) == 3
    mine = [run["accuracy"] for run in result["runs"] if run["value"] == "shifted"]
    assert result["groups"]["shifted"]["mean"] == pytest.approx(sum(mine) / 2)
    for name in ("study.json", "study.csv", "study.md", "study.png", "study.svg"):
        assert (folder / name).stat().st_size


def test_what_is_finished_is_kept(done, monkeypatch):
    folder, args, result = done
    (folder / "weights-shifted-2.json").unlink()
    calls, one = [], train.train

    def counted(args):
        calls.append(args.out.name)
        return one(args)

    monkeypatch.setattr(train, "train", counted)
    assert study.study(args) == result
    assert calls == ["weights-shifted-2.safetensors"]
    more = study.study(compare(folder, "generators", "--seeds", "3"))
    assert len(calls) == 4 and len(more["runs"]) == 9
    assert more["runs"][:6] == result["runs"]


def test_another_recipes_or_damaged_results(done, tmp_path):
    folder, *_ = done
    with pytest.raises(HfnError, match="-1.json is of a search with lr 0.1, not 0.2; choose"):
        study.study(compare(folder, "generators", "--lr", "0.2"))
    for content in ("", "[]", '{"recipe": {"dataset": "digits"}}', '{"recipe": 3}'):
        (tmp_path / "weights-sequence-1.json").write_text(content)
        with pytest.raises(HfnError, match="weights-sequence-1.json is damaged .*; delete it"):
            study.study(compare(tmp_path, "generators"))


def test_processes_find_the_same(done, tmp_path):
    result = study.study(compare(tmp_path, "--compare", "weights=sequence,generator",
                                 "--processes", "2"))  # fmt: skip
    expected = [run for run in done[2]["runs"] if run["value"] != "shifted"]
    assert result["runs"] == expected


def test_any_field_can_be_compared(tmp_path):
    def recipes(text, *options):
        return compare(tmp_path, "--compare", text, *options).recipes

    found = recipes("arch=4x1,4x2f; 4x1,4x2")
    assert [recipe.arch for recipe in found.values()] == ["4x1,4x2f", "4x1,4x2"]
    assert [r.density for r in recipes("density=0.3,0.5").values()] == [0.3, 0.5]
    assert [r.quantise_from for r in recipes("quantise-from=0,1").values()] == [0, 1]
    assert [r.norms for r in recipes("norms=shared,unshared").values()] == ["shared", "unshared"]
    methods = recipes("method=biprop,edge-popup", "--lr", "0.05")
    assert [r.magnitudes for r in methods.values()] == ["normal", "constant"]
    assert [r.quantise_from for r in recipes("epochs=4,8").values()] == [3, 6]
    assert {(r.lr, r.batch) for r in methods.values()} == {(0.05, 128)}
    args = compare(tmp_path, "--compare", "arch=4x1,4x2f;4x1,4x2", "--data", "D", "--threads", "3")
    first = study.runs(args)[0]
    assert first.out.name == "arch-4x1-4x2f-1.safetensors"
    assert first.options == ("--threads", "3", "--device", "cpu", "--data", "D")


@pytest.mark.parametrize("options, message", [
    ([], "give either generators or --compare"),
    (["generators", "--compare", "lr=1,2"], "give either generators or --compare"),
    (["--compare", "weights"], "--compare must be FIELD=A,B,... with one of arch, method"),
    (["--compare", "seed=1,2"], "--compare must be FIELD=A,B"),
    (["--compare", "weights=sequence"], "at least two values, each of its own"),
    (["--compare", "density=0.3,0.30"], "at least two values, each of its own"),
    (["--compare", "weights=sequence,random"], "weights must be one of sequence, shifted"),
    (["--compare", "density=0.3,2"], "density must be above 0 and at most 1, not '2'"),
    (["--compare", "coats=1,2"], "coats belongs to method multicoat, not edge-popup"),
    (["generators", "--seeds", "1"], "--seeds must be from 2 to 1000, not 1"),
    (["generators", "--processes", "0"], "--processes must be from 1 to 256, not 0"),
    (["generators", "--threads", "0"], "--threads must be from 1 to 256, not 0"),
    (["generators", "--threads", "100000"], "--threads must be from 1 to 256, not 100000"),
    (["--compare", "lr=" + ",".join(f"0.{i}" for i in range(11, 28))], "16 values at most, not 17"),
])  # fmt: skip
def test_wrong_options(tmp_path, options, message):
    with pytest.raises(HfnError, match=message):
        compare(tmp_path, *options)


def test_markdown():
    """Per cent and points, by hand."""
    group = {"runs": 2, "mean": 0.8125, "standard_deviation": 0.015, "interval": [0.8, 0.825]}
    pair = {"a": "x", "b": "y", "difference": -0.0125, "interval": [-0.03, 0.005], "t": -1.5,
            "degrees_of_freedom": 1.25, "p": 0.0312}  # fmt: skip
    none = {"a": "x", "b": "z", "difference": 0.0, "interval": None, "t": None,
            "degrees_of_freedom": None, "p": None}  # fmt: skip
    text = study.markdown({"field": "norms", "groups": {"x": group}, "pairs": [pair, none],
                           "variance": {"F": 2.5, "p": 0.2}})  # fmt: skip
    assert "| x | 2 | 81.25% | 1.50 | 80.00% to 82.50% |\n" in text
    assert "| x - y | -1.25 | -3.00 to +0.50 | -1.50 | 1.2 | 0.031 |\n" in text
    assert "| x - z | +0.00 | no spread |  |  |  |\n" in text
    assert text.endswith("One-way analysis of variance: F = 2.50, p = 0.2.\n")
