"""`python -m hfn_accel.train`: a digits ticket from nothing, resume, and every wrong input."""

import json
import subprocess
import sys

import numpy as np
import pytest

from hfn_accel import ticket, train
from hfn_accel.errors import HfnError

DIGITS = ["--dataset", "digits", "--arch", "8x1,16x2f", "--batch", "32", "--threads", "1"]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A finished search through the command line: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("digits")
    words = [*DIGITS, "--epochs", "12", "--out", folder / "t.safetensors"]
    done = subprocess.run([sys.executable, "-m", "hfn_accel.train", *words, "--json",
                           folder / "t.json"], capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, done


def test_digits_ticket(found):
    """Trained, exported and measured in seconds; chance is 10 %."""
    folder, done = found
    result = json.loads((folder / "t.json").read_text())
    assert result["integer_accuracy"] > 0.85
    assert abs(result["integer_accuracy"] - result["float_accuracy"]) <= 0.02
    assert result["test_images"] == 360 and len(result["history"]) == result["epochs"] == 12
    assert f"integer accuracy  {result['integer_accuracy']:.2%}" in done.stdout
    assert done.stderr == ""  # progress is for terminals
    assert {p.name for p in folder.iterdir()} == {"t.safetensors", "t.ckpt", "t.csv", "t.json"}


def test_ticket_loads_and_classifies(found):
    from golden import data
    from golden.integer import IntegerResNet, accuracy

    folder, _ = found
    result = json.loads((folder / "t.json").read_text())
    loaded = ticket.load(folder / "t.safetensors")
    digits = data.load("digits")
    measured = accuracy(IntegerResNet(loaded), digits.test_images, digits.test_labels)
    assert measured == result["integer_accuracy"]
    assert loaded.provenance["integer_accuracy"] == str(measured)
    assert loaded.provenance["dataset"] == "digits" and loaded.provenance["epochs"] == "12"
    assert loaded.provenance["command"] == result["command"]
    assert str(folder) not in loaded.provenance["command"]
    assert loaded.class_names == tuple("0123456789") and loaded.seed == 1
    assert {norm.bits for norm in loaded.norms} == {4, 8}
    weights = [loaded.weights(t) for t in range(len(loaded.masks))]
    kept = np.mean(np.concatenate([np.abs(w).ravel() for w in weights]))
    assert kept == pytest.approx(0.3, abs=0.01)


def test_same_seed_same_ticket_and_a_finished_search_only_exports(found, tmp_path):
    folder, _ = found
    content = (folder / "t.safetensors").read_bytes()
    words = (result := json.loads((folder / "t.json").read_text()))["command"].split()
    assert words[:3] == ["python", "-m", "hfn_accel.train"]  # the recorded command repeats it
    words[words.index("--out") + 1] = str(tmp_path / "t.safetensors")
    again = train.train(train.arguments(words[3:]))
    assert again["integer_accuracy"] == result["integer_accuracy"]
    first, second = (ticket.load(f / "t.safetensors") for f in (folder, tmp_path))
    assert all(np.array_equal(a, b) for a, b in zip(first.masks, second.masks, strict=True))
    assert all(np.array_equal(a.bias, b.bias) and a.shift == b.shift
               for a, b in zip(first.norms, second.norms, strict=True))  # fmt: skip
    checkpoint = (folder / "t.ckpt").stat().st_mtime_ns
    (folder / "t.safetensors").unlink()
    words[words.index("--out") + 1] = str(folder / "t.safetensors")
    train.train(train.arguments(words[3:]))
    assert (folder / "t.safetensors").read_bytes() == content
    assert (folder / "t.ckpt").stat().st_mtime_ns == checkpoint


def test_another_searchs_checkpoint_is_refused(found):
    folder, _ = found
    before = (folder / "t.safetensors").read_bytes()
    args = train.arguments([*DIGITS, "--epochs", "13", "--out", str(folder / "t.safetensors")])
    with pytest.raises(HfnError, match="belongs to another search"):
        train.train(args)
    assert (folder / "t.safetensors").read_bytes() == before


def test_dense_training_gives_no_ticket(tmp_path, monkeypatch, capsys):
    out = tmp_path / "dense.safetensors"
    words = ["--method", "dense", "--epochs", "4", "--lr", "0.05", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["train", *DIGITS, *words])
    monkeypatch.setattr(train, "keep_freed_memory", lambda: None)
    train.main()
    assert "not a ticket" in capsys.readouterr().out
    result = json.loads((tmp_path / "dense.json").read_text())
    assert result["float_accuracy"] > 0.8 and "integer_accuracy" not in result
    with pytest.raises(HfnError, match="not a ticket"):
        ticket.load(out)


def test_quantisation_after_the_search(tmp_path):
    args = train.arguments([*DIGITS, "--epochs", "3", "--quantise-from", "3", "--act-bits", "6",
                            "--out", str(tmp_path / "t.safetensors")])  # fmt: skip
    result = train.train(args)
    assert abs(result["integer_accuracy"] - result["float_accuracy"]) <= 0.02
    assert {n.bits for n in ticket.load(tmp_path / "t.safetensors").norms} == {6, 8}


@pytest.mark.parametrize("words, message", [
    (["--dataset", "mnist"], "invalid choice: 'mnist'"),
    (["--density", "0"], "--density: must be above 0 and at most 1, not '0'"),
    (["--density", "nan"], "--density: must be above 0"),
    (["--act-bits", "9"], "--act-bits: must be an integer from 1 to 8, not '9'"),
    (["--epochs", "0"], "--epochs: must be an integer of at least 1"),
    (["--quantise-from", "41"], "--quantise-from must be at most --epochs 40"),
    (["--lr", "-1"], "--lr: must be a positive number"),
    (["--seed", "-1"], "--seed: must be from 0"),
    (["--arch", "8x"], "architecture must be WIDTHxBLOCKS"),
    (["--arch", "5000x1"], "stage width must be"),
    (["--batch", "1438"], "--batch must be at most 1437 for digits"),
    (["--out", "nowhere/t.safetensors"], "cannot write into folder nowhere"),
    (["--out", "/dev/null/t.safetensors"], "cannot write into folder /dev/null"),
    (["--threads", "257"], "--threads: must be an integer from 1 to 256"),
    (["--out", "t.bin"], "--out must end in .safetensors"),
    (["--dataset", "cifar10"], "cifar10 needs --data DIR"),
    (["--dataset", "cifar10", "--data", "nowhere"], "there is no data folder nowhere"),
])  # fmt: skip
def test_wrong_input_ends_with_one_line(tmp_path, monkeypatch, capsys, words, message):
    from hfn_accel.cli import run

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train", *DIGITS, "--out", "t.safetensors", *words])
    monkeypatch.setattr(train, "keep_freed_memory", lambda: None)
    with pytest.raises(SystemExit) as end:
        run(train.main)
    error = capsys.readouterr().err
    assert end.value.code == 2 and message in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code, message", [
    ("sys.modules['torch'] = None", "'torch': pip install 'hfn-accel[train]'"),
    ("sys.path.insert(0, 'foreign')", "own package 'golden' is hidden by"),
])  # fmt: skip
def test_missing_packages_end_with_one_line(tmp_path, code, message):
    (tmp_path / "foreign" / "golden").mkdir(parents=True)
    (tmp_path / "foreign" / "golden" / "__init__.py").write_text("")
    script = (
        f"import sys; {code}; from hfn_accel import train; from hfn_accel.cli import run; "
        f"sys.argv += ['--dataset', 'digits', '--out', 'x.safetensors']; run(train.main)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                          cwd=tmp_path, timeout=60)  # fmt: skip
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1
    assert {p.name for p in tmp_path.iterdir()} == {"foreign"}


def test_help_needs_no_torch():
    script = "import sys; sys.modules['torch'] = None; from hfn_accel import train; train.main()"
    done = subprocess.run([sys.executable, "-c", script, "--help"], capture_output=True, text=True,
                          timeout=60)  # fmt: skip
    assert done.returncode == 0 and "--density" in done.stdout


def test_keep_freed_memory_is_harmless():
    script = ("from hfn_accel.train import keep_freed_memory as k; k(); k(); "
              "b = [bytes(1 << 26) for _ in range(4)]; print(len(b))")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                          timeout=60)  # fmt: skip
    assert done.returncode == 0 and done.stdout == "4\n"
