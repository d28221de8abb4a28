import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hfn_accel import rooms, sim
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.estimator import estimate
from hfn_accel.functional import execute
from hfn_accel.network import Architecture
from tests.tickets import random_images, random_ticket, reference

ARCH = Architecture.parse("6x1,9x2f", classes=3, image_size=6)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A ticket, five images and their logits, in the current folder."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(6)
    ticket, images = random_ticket(rng, ARCH), random_images(rng, ARCH, 5)
    ticket.save("net.safetensors")
    logits, _ = reference(ticket, images)
    labels = logits.argmax(1)
    labels[0] = (labels[0] + 1) % 3
    np.savez("images.npz", images=images, labels=labels, class_names=np.array(ticket.class_names))
    return ticket, images, logits


def run(*arguments, ticket=True):
    named = ["--ticket", "net.safetensors"] if ticket else []
    sim.main([*named, "--images", "images.npz", *arguments])


def test_functional_backend(files, capsys):
    ticket, images, logits = files
    run("--pe", "4x8", "--json", "out.json", "--latency", "7")
    printed = capsys.readouterr().out
    report = json.loads(Path("out.json").read_text())
    assert report["logits"] == logits.tolist()
    assert report["predictions"] == logits.argmax(1).tolist()
    assert report["accuracy"] == 0.8 and "accuracy 80.0% (4 of 5)" in printed
    config = Config(rows=4, columns=8)
    program = compile(ticket, config)
    figures = estimate(program, config, 7)
    assert report["cycles"] == figures.total_cycles == report["cycles_by_cause"]["total"]
    assert report["utilisation"] == pytest.approx(float(figures.utilisation))
    assert 0 < report["utilisation"] <= 1
    assert report["macs"] == sum(c.macs for c in ARCH.layers)
    assert report["bytes"] == execute(program, config, images).bytes
    assert set(report["bytes"]) == {"descriptor", "mask", "parameter", "activation", "weight"}
    moved = figures.bytes_by_class
    assert all(moved[name] == count for name, count in report["bytes"].items())
    assert len([line for line in printed.splitlines() if line.count("class ") == 2]) == 5
    assert f"cycles an image: {report['cycles']} estimated" in printed


def test_count_and_json_on_standard_output(files, capsys):
    run("--count", "2", "--json", "-")
    report = json.loads(capsys.readouterr().out)
    assert len(report["predictions"]) == 2


def test_a_compiled_program_runs_without_its_ticket(files, capsys):
    ticket, _, logits = files
    Path("net.bin").write_bytes(compile(ticket, Config(rows=2, columns=2)).image)
    run("--program", "net.bin", "--pe", "2x2", "--json", "out.json", ticket=False)
    assert json.loads(Path("out.json").read_text())["logits"] == logits.tolist()
    with pytest.raises(HfnError, match="program was compiled for --pe 2x2, not 16x16"):
        run("--program", "net.bin", ticket=False)
    Path("net.bin").write_bytes(b"no program")
    with pytest.raises(HfnError, match="net.bin: program image is shorter"):
        run("--program", "net.bin", ticket=False)


def test_rtl_backend_gets_what_was_asked(files, capsys, monkeypatch):
    _, _, logits = files
    seen = {}

    def backend(program, config, images, **options):
        seen.update(options, config=config, count=len(images))
        done = execute(program, config, images)
        return SimpleNamespace(**vars(done), cycles={"compute": 10_000, "total": 12_345})

    monkeypatch.setattr(rooms, "load", lambda *names: SimpleNamespace(run=backend))
    run("--backend", "rtl", "--simulator", "icarus", "--latency", "3", "--count", "1", "--json",
        "out.json")  # fmt: skip
    assert (seen["simulator"], seen["latency"], seen["count"]) == ("icarus", 3, 1)
    report = json.loads(Path("out.json").read_text())
    assert report["cycles"] == 12_345 and report["logits"] == logits[:1].tolist()
    assert "12345 counted" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--count", "0"], "--count must be from 1 to 5"),
        (["--count", "6"], "--count must be from 1 to 5"),
        (["--latency", "9" * 30], "--latency must be 1 to 10000"),
        (["--latency", "0"], "--latency must be 1 to 10000"),
        (["--pe", "16"], "--pe must be RxC"),
        (["--pe", "0x16"], "rows must be a power of two"),
        (["--config", "small.toml"], "limit"),
    ],
)
def test_refuses_in_one_line(files, arguments, message):
    Path("small.toml").write_text("accumulator_bits = 12\nactivation_bytes = 256\n")
    with pytest.raises(HfnError, match=message) as caught:
        run(*arguments, "--json", "out.json")
    assert "\n" not in str(caught.value)
    assert not Path("out.json").exists()


def test_refuses_images_of_other_classes_or_size(files):
    _, images, _ = files
    np.savez("images.npz", images=images, labels=np.zeros(5, int), class_names=np.array(["a"]))
    with pytest.raises(HfnError, match="are of different classes"):
        run()
    names = np.array([f"class {i}" for i in range(3)])
    np.savez("images.npz", images=images[:, :5], labels=np.zeros(5, int), class_names=names)
    for backend in ("functional", "rtl"):
        with pytest.raises(HfnError, match=r"images must be \(6, 6, 3\)"):
            run("--backend", backend)


def command(folder, *arguments):
    """The command as a user runs it, in a folder, with the checkout importable behind it."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-m", "hfn_accel.sim", *arguments], cwd=folder,
                          env=environment, capture_output=True, text=True)  # fmt: skip


@pytest.mark.parametrize("room", ["sim", "rtl"])
def test_a_foreign_package_is_named(files, tmp_path, room):
    (tmp_path / room).mkdir()
    (tmp_path / room / "__init__.py").write_text("")
    done = command(tmp_path, "--ticket", "net.safetensors", "--images", "images.npz",
                   "--backend", "rtl")  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"{room!r} is hidden by {tmp_path / room}" in done.stderr


def test_a_missing_dependency_is_named(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name="cocotb")

    monkeypatch.setattr(rooms.importlib, "import_module", missing)
    with pytest.raises(HfnError, match=r"'cocotb': pip install 'hfn-accel\[sim\]'"):
        rooms.load("sim.backend", "sim")


def test_wrong_usage_is_one_line_and_status_2(tmp_path):
    for arguments in ([], ["--ticket", "t", "--images", "i", "--backend", "gpu"],
                      ["--ticket", "none.safetensors", "--images", "none.npz"]):  # fmt: skip
        done = command(tmp_path, *arguments)
        assert done.returncode == 2 and done.stderr.count("\n") == 1
