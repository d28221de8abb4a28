import hashlib
import json

import numpy as np
import pytest
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors
from safetensors.numpy import save_file

from hfn_accel import sequence, ticket
from hfn_accel.errors import HfnError
from hfn_accel.modes import Mode
from hfn_accel.network import Architecture
from hfn_accel.norm import Norm
from hfn_accel.program import Signs
from hfn_accel.ticket import file
from tests.tickets import random_mode, random_ticket, reference_weights

ARCH = Architecture.parse("3x1,5x3f", classes=4, image_size=4)
SHIPPED = "23aee2edd33dde36"  # SHA-256 of the file that ships


def same(a: ticket.Ticket, b: ticket.Ticket) -> bool:
    masks = all((x == y).all() for x, y in zip(a.masks, b.masks, strict=True))
    norms = all(
        (x.multiplier == y.multiplier).all() and (x.residual == y.residual).all()
        and (x.bias == y.bias).all()
        and (x.shift, x.bits, x.bipolar) == (y.shift, y.bits, y.bipolar)
        for x, y in zip(a.norms, b.norms, strict=True)
    )  # fmt: skip
    planes = all(np.array_equal(x, y) for x, y in zip(a.sign_planes, b.sign_planes, strict=True))
    about = ("arch", "seed", "density", "modes", "class_names", "provenance")
    return masks and planes and norms and all(getattr(a, n) == getattr(b, n) for n in about)


@pytest.fixture
def saved(tmp_path):
    found = random_ticket(np.random.default_rng(2), ARCH)
    path = tmp_path / "small.safetensors"
    found.save(path)
    return found, path


def test_round_trip_over_random_networks(tmp_path):
    rng = np.random.default_rng(11)
    for i in range(20):
        found = random_ticket(rng, wild=bool(i % 2), bottlenecks=True, imagenet=True,
                              modes=random_mode, bipolar=True, bits=(1, 3))  # fmt: skip
        found.save(tmp_path / "t.safetensors")
        assert same(found, ticket.load(tmp_path / "t.safetensors"))
    assert [p.name for p in tmp_path.iterdir()] == ["t.safetensors"]


def test_file_is_small_and_its_bytes_are_stable(saved, tmp_path):
    found, path = saved
    found.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    packed = sum(-(-conv.weights // 8) for conv in ARCH.tensors)
    assert path.stat().st_size < packed + 8 * sum(c.cout for c in ARCH.layers) + 1700


def test_weights_are_masked_signs(saved):
    found, _ = saved
    assert all(mode == Mode() for mode in found.modes) and set(found.sign_planes) == {None}
    for t, conv in enumerate(ARCH.tensors):
        w = found.weights(t)
        assert w.shape == (conv.cout, conv.fan_in) and w.dtype == np.int8
        assert ((w != 0) == found.masks[t]).all()
        signs = sequence.signs(sequence.seed_state(found.seed), t, conv.cout, conv.fan_in)
        assert (w == np.where(found.masks[t] == 1, signs, 0)).all()


def test_weights_in_every_mode():
    rng = np.random.default_rng(5)
    for _ in range(20):
        found = random_ticket(rng, modes=random_mode)
        for t, mode in enumerate(found.modes):
            w = found.weights(t)
            assert w.dtype == np.int8 and (w == reference_weights(found, t)).all()
            assert (np.abs(w) == found.masks[t]).all() and np.abs(w).max() <= mode.coats
            if mode.frozen:
                numbers = found.pattern(t)
                assert not w[numbers < mode.pruned].any()
                assert w[(numbers >= mode.pruned) & (numbers < mode.frozen)].all()
            else:
                assert found.pattern(t) is None


def test_truncated_and_foreign_files(saved, tmp_path):
    _, path = saved
    data = path.read_bytes()
    bad = tmp_path / "bad.safetensors"
    for cut in (0, 7, 8, 100, len(data) // 2, len(data) - 1):
        bad.write_bytes(data[:cut])
        with pytest.raises(HfnError, match="bad.safetensors is not a ticket"):
            ticket.load(bad)
    bad.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(HfnError, match="is not a ticket"):
        ticket.load(bad)
    save_file({"weight": np.zeros(3)}, bad)
    with pytest.raises(HfnError, match="safetensors file but not a ticket"):
        ticket.load(bad)
    with pytest.raises(HfnError, match="cannot read"):
        ticket.load(tmp_path / "none.safetensors")


def test_another_version(saved, tmp_path):
    _, path = saved
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(path.read_bytes().replace(b'"version":"2"', b'"version":"3"'))
    with pytest.raises(HfnError, match="ticket version 3, not 1 or 2"):
        ticket.load(bad)


def version_1(data, **change):
    """The same plain ticket as version 1 wrote it."""
    tensors, metadata = load_tensors(data), file.header(data)[0]["__metadata__"]
    for name in ("modes", "signs", "bipolar"):
        del tensors[name]
    about = json.loads(metadata["ticket"]) | {"coats": 1, "frozen": 0.0} | change
    return signed(tensors, metadata | {"version": "1", "ticket": json.dumps(about)})


def test_version_1_is_read(saved, tmp_path):
    found, path = saved
    old = tmp_path / "old.safetensors"
    old.write_bytes(version_1(path.read_bytes()))
    assert same(found, ticket.load(old))
    ticket.load(old).save(tmp_path / "new.safetensors")
    assert (tmp_path / "new.safetensors").read_bytes() == path.read_bytes()
    for change in ({"coats": 2}, {"frozen": 0.5}):
        old.write_bytes(version_1(path.read_bytes(), **change))
        with pytest.raises(HfnError, match="version 1 has no coats"):
            ticket.load(old)


def test_the_shipped_ticket_loads():
    shipped = ticket.load("cifar10-32x1-64x2f-128x3f")
    assert shipped.arch == Architecture.parse("32x1,64x2f,128x3f", classes=10)
    kept = sum(int(m.sum()) for m in shipped.masks) / sum(m.size for m in shipped.masks)
    assert kept == pytest.approx(0.3, abs=0.01) and not any(n.bipolar for n in shipped.norms)
    data = ticket.find("cifar10-32x1-64x2f-128x3f").read_bytes()
    assert hashlib.sha256(data).hexdigest().startswith(SHIPPED)


def test_a_changed_byte_is_never_another_network(saved, tmp_path):
    """Any single damaged byte is an error, or is not part of what the ticket says."""
    found, path = saved
    data = path.read_bytes()
    bad = tmp_path / "bad.safetensors"
    rng = np.random.default_rng(4)
    refused = 0
    for at in rng.integers(0, len(data), 400):
        damaged = bytearray(data)
        damaged[at] ^= 1 << int(rng.integers(8))
        bad.write_bytes(damaged)
        try:
            assert same(found, ticket.load(bad))
        except HfnError:
            refused += 1
    assert refused > 380


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: {"masks": t.masks[:-1]}, "one mask, mode and sign plane a tensor"),
        (lambda t: {"masks": (t.masks[0].T, *t.masks[1:])}, "mask of stem has the wrong shape"),
        (lambda t: {"norms": t.norms[:-1]}, "one norm a layer"),
        (lambda t: {"class_names": ("a",)}, "does not name every class"),
        (lambda t: {"seed": -1}, "seed must be"),
    ],
)
def test_refuses_inconsistent_parts(saved, change, message):
    found, _ = saved
    with pytest.raises(HfnError, match=message):
        ticket.Ticket(**vars(found) | change(found))


@pytest.mark.parametrize("change, message", [
    ({"arch": ",".join(4 * ["4096x128"])}, "modes must be 1029 x 4 of"),
    ({"arch": "4096x1,4096x3f"}, "masks must be 1"),  # refused before it is allocated
    ({"arch": "9" * 5000 + "x1"}, "architecture must be"),
    ({"arch": 5}, "damaged ticket"),
    ({"seed": "1"}, "seed must be an integer, not '1'"),
    ({"seed": True}, "seed must be an integer, not True"),
    ({"density": "0.3"}, "density must be from 0 to 1, not '0.3'"),
    ({"density": None}, "density must be from 0 to 1, not None"),
    ({"density": float("nan")}, "density must be from 0 to 1, not nan"),
    ({"density": 10**400}, "density must be from 0 to 1, not 1000"),
    ({"provenance": []}, "provenance must be an object"),
    ({"provenance": {"dataset": 3}}, "provenance must be printable texts by name"),
    ({"provenance": {"dataset": ["cifar10"]}}, "provenance must be printable texts by name"),
    ({"provenance": {"dataset": "\ud800"}}, "provenance must be printable texts by name"),
    ({"classes": 3.0}, "classes must be an integer"),
    ({"class_names": "abc"}, "class_names must be a list"),
    ({"class_names": [1, 2, 3]}, "does not name every class"),
    ({"class_names": ["a", "b", "\ud800"]}, "in printable characters"),
    ({"class_names": ["a", "b", "c\nd"]}, "in printable characters"),
])  # fmt: skip
def test_refuses_what_a_file_says(saved, tmp_path, change, message):
    """Files without a checksum, as another program may write them."""
    data = saved[1].read_bytes()
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(rewritten(data, lambda about: json.dumps(json.loads(about) | change)))
    with pytest.raises(HfnError, match=message) as error:
        ticket.load(bad)
    assert "bad.safetensors" in str(error.value) and "\n" not in str(error.value)


def rewritten(data, change):
    """A ticket's bytes with another text and its checksum."""
    tensors, metadata = load_tensors(data), file.header(data)[0]["__metadata__"]
    return signed(tensors, metadata | {"ticket": change(metadata["ticket"])})


def signed(tensors, metadata):
    """A file whose checksum is right, whatever it says."""
    crc = file.checksum(metadata["ticket"], tensors)
    return save_tensors(tensors, metadata | {"crc32": crc})


def test_refuses_foreign_metadata(saved, tmp_path):
    data = saved[1].read_bytes()
    bad = tmp_path / "bad.safetensors"
    for text in ("[" * 100_000, "[1]", "no JSON", "null"):
        bad.write_bytes(rewritten(data, lambda about, text=text: text))
        with pytest.raises(HfnError, match="damaged ticket"):
            ticket.load(bad)
    header = json.dumps({"__metadata__": None}).encode()
    bad.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(HfnError, match="not a ticket"):
        ticket.load(bad)


@pytest.mark.parametrize("name", ["masks", "signs", "modes", "multiplier", "bipolar", "bits"])
def test_refuses_tensors_of_another_shape(saved, tmp_path, name):
    data = saved[1].read_bytes()
    bad, tensors = tmp_path / "bad.safetensors", load_tensors(data)
    metadata = file.header(data)[0]["__metadata__"]
    for change in (lambda x: np.append(x, x.dtype.type(1)), lambda x: x[:, None],
                   lambda x: x.astype(np.float32)):  # fmt: skip
        bad.write_bytes(signed(tensors | {name: change(tensors[name]).copy()}, metadata))
        with pytest.raises(HfnError, match=f"{name} must be"):
            ticket.load(bad)


def test_a_name_too_long_for_a_file():
    with pytest.raises(HfnError, match="cannot read a+"):
        ticket.load("a" * 300)


@pytest.mark.parametrize("change", [{"shift": 0}, {"shift": 48}, {"bits": 0}, {"bits": 9}])
def test_refuses_norms_out_of_range(saved, change):
    found, _ = saved
    norm = Norm(**vars(found.norms[0]) | change)
    with pytest.raises(HfnError, match="shift or bits of stem are out of range"):
        ticket.Ticket(**vars(found) | {"norms": (norm, *found.norms[1:])})


def test_find_takes_files_before_shipped_names(tmp_path, monkeypatch):
    assert ticket.find("no-such-ticket").name == "no-such-ticket"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.safetensors").write_bytes(b"")
    assert ticket.find("x.safetensors").exists()


def in_mode(change=lambda t: {}, **mode):
    """A small ticket whose tensors are all of one mode, its parts changed by `change`."""
    found = random_ticket(np.random.default_rng(6), ARCH, modes=Mode(**mode), bits=(1, 4))
    return ticket.Ticket(**vars(found) | change(found))


def first(array, value):
    """The same with another first element."""
    array = array.copy()
    array.flat[0] = value
    return array


@pytest.mark.parametrize("mode, change, message", [
    ({}, lambda t: {"masks": (first(t.masks[0], 2), *t.masks[1:])}, "mask of stem exceeds its 1"),
    ({"coats": 3}, lambda t: {"masks": (first(t.masks[0], 4), *t.masks[1:])}, "its 3 coats"),
    ({"pruned": 15}, lambda t: {"masks": (t.masks[0] | 1, *t.masks[1:])},
     "mask of stem contradicts its frozen pattern"),
    ({"locked": 15}, lambda t: {"masks": (t.masks[0] & 0, *t.masks[1:])}, "frozen pattern"),
    ({}, lambda t: {"sign_planes": (t.masks[0] > 0, *t.sign_planes[1:])},
     "signs of stem are SEQUENCE, which has no sign plane"),
    ({"signs": Signs.EXPLICIT}, lambda t: {"sign_planes": None}, "EXPLICIT, which needs a sign"),
    ({"signs": Signs.EXCEPTIONS}, lambda t: {"sign_planes": tuple(t.masks)},
     "sign plane of stem has the wrong shape or type"),
    ({"signs": Signs.EXCEPTIONS}, lambda t: {"sign_planes": tuple(m == 0 for m in t.masks)},
     "sign plane of stem is not 0 outside its mask"),
    ({}, lambda t: {"masks": (t.masks[0].astype(int), *t.masks[1:])}, "wrong shape or type"),
])  # fmt: skip
def test_refuses_what_no_mode_has(mode, change, message):
    in_mode(**mode)
    with pytest.raises(HfnError, match=message):
        in_mode(change, **mode)


def test_refuses_illegal_modes():
    for mode, message in (
        ({"coats": 0}, "coats must be from 1 to 7, not 0"), ({"coats": 8}, "coats must be"),
        ({"pruned": -1}, "pruned must be"), ({"locked": 16}, "locked must be from 0 to 15"),
        ({"pruned": 8, "locked": 8}, "pruned . locked must be below 16, not 16"),
        ({"coats": 2, "pruned": 1}, "frozen weights need one coat, not 2"),
        ({"signs": 3}, "signs must be from 0 to 2, not 3"),
    ):  # fmt: skip
        with pytest.raises(HfnError, match=message):
            Mode(**mode)


def test_refuses_bipolar_of_several_bits(saved):
    found, _ = saved
    norm = Norm(**vars(found.norms[0]) | {"bits": 2, "bipolar": True})
    with pytest.raises(HfnError, match="stem is bipolar, which needs 1 activation bit, not 2"):
        ticket.Ticket(**vars(found) | {"norms": (norm, *found.norms[1:])})


def test_refuses_files_with_illegal_modes(tmp_path):
    bad = tmp_path / "bad.safetensors"
    in_mode(coats=2).save(bad)
    data = bad.read_bytes()
    tensors, metadata = load_tensors(data), file.header(data)[0]["__metadata__"]
    for name, value, message in (
        ("masks", ~tensors["masks"], "coats of stem are not nested"),
        ("modes", first(tensors["modes"], 8), "coats must be from 1 to 7"),
        ("modes", first(tensors["modes"], 3), "masks must be"),
        ("modes", np.roll(tensors["modes"], 1, axis=1), "coats must be"),
        ("modes", tensors["modes"] + np.uint8([0, 3, 0, 0]), "not a valid Signs"),
        ("bipolar", np.ones_like(tensors["bipolar"]), "bipolar, which needs 1 activation bit"),
    ):
        bad.write_bytes(signed(tensors | {name: value}, metadata))
        with pytest.raises(HfnError, match=message) as error:
            ticket.load(bad)
        assert "bad.safetensors" in str(error.value) and "\n" not in str(error.value)


def test_refuses_a_frozen_fan_in_beyond_the_pattern():
    arch = Architecture.parse("1x1,4096x2b8", classes=1, image_size=1)
    wide = next(c for c in arch.tensors if c.fan_in > 1 << 18)
    modes = tuple(Mode(pruned=c is wide) for c in arch.tensors)
    masks = tuple(np.broadcast_to(np.uint8(0), (c.cout, c.fan_in)) for c in arch.tensors)
    norms = tuple(Norm.fit(*np.zeros((3, c.cout)), bits=1) for c in arch.layers[:-1])
    with pytest.raises(HfnError, match=f"fan-in of {wide.name} is 294912, .* limit is 262144"):
        ticket.Ticket(arch=arch, seed=1, density=0.1, masks=masks, norms=norms, modes=modes,
                      class_names=("a",))  # fmt: skip
