"""The benchmark of training steps: that its contestants do the same work, and what it reports."""

import json
import sys
import time

import pytest
import torch

from golden import throughput
from hfn_accel import bench, bench_train, cli
from hfn_accel.network import Architecture

ARCH = Architecture.parse("4x1,8x3f", classes=10, image_size=8)


@pytest.fixture(scope="module")
def models():
    torch.set_num_threads(1)
    return throughput.contestants(ARCH)


def test_sorting_is_edge_popup(models):
    """The plain re-statement finds the same weights and sends back the same gradients."""
    ours, plain = models["edge-popup"], models[throughput.SORTING]
    x = torch.rand(2, 3, 8, 8)
    for model in (ours, plain):
        model.train()
        model(x).square().sum().backward()
    for used, weight in zip(ours.weights(), plain.weights(), strict=True):
        assert torch.equal(weight != 0, used != 0) and 0 < (weight != 0).float().mean() < 0.5
        assert torch.allclose(weight, used)
    for used, weight in zip(ours.convs, plain.convs, strict=True):
        assert used.scores.grad.abs().sum() > 0
        assert torch.allclose(weight.scores.grad, used.scores.grad, rtol=1e-4, atol=1e-7)


def test_steps_train(models):
    """Every contestant's step changes every parameter."""
    images, labels = torch.rand(4, 3, 8, 8), torch.arange(4)
    for name, model in models.items():
        before = {key: p.detach().clone() for key, p in model.named_parameters()}
        throughput.stepper(model, images, labels, "cpu")()
        for key, p in model.named_parameters():
            assert p.isfinite().all() and not torch.equal(p, before[key]), (name, key)


def test_rounds(monkeypatch):
    """Each contestant once a round, not always behind the same one, after a round to warm up."""
    order = []
    monkeypatch.setattr(throughput, "contestants", lambda arch: dict.fromkeys("abc"))

    def stepper(model, images, labels, device):
        name = "abc"[len(order)]
        order.append(name)
        return lambda: order.append(name) or len(order)

    monkeypatch.setattr(throughput, "stepper", stepper)
    monkeypatch.setattr(throughput, "timed", lambda step, device: step())
    spent = throughput.measure(ARCH, 2, "cpu", seconds=0, least=4)
    assert "".join(order) == "abc" + "abc" + "abcbcacababc"
    assert spent == {"a": [7, 12, 14, 16], "b": [8, 10, 15, 17], "c": [9, 11, 13, 18]}


def test_timed():
    """Seconds of processor time: waiting counts for nothing."""
    assert throughput.timed(lambda: time.sleep(0.05), "cpu") < 0.02
    assert throughput.timed(lambda: sum(range(1_000_000)), "cpu") > 0.001


def test_selections():
    x = torch.rand(1000)
    assert len({select(x, 300).item() for select in throughput.SELECTIONS.values()}) == 1
    found = throughput.selections(1000, "cpu", rounds=2)
    assert list(found) == list(throughput.SELECTIONS) and min(found.values()) > 0


def bench_of(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["bench", "train", *map(str, words)])
    cli.run(bench.main)


def test_report(monkeypatch, tmp_path, capsys):
    spent = {"dense": [1.0, 2.0, 4.0], "edge-popup": [1.1, 2.4, 4.0]}
    monkeypatch.setattr(throughput, "measure", lambda *given: asked.append(given) or spent)
    monkeypatch.setattr(throughput, "selections", lambda size, device, rounds: {"sort": size / 2e9})
    asked, out = [], tmp_path / "b.json"
    torch.set_num_threads(2)
    bench_of(monkeypatch, "--arch", "4x1,8x3f", "--batch", 8, "--json", out)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    (arch, batch, device, seconds, least), = asked  # fmt: skip
    assert (str(arch), arch.image_size, batch, device) == ("4x1,8x3f", 32, 8, "cpu")
    assert seconds <= 60 and least >= 3
    result = json.loads(out.read_text())
    dense, popup = (result["contestants"][name] for name in spent)
    assert dense["ratio"] == 1 and dense["ratio_quartiles"] == [1, 1]
    assert dense["step_ms"] == 2000 and dense["images_per_second"] == 4
    assert popup["ratio"] == pytest.approx(1.1)  # of 1.1, 1.2 and 1
    assert popup["ratio_quartiles"] == pytest.approx([1.05, 1.15])
    assert result["weights"] == sum(conv.weights for conv in ARCH.tensors)
    assert result["selection_ms"] == {str(n): {"sort": n / 2e6} for n in bench_train.SIZES}
    assert "1.100   1.050 to 1.150" in capsys.readouterr().out


def test_runs(monkeypatch, tmp_path):
    """The real thing, on a network of a few weights."""
    monkeypatch.setattr(bench_train, "SECONDS", 0)
    monkeypatch.setattr(bench_train, "SIZES", (100,))
    bench_of(monkeypatch, "--arch", "2x1", "--batch", 2, "--json", tmp_path / "b.json")
    result = json.loads((tmp_path / "b.json").read_text())
    assert list(result["contestants"]) == sorted([*throughput.VARIANTS, throughput.SORTING])
    assert result["rounds"] == bench_train.LEAST
    assert all(row["step_ms"] > 0 for row in result["contestants"].values())


@pytest.mark.parametrize("words", [["--batch", 1], ["--arch", "nonsense"]])
def test_wrong_input_ends_with_one_line(monkeypatch, capsys, words):
    with pytest.raises(SystemExit) as end:
        bench_of(monkeypatch, *words)
    assert end.value.code == 2 and capsys.readouterr().err.count("\n") == 1


def test_no_device(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as end:
        bench_of(monkeypatch, "--device", "cuda")
    assert end.value.code == 2 and "finds no CUDA device" in capsys.readouterr().err
