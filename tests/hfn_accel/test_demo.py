from types import SimpleNamespace

import numpy as np
import pytest

from hfn_accel import demo, design_report, rooms
from hfn_accel.errors import HfnError
from hfn_accel.functional import execute
from hfn_accel.network import Architecture
from hfn_accel.workload import Workload
from tests.tickets import random_images, random_ticket

ARCH = Architecture.parse("4x1,6x2f", classes=3, image_size=5)


@pytest.fixture
def ticket(tmp_path, monkeypatch):
    """A small ticket and sample in place of the shipped ones; few points to explore."""
    rng = np.random.default_rng(3)
    ticket = random_ticket(rng, ARCH)
    ticket.save(tmp_path / "t.safetensors")
    np.savez(tmp_path / "s.npz", images=random_images(rng, ARCH, 3), labels=np.array([0, 1, 2]),
             class_names=np.array(ticket.class_names))  # fmt: skip
    monkeypatch.setattr(demo, "TICKET", tmp_path / "t.safetensors")
    monkeypatch.setattr(demo, "SAMPLE", tmp_path / "s.npz")
    for axis, values in (("pe", "2x2,4x4"), ("activation_bytes", "1024"), ("bus", "64")):
        monkeypatch.setitem(demo.dse.DEFAULTS, axis, values)
    return ticket


def rtl(find, monkeypatch, **changes):
    """A stand-in for the simulation of the RTL, which tests/sim compares with the models; of the
    ticket that `find()` gives by then."""

    def run(program, config, images, *, keep, latency, progress):
        result = execute(program, config, images, keep)
        report = design_report.report(Workload.of_ticket(find()), config, latency)
        cycles = report["cycles_by_cause"]
        found = SimpleNamespace(**vars(result), cycles=cycles)
        found.__dict__.update({name: change(found) for name, change in changes.items()})
        return found

    load = rooms.load
    fake = SimpleNamespace(run=run)
    monkeypatch.setattr(rooms, "load", lambda module, *rest, **named: (
        fake if module == "sim.backend" else load(module, *rest, **named)))  # fmt: skip


def test_demo(ticket, monkeypatch, tmp_path, capsys):
    rtl(lambda: ticket, monkeypatch)
    demo.main(["--pe", "2x2", "--out", str(tmp_path / "out"), "--count", "2"])
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "hfn_accel_2x2.v", "hfn_accel_2x2.json", "dse",
        *(f"{name}.{kind}" for name in ("cycles", "bytes", "traffic", "roofline")
          for kind in ("png", "svg")),
    }  # fmt: skip
    printed = capsys.readouterr().out
    assert "DIFFERENT" not in printed and printed.count(": equal\n") == 4
    assert printed.count("predicted class") == 5


@pytest.mark.parametrize("name, change", [
    ("logits", lambda r: r.logits + 1),
    ("activations", lambda r: [a ^ 1 for a in r.activations]),
    ("cycles", lambda r: r.cycles | {"stall": r.cycles["stall"] + 1}),
    ("bytes", lambda r: r.bytes | {"mask": 0}),
])  # fmt: skip
def test_a_difference_ends_the_demo(ticket, monkeypatch, tmp_path, name, change):
    monkeypatch.setattr(demo.gen, "main", lambda argv: None)
    (tmp_path / "out").mkdir()
    rtl(lambda: ticket, monkeypatch, **{name: change})
    with pytest.raises(HfnError, match="differ"):
        demo.main(["--pe", "2x2", "--out", str(tmp_path / "out")])
