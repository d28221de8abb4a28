"""Tickets without training: subset sums, the construction, the accelerator's tickets, the law."""

import csv
import json
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from golden import data
from golden.existence import __main__ as command
from golden.existence import accelerator, law, lottery, target
from golden.existence.subset import MAX_CANDIDATES, nearest, smallest, uniform
from golden.integer import IntegerResNet
from hfn_accel import sequence, ticket
from hfn_accel.errors import HfnError
from hfn_accel.network import Architecture
from hfn_accel.ticket.accuracy import measure

EPOCHS, COPIES, TOLERANCE = 6, 12, 0.001


def all_sums(row):
    members = np.array(list(product((0, 1), repeat=len(row))), bool)
    return members, members @ row


@given(st.integers(1, 9), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_nearest_is_the_best_of_all_subsets(n, seed):
    rng = np.random.default_rng(seed)
    rows, targets = rng.uniform(-1, 1, (5, n)), rng.uniform(-2, 2, 5)
    chosen = nearest(rows, targets)
    for row, goal, mask in zip(rows, targets, chosen, strict=True):
        assert abs(row @ mask - goal) <= abs(all_sums(row)[1] - goal).min() + 1e-7


@given(st.integers(0, 9), st.floats(0, 0.5), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_smallest_is_the_smallest_within_the_tolerance(n, tolerance, seed):
    rng = np.random.default_rng(seed)
    rows, targets = rng.uniform(-1, 1, (5, n)), rng.uniform(-2, 2, 5)
    for row, goal, mask in zip(rows, targets, smallest(rows, targets, tolerance), strict=True):
        members, sums = all_sums(row)
        errors, sizes = abs(sums - goal), members.sum(1)
        within = errors <= tolerance
        if within.any():
            assert mask.sum() == sizes[within].min()
            errors = errors[sizes == mask.sum()]
        assert abs(row @ mask - goal) <= errors.min() + 1e-12


def test_a_subset_has_a_limit():
    nearest(np.zeros((1, MAX_CANDIDATES - 8)), np.zeros(1))
    with pytest.raises(HfnError, match="at most 30 candidates, not 31"):
        nearest(np.zeros((1, 31)), np.zeros(1))


def test_uniform_candidates_are_words_of_the_sequence():
    state = sequence.seed_state(7)
    values = uniform(state, 3, 5, 400)
    bits = sequence.bits(state, 3, 5, 400 * 20)
    word = int("".join(map(str, bits[4, 20 * 17 : 20 * 18])), 2)
    assert values[4, 17] == (2 * word + 1) / 2**20 - 1
    assert abs(values).max() < 1
    assert abs(values.mean()) < 0.06 and abs(values.var() - 1 / 3) < 0.03


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def goals(digits):
    """Targets, trained for a moment: kind, activation -> network."""
    found = {}

    def goal(kind, activation="relu"):
        if (kind, activation) not in found:
            found[kind, activation] = target.train(kind, activation, digits, epochs=EPOCHS, seed=3)
        return found[kind, activation]

    return goal


@pytest.mark.parametrize("kind", target.KINDS)
def test_targets_learn_and_are_the_same_for_the_same_seed(kind, goals, digits):
    goal = goals(kind)
    assert target.accuracy(goal(digits.test_images), digits.test_labels) > 0.6
    again = target.train(kind, "relu", digits, epochs=EPOCHS, seed=3)
    x = digits.test_images[:5]
    assert torch.equal(goal(x), again(x))
    assert all(w is None or 0.99 < w.abs().max() <= 1 for w in goal.weights)


def by_hand(goal, images):
    """The residual target, layer after layer."""

    def z(norm, tensor, x, stride=1):
        weight = goal.weights[tensor]
        y = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
        return y * goal.gains[norm].reshape(-1, 1, 1) + goal.biases[norm].reshape(-1, 1, 1)

    x = torch.from_numpy(images).double() / 255
    h = F.relu(z(2, 2, F.relu(z(1, 1, x))))
    u = F.relu(z(5, 4, F.relu(z(3, 3, h, 2))) + z(4, 5, h, 2))
    v = F.relu(z(7, 7, F.relu(z(6, 6, u))) + u)
    return z(8, 8, v.mean((2, 3), keepdim=True)).flatten(1)


def test_the_residual_target_by_hand(goals, digits):
    goal, x = goals("residual"), digits.test_images[:5]
    assert torch.allclose(goal(x), by_hand(goal, x))


def test_streams_join_what_is_added_and_what_the_same_weights_read():
    arch = Architecture.parse("4x1,8x3f", classes=10, in_channels=1, image_size=8)
    streams = [accelerator.stream(conv) for conv in arch.layers[:-1]]
    assert streams == [0, 1, 2, 3, 4, 4, 3, 4, 3, 4]
    readers = {}
    for conv in arch.layers[1:]:
        assert streams[conv.source] == readers.setdefault(conv.tensor, streams[conv.source])
        if conv.residual:
            assert streams[conv.residual] == streams[conv.norm]


@pytest.mark.parametrize("activation", target.ACTIVATIONS)
def test_straight(activation):
    reach, slopes = lottery.straight(activation)
    function = target.ACTIVATIONS[activation]
    x = torch.rand(200).double() * 2 - 1
    slope = torch.where(x < 0, *torch.from_numpy(slopes))
    line = function(torch.zeros(()).double()) + reach * slope * x
    assert (function(reach * x) - line).abs().max() <= 1.001e-3 * reach * abs(slopes).max()


def test_the_strongest_channels_of_the_stem():
    factor = np.array([0.1, -0.9, 0.0, 0.5, 0.0])
    assert list(lottery.strongest(factor, 2)) == [1, 3]
    assert list(lottery.strongest(factor, 5)) == [0, 1, 3]


def summed(weights, copies):
    """(cout, cin * copies, k, k) to what reaches the target's channels, (cout, cin, k, k)."""
    return weights.reshape(len(weights), -1, copies, *weights.shape[2:]).sum(2)


def test_kept_weights_are_the_sequences_and_add_up(goals):
    goal = goals("residual")
    found, choice = lottery.ticket(goal, 5, COPIES, TOLERANCE)
    state, largest = sequence.seed_state(5), 0
    for conv in target.used(found.arch, True):
        weights = found.weights[conv.tensor]
        rows = weights.permute(0, 2, 3, 1).flatten(1).numpy()
        drawn = uniform(state, conv.tensor, conv.cout, conv.fan_in)
        assert (rows == drawn * choice.masks[conv.tensor]).all()
        if conv.source:  # the stem's copies carry the image times random numbers
            wanted = goal.weights[conv.tensor]
            wanted = wanted.repeat_interleave(conv.cout // len(wanted), 0)
            largest = max(largest, float((summed(weights, COPIES) - wanted).abs().max()))
    assert np.median(abs(choice.errors)) < TOLERANCE and largest <= abs(choice.errors).max() + 1e-12
    assert choice.kept == sum(int(m.sum()) for m in choice.masks)
    assert choice.candidates == sum(c.weights for c in found.arch.tensors)


@pytest.mark.parametrize("kind, activation", [("residual", "tanh"), ("conv", "sigmoid"),
                                              ("conv", "relu")])  # fmt: skip
def test_a_ticket_computes_what_its_target_does(kind, activation, goals, digits):
    goal, x = goals(kind, activation), digits.test_images[:100]
    found, _ = lottery.ticket(goal, 1, 20, TOLERANCE)
    wanted, got = goal(x), found(x)
    assert (got - wanted).abs().mean() < 0.15 * wanted.abs().mean()
    assert (got.argmax(1) == wanted.argmax(1)).float().mean() > 0.9


@pytest.mark.parametrize("kind", target.KINDS)
def test_the_accelerators_ticket(kind, goals, digits, tmp_path):
    goal, x = goals(kind), digits.test_images[:150]
    made, choice = accelerator.ticket(goal, 1, 20, TOLERANCE, digits.train_images,
                                      digits.class_names)  # fmt: skip
    made.save(tmp_path / "t.safetensors")
    found = ticket.load(tmp_path / "t.safetensors")
    got = accelerator.real(accelerator.logits(found, x), goal, digits.train_images)
    wanted = goal(x)
    assert (got - wanted).abs().mean() < 0.4 * wanted.abs().mean()
    assert (got.argmax(1) == wanted.argmax(1)).float().mean() > 0.8
    for conv in target.used(found.arch, kind == "residual"):
        if conv.source:  # signs of the sequence times magnitudes of the copies that are read
            state = sequence.seed_state(1)
            source = accelerator.stream(found.arch.layers[conv.source])
            m = (uniform(state, accelerator.MAGNITUDES + source, conv.cin, 1)[:, 0] + 1) / 2
            carried = torch.from_numpy(found.weights(conv.tensor).reshape(-1, conv.cin) * m)
            carried = carried.reshape(conv.cout, conv.kernel, conv.kernel, conv.cin)
            sums = summed(carried.permute(0, 3, 1, 2), 20)
            copies = conv.cout // len(goal.weights[conv.tensor])
            error = sums - goal.weights[conv.tensor].repeat_interleave(copies, 0)
            assert error.abs().max() <= abs(choice.errors).max() + 1e-12
    assert found.masks[0].sum() == 20
    assert found.density == pytest.approx(np.mean(np.concatenate([m.ravel() for m in found.masks])))
    multipliers = [n.residual.any() for n in found.norms]
    assert sum(multipliers) == (2 if kind == "residual" else 0)  # executions with a residual


def test_the_accelerator_has_relu_alone(goals, digits):
    with pytest.raises(HfnError, match="computes ReLU, not tanh"):
        accelerator.ticket(goals("conv", "tanh"), 1, 4, 0.1, digits.train_images, ())


def test_a_functional_simulator_that_differs_is_an_error(goals, digits, monkeypatch):
    made, _ = accelerator.ticket(goals("conv"), 1, 3, 0.1, digits.train_images, digits.class_names)
    x = digits.test_images[:3]
    assert torch.equal(accelerator.logits(made, x), IntegerResNet(made)(x))
    other = SimpleNamespace(logits=IntegerResNet(made)(x).numpy() + 1)
    monkeypatch.setattr(accelerator, "execute", lambda *args, **kw: other)
    with pytest.raises(HfnError, match="differ in their logits"):
        accelerator.logits(made, x)


def test_the_law():
    points, fits = law.run(1, 200)
    assert len(fits) == 4 and len(points) == 4 * len(law.EPSILONS)
    for line in fits:
        assert 0.9 < line["slope"] < 2 and line["r_squared"] > 0.93
    for point in points:  # 2^n sums cover [-1, 1] only so finely
        assert 2 ** point["candidates"] >= (1 - point["delta"]) / point["epsilon"]


def test_a_fit():
    points = [law.Point("x", 0.1, float(np.exp(-i)), 3 * i + 2) for i in range(1, 6)]
    line = law.fit(points)
    assert abs(line.slope - 3) < 1e-9 and abs(line.intercept - 2) < 1e-9
    assert line.r_squared > 1 - 1e-9


def test_measured_candidates_suffice_and_one_less_does_not():
    rng = np.random.default_rng(2)
    candidates, targets = rng.uniform(-1, 1, (200, 24)), rng.uniform(-1, 1, 200)
    for point in law.measure("x", candidates, targets)[::7]:
        for n, enough in ((point.candidates, True), (point.candidates - 1, False)):
            some = candidates[:, :n]
            errors = abs((some * nearest(some, targets)).sum(1) - targets)
            assert (np.quantile(errors, 1 - point.delta) <= point.epsilon) == enough


def test_the_law_needs_candidates_and_targets():
    with pytest.raises(HfnError, match="too few"):
        law.measure("x", np.zeros((200, 3)), np.linspace(-1, 1, 200))
    with pytest.raises(HfnError, match="targets must be at least 100"):
        law.measure("x", np.zeros((99, 3)), np.zeros(99))


def test_command(tmp_path, capsys):
    command.main(["--out", str(tmp_path), "--copies", "4", "--activation", "tanh", "relu",
                  "--targets", "100", "--epochs", "1",
                  "--json", str(tmp_path / "e.json")])  # fmt: skip
    names = {p.name for p in tmp_path.iterdir()}
    pictures = {f"existence-{n}.{e}" for n in ("law", "networks") for e in ("png", "svg")}
    tickets = {f"existence-{kind}.safetensors" for kind in target.KINDS}
    assert names == {"law.csv", "networks.csv", "e.json"} | pictures | tickets
    with open(tmp_path / "networks.csv") as file:
        rows = list(csv.DictReader(file))
    assert [(r["activation"], r["form"]) for r in rows] == 2 * [
        ("tanh", "float"), ("relu", "float"), ("relu", "accelerator")]  # fmt: skip
    out = capsys.readouterr().out
    assert out.count("R^2") == 4 and out.count("accelerator") == 2
    found = ticket.load(tmp_path / "existence-conv.safetensors")
    accuracy = measure(found, None)  # of the data that it names
    assert accuracy["accuracy"] == pytest.approx(float(rows[2]["accuracy"]))
    assert found.provenance["integer_accuracy"] == f"{accuracy['accuracy']:.4f}"


def test_json_alone(tmp_path, capsys):
    command.main(["--out", str(tmp_path), "--copies", "2", "--activation", "tanh", "--targets",
                  "100", "--epochs", "1", "--json", "-"])  # fmt: skip
    assert set(json.loads(capsys.readouterr().out)) == {"law", "fits", "networks"}


@pytest.mark.parametrize("options, message", [
    (["--copies", "1"], "copies must be from 2 to 30, not 1"),
    (["--copies", "8", "31"], "copies must be from 2 to 30, not 31"),
    (["--tolerance", "0"], "--tolerance must be above 0"),
    (["--tolerance", "nan"], "--tolerance must be above 0"),
    (["--targets", "99"], "--targets must be from 100"),
    (["--epochs", "0"], "--epochs must be from 1"),
    (["--seed", "-1"], "seed must be between 0"),
])  # fmt: skip
def test_bad_options(tmp_path, options, message):
    with pytest.raises(HfnError, match=message):
        command.main(["--out", str(tmp_path / "x"), *options])
    assert not (tmp_path / "x").exists()
