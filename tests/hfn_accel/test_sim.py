import json
import os
import subprocess
import sys
import zlib
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
    assert set(report["bytes"]) == {"descriptor", "mask", "parameter", "activation", "weight",
                                    "activation_read", "activation_write"}  # fmt: skip
    moved = figures.bytes_by_class
    assert all(moved[name] == count for name, count in report["bytes"].items())
    assert len([line for line in printed.splitlines() if line.count("class ") == 2]) == 5
    assert f"cycles an image: {report['cycles']} estimated" in printed
    assert report["estimated"]["cycles_by_cause"] == figures.cycles_by_cause
    assert report["seconds"] > 0 and report["checksums"] == {}


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


def test_checksums(files, capsys):
    """CRC-32 of the layers' maps as the definitions give them, of all images."""
    ticket, images, logits = files
    run("--checksums", "--batch", "2", "--json", "out.json")
    report = json.loads(Path("out.json").read_text())
    _, layers = reference(ticket, images)
    expected = {
        conv.name: zlib.crc32(np.ascontiguousarray(x.transpose(0, 3, 1, 2)).astype(np.uint8))
        for conv, x in zip(ARCH.layers, layers, strict=False)
    }
    expected["logits"] = zlib.crc32(logits.astype("<i4"))
    assert report["checksums"] == {name: f"{value:08x}" for name, value in expected.items()}
    printed = capsys.readouterr().out
    assert all(f"crc32 {value:08x}  {name}\n" in printed for name, value in expected.items())
    assert report["batch"] == 2 and "cycles a run of 2 images" in printed


def test_published_network_and_random_images(files, capsys):
    named = ["--network", "hfn-resnet18", "--dataset", "cifar10", "--random-ticket", "1"]
    named += ["--config", "large.toml", "--checksums"]
    Path("large.toml").write_text("mask_bytes = 131072\n")
    sim.main([*named, "--json", "whole.json"])
    report = json.loads(Path("whole.json").read_text())
    assert (report["images"], report["labels"], report["accuracy"]) == (1, None, None)
    assert "accuracy" not in capsys.readouterr().out
    assert len(report["checksums"]) == 21 and report["macs"] > 5e8
    sim.main([*named, "--json", "late.json", "--from-layer", "stage4.block1.conv1"])
    late = json.loads(Path("late.json").read_text())
    assert late["logits"] == report["logits"] and late["macs"] < report["macs"] / 2
    sim.main([*named, "--json", "other.json", "--image-seed", "2"])
    assert json.loads(Path("other.json").read_text())["logits"] != report["logits"]


def counted(monkeypatch, change=lambda result: None):
    """A backend that returns what the models say but for a change; what it was asked for."""
    seen = {}

    def backend(program, config, images, **options):
        seen.update(options, config=config, count=len(images))
        figures = estimate(program, config, options["latency"])
        done = SimpleNamespace(**vars(execute(program, config, images)), seconds=1.5,
                               cycles=figures.cycles_by_cause)  # fmt: skip
        change(done)
        return done

    monkeypatch.setattr(rooms, "load", lambda *names: SimpleNamespace(run=backend))
    return seen


def test_rtl_backend_gets_what_was_asked(files, capsys, monkeypatch):
    ticket, _, logits = files
    seen = counted(monkeypatch)
    run("--backend", "rtl", "--simulator", "icarus", "--latency", "3", "--count", "1", "--threads",
        "2", "--json", "out.json")  # fmt: skip
    assert (seen["simulator"], seen["latency"], seen["count"]) == ("icarus", 3, 1)
    assert (seen["threads"], seen["workspace"], seen["keep"]) == (2, None, True)
    report = json.loads(Path("out.json").read_text())
    figures = estimate(compile(ticket, Config()), Config(), 3)
    assert seen["progress"] == report["cycles"] == figures.total_cycles
    assert report["logits"] == logits[:1].tolist() and report["differences"] == []
    assert report["seconds"] == 1.5 and len(report["checksums"]) == len(ARCH.layers)
    printed = capsys.readouterr().out
    assert f"{report['cycles']} counted" in printed
    assert "equal: logits and every layer to the functional simulator, cycles" in printed


def wrong_activation(result):
    result.activations[2][1, 4, 3, 0] ^= 1


@pytest.mark.parametrize("change, message", [
    (wrong_activation, "1 of 1080 values of descriptor 4 (stage1.block1.conv2, image 0, from row 0 "
                       "and channel 0 on), the first at (1, 4, 3, 0): "),
    (lambda r: r.logits.__iadd__(1), "15 of 15 values of the logits, the first at (0, 0): "),
    (lambda r: r.cycles.update(stall=999), "estimated cycles: stall 999, not "),
    (lambda r: r.bytes.update(mask=1), "bytes: mask 1, not "),
    (lambda r: setattr(r, "planes", 3), "planes: 3, not "),
])  # fmt: skip
def test_any_difference_is_told_and_ends_with_status_1(files, capsys, monkeypatch, change, message):
    counted(monkeypatch, change)
    with pytest.raises(SystemExit) as caught:
        run("--backend", "rtl", "--json", "out.json")
    printed, told = capsys.readouterr()
    assert caught.value.code == 1 and told.count("\n") == 1
    assert told.startswith("error: the RTL differs: ") and message in told
    assert "equal" not in printed
    assert any(message in line for line in json.loads(Path("out.json").read_text())["differences"])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--count", "0"], "--count must be from 1 to 5"),
        (["--count", "6"], "--count must be from 1 to 5"),
        (["--latency", "9" * 30], "--latency must be 1 to 512"),
        (["--latency", "0"], "--latency must be 1 to 512"),
        (["--batch", "0"], "--batch must be from 1 to 65535, not 0"),
        (["--threads", "0"], "--threads must be from 1 to 64, not 0"),
        (["--program", "p.bin"], "one of --ticket, --network and --program must be given"),
        (["--network", "hfn-resnet18"], "one of --ticket, --network and --program"),
        (["--from-layer", "stem2"], "--from-layer must be one of stem, stage1"),
        (["--from-layer", "stem"], "--from-layer is of one image: --count and --batch must be 1"),
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


@pytest.mark.parametrize("arguments, message", [
    ([], "one of --ticket, --network and --program must be given"),
    (["--network", "hfn-resnet18", "--dataset", "cifar10"], "--random-ticket is missing"),
    (["--ticket", "net.safetensors", "--count", "0"], "--count must be from 1 to 1000 random"),
    (["--ticket", "net.safetensors", "--image-seed", "-1"], "--image-seed must be 0 or more"),
    (["--program", "net.bin"], "--program needs --images"),
    (["--program", "net.bin", "--batch", "2"], "--batch is the compiler's"),
    (["--program", "net.bin", "--images", "images.npz", "--from-layer", "stem"],
     "--from-layer needs --ticket or --network"),
])  # fmt: skip
def test_refuses_what_does_not_belong_together(files, arguments, message):
    Path("net.bin").write_bytes(compile(files[0], Config()).image)
    with pytest.raises(HfnError, match=message):
        sim.main(arguments)


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
