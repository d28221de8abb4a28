"""A precision search on a tiny digits ticket: cycles, the exported ticket, resume, bad input."""

import csv
import json

import numpy as np
import pytest

from golden.precision import Network
from hfn_accel import precision, train
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.estimator import estimate
from hfn_accel.recipe import Recipe
from hfn_accel.ticket import load

PE = Config(rows=8, columns=8)
ARCH = "4x1,8x2f"  # 8 executed layers and the classifier


def trained(folder, *options):
    """A finished search's checkpoint."""
    out = folder / "t.safetensors"
    train.train(train.arguments(["--dataset", "digits", "--arch", ARCH, "--epochs", "3", "--batch",
                                 "32", "--threads", "1", "--out", str(out), *options]))  # fmt: skip
    return out.with_suffix(".ckpt")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("trained"))


def search(checkpoint, out, *options):
    return precision.search(precision.arguments([
        str(checkpoint), "--pe", "8x8", "--threads", "1", "--images", "60", "--out", str(out),
        "--json", "-", *options]))  # fmt: skip


@pytest.fixture(scope="module")
def found(checkpoint, tmp_path_factory):
    """(checkpoint, ticket's path, result)"""
    out = tmp_path_factory.mktemp("found") / "t2.safetensors"
    return checkpoint, out, search(checkpoint, out, "--max-drop", "0.05", "--bits", "2..5")


def test_cycles_fall_and_are_those_of_the_ticket(found):
    _, out, result = found
    way = sorted((p for p in result["points"] if p["step"] is not None), key=lambda p: p["step"])
    assert way[0]["act_bits"] == "5,5,5,5,5,5,5,5" and len(way) > 3
    assert all(np.diff([p["cycles"] for p in way]) < 0)
    ticket = load(out)
    run = estimate(compile(ticket, PE), PE, result["latency"])
    assert run.total_cycles == result["chosen"]["cycles"] < way[0]["cycles"]
    bits = [str(norm.bits) for norm in ticket.norms]
    assert ",".join(bits) == result["chosen"]["act_bits"]
    again = Recipe(dataset="digits", arch=ARCH, act_bits=result["chosen"]["act_bits"])
    assert [b.bits for b in again.layer_bits(ticket.arch)] == [n.bits for n in ticket.norms]
    assert float(ticket.provenance["integer_accuracy"]) == result["integer_accuracy"]
    assert "hfn_accel.precision t.ckpt" in ticket.provenance["command"]


def test_accuracy_stays_and_the_front_is_monotone(found):
    _, out, result = found
    way = [p for p in result["points"] if p["step"] is not None]
    best = max(way[0]["accuracy"], result["trained"]["accuracy"])
    assert result["chosen"]["accuracy"] >= best - 0.05
    front = sorted((p for p in result["points"] if p["front"]), key=lambda p: p["cycles"])
    accuracies = [p["accuracy"] for p in front]
    assert accuracies == sorted(accuracies) and len(front) > 1
    costs = [(p["cycles"], -p["accuracy"]) for p in result["points"]]
    for p, mine in zip(result["points"], costs, strict=True):
        beaten = any(c != mine and c[0] <= mine[0] and c[1] <= mine[1] for c in costs)
        assert p["front"] == (not beaten)
    with out.with_suffix(".csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["cycles"]) for row in rows] == [p["cycles"] for p in result["points"]]
    assert {row["step"] for row in rows} >= {"", "0", "1"}


def test_same_masks_and_signs(found):
    checkpoint, out, _ = found
    before, after = load(checkpoint.with_suffix(".safetensors")), load(out)
    assert all(map(np.array_equal, before.masks, after.masks))
    assert (before.seed, str(before.arch)) == (after.seed, str(after.arch))


def test_resume(found, tmp_path, monkeypatch):
    """What was measured is not measured again, and the result is that of no interruption."""
    checkpoint, out, result = found
    kept = json.loads(out.with_suffix(".measured").read_bytes())
    kept["measured"] = kept["measured"][:20]
    again = tmp_path / "t2.safetensors"
    again.with_suffix(".measured").write_text(json.dumps(kept))
    calls, measure = [], Network.measure

    def counted(self, *args):
        calls.append(args[0])
        return measure(self, *args)

    monkeypatch.setattr(Network, "measure", counted)
    assert search(checkpoint, again, "--max-drop", "0.05", "--bits", "2..5")["points"] == (
        result["points"])  # fmt: skip
    assert len(calls) == len(result["points"]) - 20
    search(checkpoint, again, "--max-drop", "0.05", "--bits", "2..5")
    assert len(calls) == len(result["points"]) - 20
    assert all(map(np.array_equal, load(again).masks, load(out).masks))
    with pytest.raises(HfnError, match="is of another search or other images"):
        search(checkpoint, again, "--images", "50")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"identity": "x", "measured": [1]}',
                                     '{"measured": []}'])  # fmt: skip
def test_damaged_measurements(checkpoint, tmp_path, content):
    out = tmp_path / "a.safetensors"
    out.with_suffix(".measured").write_text(content)
    with pytest.raises(HfnError, match="a.measured is damaged .*; delete it"):
        search(checkpoint, out)


def test_cycles_that_are_asked_for(checkpoint, tmp_path, found):
    way = [p["cycles"] for p in found[2]["points"] if p["step"] is not None]
    result = search(checkpoint, tmp_path / "a.safetensors", "--max-cycles", str(way[2]))
    assert result["chosen"]["cycles"] <= way[2]
    with pytest.raises(HfnError, match=r"--max-cycles must be at least \d+ for this network"):
        search(checkpoint, tmp_path / "b.safetensors", "--max-cycles", "1000")


def test_bipolar_layers_stay(tmp_path):
    checkpoint = trained(tmp_path, "--act-bits", "4,b,4,b,8,4,4,4")
    result = search(checkpoint, tmp_path / "t2.safetensors", "--max-drop", "0.1", "--bits", "3..4")
    assert all(p["act_bits"].split(",")[1::2][:2] == ["b", "b"] for p in result["points"])
    ticket = load(tmp_path / "t2.safetensors")
    assert [norm.bipolar for norm in ticket.norms[:4]] == [False, True, False, True]
    Recipe(dataset="digits", arch=ARCH, act_bits=result["chosen"]["act_bits"])


def test_held_out_images_measure(checkpoint):
    """Those that the search never trained on, and no test images."""
    args = precision.arguments([str(checkpoint), "--out", "a.safetensors", "--threads", "1"])
    found = precision._Found(args)
    assert found.which == "held-out training images"
    assert len(found.images) == round(0.1 * len(found.data.train_images))

    def keys(images):
        return {image.tobytes() for image in images}

    assert keys(found.images) <= keys(found.data.train_images)
    from golden.training.images import TrainingImages

    ours = TrainingImages(found.data, found.recipe, "cpu")
    assert np.array_equal(ours.held_out[0].numpy(), found.images)


@pytest.mark.parametrize("options, message", [
    (["--bits", "8..2"], "--bits must be LOW..HIGH such as 2..8, not '8..2'"),
    (["--bits", "4"], "--bits must be LOW..HIGH"),
    (["--bits", "0..9"], "--bits must be LOW..HIGH"),
    (["--max-drop", "2"], "--max-drop must be from 0 to 1, not 2"),
    (["--max-cycles", "0"], "--max-cycles must be at least 1, not 0"),
    (["--images", "0"], "--images must be at least 1, not 0"),
    (["--threads", "100000"], "--threads must be from 1 to 256, not 100000"),
    (["--out", "."], "--out must end in .safetensors"),
    (["--latency", "0"], "--latency must be 1 to 512"),
    (["--out", "a.ckpt"], "--out must end in .safetensors"),
    (["--out", "./t.safetensors"], "--out: t.safetensors is the found ticket itself"),
])  # fmt: skip
def test_wrong_options(options, message):
    with pytest.raises(HfnError, match=message):
        precision.arguments(["t.ckpt", "--out", "a.safetensors", *options])


def test_places_that_cannot_be_written(checkpoint, tmp_path):
    """Said before anything is measured."""
    (tmp_path / "a.safetensors").mkdir()
    with pytest.raises(HfnError, match="--out: .*a.safetensors is a folder"):
        search(checkpoint, tmp_path / "a.safetensors")
    (tmp_path / "file").touch()
    with pytest.raises(HfnError, match="cannot make the folder"):
        search(checkpoint, tmp_path / "b.safetensors", "--plot", str(tmp_path / "file"))
    assert not list(tmp_path.glob("*.measured"))


def test_wrong_checkpoints(tmp_path, monkeypatch):
    out = tmp_path / "a.safetensors"
    with pytest.raises(HfnError, match="there is no checkpoint"):
        search(tmp_path / "none.ckpt", out)
    (tmp_path / "bad.ckpt").write_bytes(b"x" * 100)
    with pytest.raises(HfnError, match="checkpoint .* is damaged"):
        search(tmp_path / "bad.ckpt", out)
    (tmp_path / "signs").mkdir()
    with pytest.raises(HfnError, match="holds generator signs .*: no ticket can say it"):
        search(trained(tmp_path / "signs", "--weights", "generator"), out)
    from golden.training import loop

    monkeypatch.setattr(loop._Search, "_end_epoch", interrupt_second(loop._Search._end_epoch))
    (tmp_path / "part").mkdir()
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "part")
    with pytest.raises(HfnError, match="t.ckpt is not finished: 1 of 3 epochs"):
        search(tmp_path / "part" / "t.ckpt", out)
    assert not list(tmp_path.glob("a.*"))


def interrupt_second(method):
    calls = []

    def interrupted(self):
        calls.append(None)
        if len(calls) == 2:
            raise KeyboardInterrupt
        method(self)

    return interrupted
