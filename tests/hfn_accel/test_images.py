import zipfile

import numpy as np
import pytest

from hfn_accel.errors import HfnError
from hfn_accel.images import (
    image_stride,
    load,
    logits_stride,
    pack,
    pack_runs,
    unpack_logits,
)

GOOD = {
    "images": np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3),
    "labels": np.array([1, 0]),
    "class_names": np.array(["cat", "dog"]),
}


def save(folder, **changes):
    path = folder / "images.npz"
    values = {k: v for k, v in (GOOD | changes).items() if v is not None}
    np.savez(path, **values)
    return path


def test_load(tmp_path):
    data = load(save(tmp_path))
    assert (data.images == GOOD["images"]).all()
    assert data.labels.tolist() == [1, 0]
    assert data.class_names == ("cat", "dog")
    assert len(data) == 2 and len(data.take(1)) == 1


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"images": GOOD["images"].astype(float)}, "must be uint8"),
        ({"images": GOOD["images"][0]}, "must be uint8"),
        ({"images": np.zeros((2, 4, 4, 5), np.uint8)}, "1 to 4 channels"),
        ({"labels": np.array([0])}, "must be 2 integers"),
        ({"labels": np.array([0.0, 1.0])}, "must be 2 integers"),
        ({"labels": np.array([0, 2])}, "from 0 to 1"),
        ({"labels": np.array([-1, 1])}, "from 0 to 1"),
        ({"class_names": np.array([1, 2])}, "strings"),
        ({"class_names": np.array([65, 1 << 31], "<u4").view("<U1")}, "printable strings"),
        ({"class_names": np.array([65, 1 << 31], ">u4").view(">U1")}, "printable strings"),
        ({"class_names": np.array([65, 0xD800], "<u4").view("<U1")}, "printable strings"),
        ({"class_names": np.array(["a", "b\nc"])}, "printable strings"),
        ({"class_names": np.array([{}, []], object)}, "not an .npz of"),
        ({"labels": None}, "not an .npz of"),
    ],
)
def test_wrong_arrays(tmp_path, changes, message):
    with pytest.raises(HfnError, match=message):
        load(save(tmp_path, **changes))


def test_wrong_files(tmp_path):
    with pytest.raises(HfnError, match="no such file"):
        load(tmp_path / "none.npz")
    whole = save(tmp_path).read_bytes()
    for data in (b"", b"hello", whole[: len(whole) // 2], whole[:-1]):
        path = tmp_path / "damaged.npz"
        path.write_bytes(data)
        with pytest.raises(HfnError, match="not an .npz of"):
            load(path)
    np.save(tmp_path / "array.npy", GOOD["images"])
    with pytest.raises(HfnError, match="not an .npz of"):
        load(tmp_path / "array.npy")


@pytest.mark.parametrize("count", [0, -1, 3])
def test_take_refuses(tmp_path, count):
    with pytest.raises(HfnError, match="--count must be from 1 to 2"):
        load(save(tmp_path)).take(count)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pack(channels):
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 4, channels)).astype(np.uint8)
    memory = pack(images)
    assert memory.shape == (2, 3 * 4 * 4)
    for n, y, x, c in np.ndindex(2, 3, 4, 4):
        want = images[n, y, x, c] if c < channels else 0
        assert memory[n, (y * 4 + x) * 4 + c] == want


def test_pack_refuses():
    with pytest.raises(HfnError, match="must be uint8"):
        pack(np.zeros((1, 2, 2, 5), np.uint8))


@pytest.mark.parametrize("count, batch", [(1, 1), (3, 1), (4, 2), (5, 3), (2, 4)])
def test_runs_of_a_batch(count, batch):
    images = np.random.default_rng(count).integers(1, 256, (count, 3, 7, 2)).astype(np.uint8)
    runs, stride = -(-count // batch), image_stride(21)
    assert stride == 128
    memory = pack_runs(images, batch)
    assert memory.shape == (runs, batch * stride)
    for n in range(runs * batch):
        image = memory[n // batch, n % batch * stride :][:stride]
        assert (image[:84] == pack(images)[min(n, count - 1)]).all() and not image[84:].any()


@pytest.mark.parametrize("count, batch", [(1, 1), (3, 1), (4, 2), (5, 3), (2, 4)])
def test_logits_of_a_batch(count, batch):
    logits = np.random.default_rng(count).integers(-(2**31), 2**31, (count, 17))
    runs = -(-count // batch)
    assert logits_stride(17) == 128 and logits_stride(16) == 64
    output = np.zeros((runs, (batch - 1) * 128 + 68), np.uint8)
    for n, values in enumerate(logits):
        at = n % batch * 128
        output[n // batch, at : at + 68] = values.astype("<i4").view(np.uint8)
    got = unpack_logits(output, batch, 17, count)
    assert got.dtype == np.int64 and (got == logits).all()


def test_damaged_members(tmp_path):
    """Whatever a flipped bit does to an archive, the answer is the same images or one line."""
    rng = np.random.default_rng(8)
    path = tmp_path / "images.npz"
    np.savez_compressed(path, **GOOD | {"images": rng.integers(0, 9, (2, 30, 30, 3), np.uint8)})
    whole, good, refused = path.read_bytes(), load(path), 0
    for at in rng.integers(0, len(whole), 300):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            assert (load(path).images == good.images).all()
        except HfnError:
            refused += 1
    assert refused > 200


@pytest.mark.parametrize("content", [
    b"", b"hello", b"\x93NUMPY\x01\x00\x04\x00((((",
    b"\x93NUMPY\x01\x00\x50\x00{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999,)}"
    .ljust(90),
])  # fmt: skip
def test_foreign_members(tmp_path, content):
    path = save(tmp_path, images=None)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("images.npy", content)
    with pytest.raises(HfnError, match="not an .npz of"):
        load(path)
