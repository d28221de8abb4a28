"""Every check passes on what is right and fails, in one line, on what is not."""

from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from hfn_accel import rooms
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.ticket import Ticket, file, load, verify
from hfn_accel.ticket.verify import Verification

from .conftest import ARCH, first

SMALL = Config(rows=4, columns=8)


def lines(path, config=SMALL, **options) -> dict[str, str]:
    """What was checked -> what is said of it."""
    return dict(line.split(": ", 1) for line in Verification(path, config, **options))


def refusal(path, config=SMALL, **options) -> str:
    with pytest.raises(HfnError) as error:
        lines(path, config, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


ALWAYS = ["file", "architecture", "density", "norms", "accumulators", "compiles",
          "integer golden model"]  # fmt: skip


@pytest.mark.parametrize("mode, more", [
    ("plain", []), ("coats", ["coats"]), ("frozen", ["frozen"]), ("exceptions", ["signs"]),
    ("explicit", ["coats", "signs"]),
])  # fmt: skip
def test_every_kind_of_ticket_passes(saved, mode, more):
    said = lines(saved(mode))
    assert list(said) == ALWAYS[:2] + more + ALWAYS[2:]
    assert "equal" in said["integer golden model"] and "4x8" in said["compiles"]
    if mode == "frozen":
        share = float(said["frozen"].split("%")[0])
        assert share == pytest.approx(50, abs=4)
    if mode == "coats":
        assert said["coats"] == f"up to 3, nested in {len(ARCH.tensors)} tensors"


def rewrite(path, change, **metadata):
    """The file with other tensors and metadata and a right checksum."""
    data = path.read_bytes()
    tensors, about = load_tensors(data), file.header(data)[0]["__metadata__"]
    tensors = tensors | change(tensors)
    about |= metadata
    crc = file.checksum(about["ticket"], tensors)
    path.write_bytes(save_tensors(tensors, about | {"crc32": crc}))


def test_a_damaged_byte(saved):
    path = saved("plain")
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    assert "CRC-32 differs" in refusal(path)


def test_what_no_ticket_needs(saved):
    """A further tensor, and bits behind the last weight of a mask."""
    path = saved("plain")
    rewrite(path, lambda t: {"more": np.zeros(3, np.uint8)})
    assert "its tensor more holds what no ticket needs" in refusal(path)
    path = saved("plain", seed=2)
    last = load(path).masks[0].size // 8  # the stem's last byte, which it does not fill
    stray = np.uint8([0x80 * (i == last) for i in range(len(file.read(path)[2]["masks"]))])
    rewrite(path, lambda t: {"masks": t["masks"] | stray})
    assert "its tensor masks holds what no ticket needs" in refusal(path)


def test_names_that_no_ticket_has(saved):
    path = saved("plain")
    rewrite(path, lambda t: {}, remark="x")
    assert "its metadata 'remark' is what no ticket needs" in refusal(path)
    path = saved("plain", seed=2)
    text = file.read(path)[1]
    rewrite(path, lambda t: {}, ticket=text[:-1] + ', "note": 1}')
    assert "its metadata 'note' is what no ticket needs" in refusal(path)


def test_version_1_passes(saved):
    path = saved("plain")
    _, text, tensors = file.read(path)
    for name in ("modes", "signs", "bipolar"):
        del tensors[name]
    text = text[:-1] + ', "coats": 1, "frozen": 0.0}'
    about = {"format": "hfn-ticket", "version": "1", "ticket": text,
             "crc32": file.checksum(text, tensors)}  # fmt: skip
    path.write_bytes(save_tensors(tensors, about))
    assert "of version 1" in lines(path)["file"]


def changed(path, **change):
    Ticket(**vars(load(path)) | change).save(path)


@pytest.mark.parametrize("off, good", [(0.01, True), (-0.01, True), (0.05, False), (-0.05, False)])
def test_another_density_than_is_said(saved, off, good):
    path = saved("plain")
    found = load(path)
    size = sum(m.size for m in found.masks)
    kept = sum(map(np.count_nonzero, found.masks)) / size
    changed(path, density=kept + off)
    if good:
        assert f"{-off:+.4f} against" in lines(path)["density"]
    else:
        assert f"masks keep {kept:.4f} of the weights, not {kept + off:.4f}" in refusal(path)


def test_coats_and_patterns_in_the_file(saved):
    path = saved("coats")
    rewrite(path, lambda t: {"masks": ~t["masks"]})
    assert "are not nested" in refusal(path)
    path = saved("frozen")
    rewrite(path, lambda t: {"masks": ~t["masks"]})
    assert "contradicts its frozen pattern" in refusal(path)
    path = saved("plain")
    rewrite(path, lambda t: {"shift": first(t["shift"], 48)})
    assert "shift or bits of stem are out of range" in refusal(path)
    path = saved("plain")
    rewrite(path, lambda t: {"residual": first(t["residual"], 7)})
    assert "stem has no residual to multiply" in refusal(path)


def test_accumulators_and_buffers(saved):
    path = saved("plain")
    narrow = SMALL.replace(accumulator_bits=12)
    assert "bits of accumulator" in refusal(path, narrow)
    need = int(lines(path)["accumulators"].split()[0])
    assert 12 < need <= 24


def test_models_that_disagree(saved, monkeypatch):
    path, right = saved("plain"), verify.execute

    def wrong(*arguments):
        result = right(*arguments)
        result.logits[1, 0] += 1
        return result

    monkeypatch.setattr(verify, "execute", wrong)
    assert "logits are not those of the integer golden model" in refusal(path)


def test_without_pytorch(saved, monkeypatch):
    monkeypatch.setattr(verify, "find_spec", lambda name: None)
    assert lines(saved("plain"))["integer golden model"] == "not checked: no PyTorch"


@pytest.mark.parametrize("what", ["nothing", "logits", "cycles", "bytes", "activations"])
def test_rtl_that_differs(saved, monkeypatch, what):
    """A core that gives what simulator and estimator say, but for one thing."""
    path = saved("plain")

    def run(program, config, pictures, **options):
        model = verify.execute(program, config, pictures)
        figures = verify.estimate(program, config, options["latency"], load(path).arch)
        cycles = dict(figures.cycles_by_cause)
        moved, activations = dict(model.bytes), [a.copy() for a in model.activations]
        if what == "cycles":
            cycles["compute"] += 1
        if what == "bytes":
            moved["mask"] -= 8
        if what == "activations":
            activations[2][0, 0, 0, 0] ^= 1
        return SimpleNamespace(logits=model.logits + (what == "logits"), activations=activations,
                               planes=model.planes, bytes=moved, cycles=cycles)  # fmt: skip

    load_room = rooms.load
    monkeypatch.setattr(verify.rooms, "load", lambda name, *more, **options:
                        SimpleNamespace(run=run) if name == "sim.backend"
                        else load_room(name, *more, **options))  # fmt: skip
    if what == "nothing":
        assert "equal the functional simulator's" in lines(path, rtl=True)["RTL"]
    else:
        assert "the RTL differs" in refusal(path, rtl=True)
