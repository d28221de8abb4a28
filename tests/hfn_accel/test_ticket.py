import json

import numpy as np
import pytest
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors
from safetensors.numpy import save_file

from hfn_accel import sequence, ticket
from hfn_accel.errors import HfnError
from hfn_accel.network import Architecture
from tests.tickets import random_ticket

ARCH = Architecture.parse("3x1,5x3f", classes=4, image_size=4)


def same(a: ticket.Ticket, b: ticket.Ticket) -> bool:
    masks = all((x == y).all() for x, y in zip(a.masks, b.masks, strict=True))
    norms = all(
        (x.multiplier == y.multiplier).all() and (x.residual == y.residual).all()
        and (x.bias == y.bias).all() and (x.shift, x.bits) == (y.shift, y.bits)
        for x, y in zip(a.norms, b.norms, strict=True)
    )  # fmt: skip
    about = ("arch", "seed", "density", "class_names", "provenance")
    return masks and norms and all(getattr(a, n) == getattr(b, n) for n in about)


@pytest.fixture
def saved(tmp_path):
    found = random_ticket(np.random.default_rng(2), ARCH)
    path = tmp_path / "small.safetensors"
    found.save(path)
    return found, path


def test_round_trip_over_random_networks(tmp_path):
    rng = np.random.default_rng(11)
    for i in range(20):
        found = random_ticket(rng, wild=bool(i % 2))
        found.save(tmp_path / "t.safetensors")
        assert same(found, ticket.load(tmp_path / "t.safetensors"))
    assert [p.name for p in tmp_path.iterdir()] == ["t.safetensors"]


def test_file_is_small_and_its_bytes_are_stable(saved, tmp_path):
    found, path = saved
    found.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    packed = sum(-(-conv.weights // 8) for conv in ARCH.tensors)
    assert path.stat().st_size < packed + 8 * sum(c.cout for c in ARCH.layers) + 1500


def test_weights_are_masked_signs(saved):
    found, _ = saved
    for t, conv in enumerate(ARCH.tensors):
        w = found.weights(t)
        assert w.shape == (conv.cout, conv.fan_in) and w.dtype == np.int8
        assert ((w != 0) == found.masks[t]).all()
        signs = sequence.signs(sequence.seed_state(found.seed), t, conv.cout, conv.fan_in)
        assert (w[found.masks[t]] == signs[found.masks[t]]).all()


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
    bad.write_bytes(path.read_bytes().replace(b'"version":"1"', b'"version":"2"'))
    with pytest.raises(HfnError, match="ticket version 2, not 1"):
        ticket.load(bad)


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
        (lambda t: {"masks": t.masks[:-1]}, "one mask a tensor"),
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
    ({"arch": ",".join(4 * ["4096x128"])}, "masks must be 19"),  # refused before it is allocated
    ({"arch": "9" * 5000 + "x1"}, "architecture must be"),
    ({"arch": 5}, "damaged ticket"),
    ({"seed": "1"}, "damaged ticket"),
    ({"classes": 3.0}, "classes must be an integer"),
    ({"class_names": "abc"}, "class_names must be a list"),
    ({"class_names": [1, 2, 3]}, "does not name every class"),
    ({"coats": 2}, "several coats"),
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
    tensors, metadata = load_tensors(data), ticket._header(data)[0]["__metadata__"]
    return signed(tensors, metadata | {"ticket": change(metadata["ticket"])})


def signed(tensors, metadata):
    """A file whose checksum is right, whatever it says."""
    crc = ticket._checksum(metadata["ticket"], tensors)
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


@pytest.mark.parametrize("name", ["masks", "multiplier", "residual", "bias", "shift", "bits"])
def test_refuses_tensors_of_another_shape(saved, tmp_path, name):
    data = saved[1].read_bytes()
    bad, tensors = tmp_path / "bad.safetensors", load_tensors(data)
    metadata = ticket._header(data)[0]["__metadata__"]
    for change in (lambda x: x[:-1], lambda x: np.append(x, x), lambda x: x[:, None],
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
    norm = ticket.Norm(**vars(found.norms[0]) | change)
    with pytest.raises(HfnError, match="shift or bits of stem are out of range"):
        ticket.Ticket(**vars(found) | {"norms": (norm, *found.norms[1:])})


def test_find_takes_files_before_shipped_names(tmp_path, monkeypatch):
    assert ticket.find("no-such-ticket").name == "no-such-ticket"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.safetensors").write_bytes(b"")
    assert ticket.find("x.safetensors").exists()
