"""Workloads: what axes say, and what they may not."""

import pytest

from hfn_accel import ticket
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.modes import Mode
from hfn_accel.networks import named
from hfn_accel.program import Signs
from hfn_accel.workload import Workload, fold, resolve

TICKET = "cifar10-32x1-64x2f-128x3f"


def test_ticket():
    w, found = resolve({"ticket": TICKET}), ticket.load(TICKET)
    assert w.name == TICKET and w.arch == found.arch and w.modes == found.modes
    assert w.bits == tuple(n.bits for n in found.norms)
    assert w.accuracy == float(found.provenance["integer_accuracy"]) == 0.8797
    # shortcuts have 8 bits in the ticket, so that this is another network
    assert resolve({"ticket": TICKET, "activation_bits": 4}).accuracy is None
    assert set(resolve({"ticket": TICKET, "activation_bits": 2}).bits) == {2}


def test_network():
    w = resolve({"network": "hfn-resnet50", "dataset": "cifar10", "coats": 2, "density": 0.2})
    assert w.arch == named("hfn-resnet50", "cifar10") and w.name == "hfn-resnet50 for cifar10"
    assert set(w.modes) == {Mode(coats=2)} and w.density == 0.2 and w.accuracy is None
    assert set(w.bits) == {8} and len(w.bits) == len(w.arch.layers) - 1
    frozen = resolve({"network": "hfn-resnet18", "pruned": 4, "locked": 2, "signs": "explicit"})
    assert set(frozen.modes) == {Mode(pruned=4, locked=2, signs=Signs.EXPLICIT)}


@pytest.mark.parametrize("folding, folded", [
    ("own", (0, 0, 1, 1)), ("none", (0,) * 4), ("all", (1,) * 4), ("3", (0, 0, 1, 0)),
    ("2, 4", (0, 1, 0, 1)),
])  # fmt: skip
def test_folding(folding, folded):
    arch = fold(named("hfn-resnet34", "cifar10"), folding)
    assert tuple(stage.folded for stage in arch.stages) == folded


@pytest.mark.parametrize("axes, message", [
    ({}, "a workload is a ticket or a network"),
    ({"network": "hfn-resnet18", "ticket": TICKET}, "a workload is a ticket or a network"),
    ({"network": "hfn-resnet17"}, "network must be one of"),
    ({"network": "hfn-resnet18", "datset": "cifar10"}, "unknown workload axis 'datset'"),
    ({"network": "hfn-resnet18", "folding": "5"}, "folding must be own, none, all or stages"),
    ({"network": "hfn-resnet18", "folding": "1,x"}, "folding must be own, none, all or stages"),
    ({"network": "hfn-resnet18", "activation_bits": 9}, "activation_bits must be own or 1 to 8"),
    ({"network": "hfn-resnet18", "density": 0}, "density must be above 0"),
    ({"network": "hfn-resnet18", "density": 0.1, "locked": 2}, "density 0.1 is below the 2/16"),
    ({"network": "hfn-resnet18", "density": 0.3, "pruned": 12}, "density 0.3 is above what 12/16"),
    ({"network": "hfn-resnet18", "coats": 2, "pruned": 1}, "frozen weights need one coat"),
    ({"network": "hfn-resnet18", "coats": "two"}, "coats must be an integer"),
    ({"network": "hfn-resnet18", "signs": "random"}, "signs must be one of sequence"),
    ({"ticket": TICKET, "coats": 2}, "a ticket has its own coats"),
])  # fmt: skip
def test_refusals(axes, message):
    with pytest.raises(HfnError, match=message):
        resolve(axes)


def test_accumulators():
    """A ticket's sums are known; a network's are not."""
    narrow = Config(accumulator_bits=12)
    with pytest.raises(HfnError, match="accumulator"):
        resolve({"ticket": TICKET}).check(narrow)
    resolve({"network": "hfn-resnet18"}).check(narrow)
    assert isinstance(resolve({"ticket": TICKET}), Workload)
