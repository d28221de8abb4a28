"""The command that runs the published networks, on networks of a moment."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hfn_accel.compiler import compile
from hfn_accel.errors import HfnError
from hfn_accel.functional import execute
from hfn_accel.network import Architecture
from hfn_accel.program import Opcode
from sim import backend, networks
from tests.sim.test_accelerator import SMALL

pytest.importorskip("torch")
ARCH = Architecture.parse("imagenet:9x1b,6x3bf,20x2", classes=7, image_size=24)
CASE = networks.Case(ARCH, SMALL, minutes=2, images=3, batch=2)


def test_cases():
    """What was promised: networks, arrays, bits, and one that spills; all of them compile."""
    found = {name: (c.arch, c.config.name, c.bits) for name, c in networks.CASES.items()}
    for name, shape in (("hfn-resnet18", "16x16"), ("hfn-resnet50", "16x16")):
        assert found[f"{name}-cifar100"] == (networks.networks.named(name, "cifar100"), shape, 8)
    arch, shape, bits = found["hfn-resnet50-imagenet"]
    assert (arch.image_size, shape, bits) == (224, "32x32", 8)


def test_a_case_and_its_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(networks, "CASES", {"small": CASE})
    networks.main(["--json", str(tmp_path / "out.json")])
    printed = capsys.readouterr().out
    (r,) = json.loads((tmp_path / "out.json").read_text()).values()
    assert r["wrong"] == [] and r["cycles_equal"] and r["bytes_equal"]
    assert r["model_equal"] and r["golden_equal"]
    assert len(r["checksums"]) == len(ARCH.layers) + 1  # a pooled map more, and the logits
    assert printed.splitlines()[0] == networks.HEAD
    assert printed.count("equal") == 4 and f"{r['cycles']:,}" in printed
    ticket = networks.random_ticket(ARCH, CASE.seed)
    codes = {code for code, _ in compile(ticket, CASE.config, batch=2).descriptors}
    assert {Opcode.LOAD, Opcode.STORE, Opcode.POOL} <= codes


def test_what_is_wrong_is_told(monkeypatch, capsys):
    """A wrong value, wrong cycles and too long a time, with status 1."""

    def run(program, config, pictures, **options):
        done = execute(program, config, pictures)
        done.activations[-1][0, 0, 0, 0] ^= 1
        return backend.Result(**vars(done), cycles={"total": 1}, seconds=1e6)

    monkeypatch.setattr(networks, "CASES", {"small": replace(CASE, batch=1, images=1)})
    monkeypatch.setattr(networks.backend, "run", run)
    with pytest.raises(SystemExit) as caught:
        networks.main([])
    printed, told = capsys.readouterr()
    assert caught.value.code == 1
    assert "values of descriptor" in told and "estimated cycles: total 1, not" in told
    assert "stage3.block2.conv2 is not the golden model's" in told
    assert "took 1000000 seconds, more than 2 minutes" in told
    assert printed.count("WRONG") == 3


def test_unknown_case():
    with pytest.raises(HfnError, match="case must be one of hfn-resnet18-cifar100, .*, not 'x'"):
        networks.main(["x"])


def test_golden_checksums_are_of_every_image():
    ticket = networks.random_ticket(ARCH, 1)
    pictures = networks.random_images(ARCH, 2)
    both, first = (networks.golden_checksums(ticket, p) for p in (pictures, pictures[:1]))
    again = networks.golden_checksums(ticket, np.repeat(pictures[:1], 2, axis=0))
    assert len({both["stem.pool"], first["stem.pool"], again["stem.pool"]}) == 3
