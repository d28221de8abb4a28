"""`python -m hfn_accel.train`: tickets from nothing by every method, resume, and wrong inputs."""

import json
import shlex
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from hfn_accel import rooms, ticket, train
from hfn_accel.cli import run
from hfn_accel.errors import HfnError
from hfn_accel.program import Signs
from hfn_accel.recipe import Recipe

pytest.importorskip("torch")
DIGITS = ["--dataset", "digits", "--arch", "8x1,16x2f", "--batch", "32", "--threads", "1"]
TINY = ["--dataset", "digits", "--arch", "4x1,4x2f", "--batch", "128", "--threads", "1",
        "--epochs", "2"]  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A finished search through the command line: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("digits")
    words = [*DIGITS, "--epochs", "12", "--out", folder / "t.safetensors", "--plot", folder / "p"]
    done = subprocess.run([sys.executable, "-m", "hfn_accel.train", *words, "--json",
                           folder / "t.json"], capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, done


def search(folder, *words):
    """The result of a tiny search with these options more, and its ticket's path."""
    out = folder / "t.safetensors"
    return train.train(train.arguments([*TINY, *words, "--out", str(out)])), out


def repeat(command: str, out):
    """Do what a recorded command says, to another place."""
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "hfn_accel.train"]
    words[words.index("--out") + 1] = str(out)
    return train.train(train.arguments(words[3:]))


def test_digits_ticket(found):
    """Trained, exported and measured in seconds; chance is 10 %."""
    folder, done = found
    result = json.loads((folder / "t.json").read_text())
    assert result["integer_accuracy"] > 0.85
    assert abs(result["integer_accuracy"] - result["float_quantised_accuracy"]) <= 0.01
    assert abs(result["integer_accuracy"] - result["float_accuracy"]) <= 0.04
    assert result["test_images"] == 360 and len(result["history"]) == result["epochs"] == 12
    assert f"integer accuracy     {result['integer_accuracy']:.2%}" in done.stdout
    assert done.stderr == ""  # progress is for terminals
    assert {p.name for p in folder.iterdir()} == {
        "t.safetensors", "t.ckpt", "t.csv", "t.density.csv", "t.logs", "t.json", "p"}  # fmt: skip
    assert {p.name for p in (folder / "p").iterdir()} == {
        "learning.png", "learning.svg", "density.png", "density.svg"}  # fmt: skip


def test_ticket_loads_and_classifies(found):
    from golden import data
    from golden.integer import IntegerResNet, accuracy

    folder, _ = found
    result = json.loads((folder / "t.json").read_text())
    loaded = ticket.load(folder / "t.safetensors")
    digits = data.load("digits")
    measured = accuracy(IntegerResNet(loaded), digits.test_images, digits.test_labels)
    assert measured == result["integer_accuracy"]
    assert loaded.class_names == tuple("0123456789") and loaded.seed == 1
    assert {norm.bits for norm in loaded.norms} == {4, 8}
    weights = [loaded.weights(t) for t in range(len(loaded.masks))]
    kept = np.mean(np.concatenate([np.abs(w).ravel() for w in weights]))
    assert kept == pytest.approx(0.3, abs=0.01)


def test_provenance(found):
    folder, _ = found
    result = json.loads((folder / "t.json").read_text())
    said = ticket.load(folder / "t.safetensors").provenance
    names = ("dataset", "method", "seed", "command", "epochs", "seconds", "test_images",
             "float_accuracy", "float_quantised_accuracy", "integer_accuracy")  # fmt: skip
    assert {name: said[name] for name in names} == {name: str(result[name]) for name in names}
    recipe = Recipe.from_dict(json.loads(said["recipe"]))
    assert recipe == Recipe(dataset="digits", arch="8x1,16x2f", batch=32, epochs=12)
    assert set(said) == {*names, "recipe"}
    assert said["command"] == (
        "python -m hfn_accel.train --dataset digits --arch 8x1,16x2f --epochs 12 --batch 32 "
        "--threads 1 --out t.safetensors"
    )


def test_the_recorded_command_repeats_the_search(found, tmp_path):
    folder, _ = found
    result = json.loads((folder / "t.json").read_text())
    again = repeat(result["command"], tmp_path / "t.safetensors")
    assert again["integer_accuracy"] == result["integer_accuracy"]
    first, second = (ticket.load(f / "t.safetensors") for f in (folder, tmp_path))
    assert all(np.array_equal(a, b) for a, b in zip(first.masks, second.masks, strict=True))
    assert all(np.array_equal(a.bias, b.bias) and a.shift == b.shift
               for a, b in zip(first.norms, second.norms, strict=True))  # fmt: skip


def test_a_finished_search_is_only_exported(found):
    folder, _ = found
    out = folder / "t.safetensors"
    content, written = out.read_bytes(), (folder / "t.ckpt").stat().st_mtime_ns
    out.unlink()
    repeat(json.loads((folder / "t.json").read_text())["command"], out)
    assert out.read_bytes() == content and (folder / "t.ckpt").stat().st_mtime_ns == written


def test_lost_densities_of_a_finished_search_are_drawn(tmp_path):
    _, out = search(tmp_path)
    logs = [out.with_suffix(".density.csv"), out.with_suffix(".csv")]
    contents = [path.read_bytes() for path in logs]
    for path in logs:
        path.unlink()
        search(tmp_path, "--plot", str(tmp_path / "p"))
        assert [path.read_bytes() for path in logs] == contents
    assert (tmp_path / "p" / "density.png").exists()


def test_another_searchs_checkpoint_is_refused(found):
    folder, _ = found
    before = (folder / "t.safetensors").read_bytes()
    args = train.arguments([*DIGITS, "--epochs", "13", "--out", str(folder / "t.safetensors")])
    with pytest.raises(HfnError, match="belongs to a search with"):
        train.train(args)
    assert (folder / "t.safetensors").read_bytes() == before


def test_which_accuracy_is_which(tmp_path, monkeypatch):
    def measured(model, images, labels, device):
        assert len(images) == len(labels) == 360  # the test images
        return 0.75 if model.quantisers[0].enabled else 0.25

    load, fake = rooms.load, {"golden.training.accuracy": SimpleNamespace(accuracy=measured)}
    monkeypatch.setattr(rooms, "load", lambda module, *rest, **named: (
        fake.get(module) or load(module, *rest, **named)))  # fmt: skip
    result, _ = search(tmp_path)
    assert (result["float_accuracy"], result["float_quantised_accuracy"]) == (0.25, 0.75)


@pytest.mark.parametrize("words, of_a_tensor", [
    (["--method", "biprop", "--act-bits", "b"],
     lambda t: {(n.bits, n.bipolar) for n in t.norms} == {(1, True), (8, False)}),
    (["--recycle-every", "1", "--recycle-fraction", "0.5", "--density", "0.8"],
     lambda t: {m.signs for m in t.modes} == {Signs.EXCEPTIONS}),
    (["--method", "multicoat", "--coats", "3", "--act-bits", "8"],
     lambda t: {m.coats for m in t.modes} == {3} and max(m.max() for m in t.masks) == 3),
    (["--method", "frozen", "--pruned", "0.375", "--locked", "0.125"],
     lambda t: {(m.pruned, m.locked) for m in t.modes} == {(6, 2)}),
    (["--weights", "shifted", "--explicit-signs"],
     lambda t: {m.signs for m in t.modes} == {Signs.EXPLICIT}),
    (["--threshold", "global", "--scales", "learned", "--norms", "shared", "--seed", "5",
      "--quantise-from", "1"], lambda t: t.seed == 5),
])  # fmt: skip
def test_every_method_becomes_a_ticket(tmp_path, words, of_a_tensor):
    result, out = search(tmp_path, *words)
    loaded = ticket.load(out)
    assert of_a_tensor(loaded) and result["no_ticket"] is None
    assert result["bytes"] == out.stat().st_size
    said = train.arguments([*TINY, *words, "--out", "t.safetensors"]).chosen
    assert Recipe.from_dict(json.loads(loaded.provenance["recipe"])) == said
    repeated = shlex.split(result["command"])
    again = train.arguments([*repeated[3:-1], "t.safetensors"])
    assert again.chosen == said and again.explicit_signs == ("--explicit-signs" in words)


@pytest.mark.parametrize("words, reason", [
    (["--method", "dense", "--lr", "0.05"], "dense weights"),
    (["--weights", "generator"], "generator signs without --explicit-signs"),
    (["--magnitudes", "normal"], "normal magnitudes"),
    (["--method", "frozen", "--pruned", "0.5", "--freeze-pattern", "generator"],
     "a frozen pattern of PyTorch's generator"),
])  # fmt: skip
def test_what_no_ticket_can_say(tmp_path, monkeypatch, capsys, words, reason):
    out = tmp_path / "real.safetensors"
    monkeypatch.setattr(sys, "argv", ["train", *TINY, *words, "--out", str(out)])
    monkeypatch.setattr(train, "keep_freed_memory", lambda: None)
    train.main()
    assert f"real.safetensors: {reason}, for comparison, not a ticket" in capsys.readouterr().out
    result = json.loads((tmp_path / "real.json").read_text())
    assert 0 < result["float_accuracy"] <= 1 and "integer_accuracy" not in result
    with pytest.raises(HfnError, match="not a ticket"):
        ticket.load(out)


def test_a_preset_with_changes(tmp_path):
    words = ["--preset", "multicoat-resnet18-linear", "--epochs", "1", "--quantise-from", "1",
             "--batch", "256"]  # fmt: skip
    result, _ = search(tmp_path, *words)
    assert result["command"].startswith("python -m hfn_accel.train --preset multicoat-resnet18-li")
    assert result["recipe"]["coat_rule"] == "linear" and result["recipe"]["batch"] == 256
    again = train.arguments([*shlex.split(result["command"])[3:-1], "t.safetensors"])
    assert again.chosen.to_dict() == result["recipe"]


@pytest.mark.parametrize("words, message", [
    (["--dataset", "mnist"], "dataset must be one of cifar10, cifar100, fashion-mnist, digits"),
    (["--density", "0"], "density must be above 0 and at most 1, not '0'"),
    (["--act-bits", "9"], "act_bits must be from 1 to 8 or b"),
    (["--quantise-from", "41"], "quantise_from must be at most epochs 40"),
    (["--seed", "-1"], "seed must be from 0"),
    (["--pruned", "0.5"], "pruned belongs to method frozen, not edge-popup"),
    (["--method", "frozen", "--pruned", "0.8"], "pruned must be at most 1 - density = 0.7"),
    (["--arch", "8x"], "architecture must be WIDTHxBLOCKS"),
    (["--preset", "best"], "--preset must be one of biprop-resnet18"),
    (["--recipe", "nowhere.toml"], "cannot read nowhere.toml"),
    (["--preset", "a", "--recipe", "b"], "not allowed with argument"),
    (["--batch", "1294"], "batch must be at most 1293, the images of digits"),
    (["--out", "nowhere/t.safetensors"], "cannot write into folder nowhere"),
    (["--out", "/dev/null/t.safetensors"], "cannot write into folder /dev/null"),
    (["--threads", "1025"], "--threads must be from 1 to 1024, not 1025"),
    (["--json", "nowhere/r.json"], "--json: cannot write into folder nowhere"),
    (["--json", "/"], "--json: / is a folder"),
    (["--dataset", "cifar10", "--data", "nowhere", "--plot", "p"], "there is no data folder"),
    (["--checkpoint-every", "0"], "--checkpoint-every must be from 1"),
    (["--out", "t.bin"], "--out must end in .safetensors"),
    (["--explicit-signs"], "--explicit-signs needs --weights shifted or generator"),
    (["--dataset", "cifar10"], "cifar10 needs --data DIR"),
    (["--dataset", "cifar10", "--data", "nowhere"], "there is no data folder nowhere"),
])  # fmt: skip
def test_wrong_input_ends_with_one_line(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train", *DIGITS, "--out", "t.safetensors", *words])
    monkeypatch.setattr(train, "keep_freed_memory", lambda: None)
    with pytest.raises(SystemExit) as end:
        run(train.main)
    error = capsys.readouterr().err
    assert end.value.code == 2 and message in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_two_processes_leave_one_ticket(tmp_path):
    """The first alone exports, and the record says how many there were."""
    words = [*TINY, "--batch", "64", "--out", tmp_path / "t.safetensors", "--json", "-",
             "--checkpoint-every", "7"]  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
                           "--master-port", "0", "--standalone", "-m", "hfn_accel.train", *words],
                          capture_output=True, text=True, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["command"].startswith("torchrun --nproc-per-node 2 -m hfn_accel.train --dataset")
    assert "--checkpoint-every 7" in result["command"]  # when running statistics are averaged
    loaded = ticket.load(tmp_path / "t.safetensors")
    assert loaded.provenance["integer_accuracy"] == str(result["integer_accuracy"])


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
    assert done.returncode == 0 and "--density" in done.stdout and "biprop" in done.stdout


def test_keep_freed_memory_is_harmless():
    script = ("from hfn_accel.train import keep_freed_memory as k; k(); k(); "
              "b = [bytes(1 << 26) for _ in range(4)]; print(len(b))")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                          timeout=60)  # fmt: skip
    assert done.returncode == 0 and done.stdout == "4\n"
