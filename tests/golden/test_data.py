"""Data sets in their original files: what is read, and what a damaged or hostile file does."""

import gzip
import hashlib
import os
import pickle
import struct

import numpy as np
import pytest

from golden import data
from hfn_accel.errors import HfnError

RNG = np.random.default_rng(0)
PUBLISHED = dict(data.MD5)


@pytest.fixture(autouse=True)
def unpublished(monkeypatch):
    """The files made here are not the published ones."""
    monkeypatch.setattr(data, "MD5", {})


def cifar(folder, count=4, key=b"labels", names=(b"label_names", 10)):
    """A small data set in CIFAR's layout."""
    folder.mkdir()
    hundred = key == b"fine_labels"
    files = ["train", "test"] if hundred else [f"data_batch_{i}" for i in range(1, 6)]
    for name in files if hundred else [*files, "test_batch"]:
        batch = {
            b"data": RNG.integers(0, 256, (count, 3072), dtype=np.uint8),
            key: RNG.integers(0, names[1], count).tolist(),
        }
        (folder / name).write_bytes(pickle.dumps(batch, protocol=3))
    meta = {names[0]: [b"class %d" % i for i in range(names[1])]}
    (folder / ("meta" if hundred else "batches.meta")).write_bytes(pickle.dumps(meta, protocol=3))
    return folder


def idx(array):
    head = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(head + array.tobytes())


def fashion(folder, count=3):
    for part in ("train", "t10k"):
        images = RNG.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = RNG.integers(0, 10, count, dtype=np.uint8)
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(labels))
    return images, labels


def test_cifar10(tmp_path):
    folder = cifar(tmp_path / "cifar-10-batches-py")
    for place in (tmp_path, folder):  # the folder itself, or the one it was unpacked into
        loaded = data.load("cifar10", str(place))
        assert loaded.train_images.shape == (20, 3, 32, 32) and loaded.flip
        assert loaded.train_images.dtype == np.uint8 and loaded.train_labels.dtype == np.int64
        assert loaded.test_images.shape == (4, 3, 32, 32)
        assert loaded.class_names[3] == "class 3" and len(loaded.class_names) == 10
    batch = pickle.loads((folder / "data_batch_2").read_bytes())
    assert np.array_equal(loaded.train_images[4].ravel(), batch[b"data"][0])
    assert loaded.train_labels[4:8].tolist() == batch[b"labels"]


def test_cifar100(tmp_path):
    cifar(tmp_path / "cifar-100-python", key=b"fine_labels", names=(b"fine_label_names", 100))
    loaded = data.load("cifar100", str(tmp_path))
    assert loaded.train_images.shape == (4, 3, 32, 32) and len(loaded.class_names) == 100


def test_fashion_mnist(tmp_path):
    images, labels = fashion(tmp_path)
    loaded = data.load("fashion-mnist", str(tmp_path))
    assert np.array_equal(loaded.test_images[:, 0], images) and not loaded.flip
    assert np.array_equal(loaded.test_labels, labels) and loaded.test_images.flags.writeable


def test_digits_split_is_fixed():
    loaded = data.load("digits")
    assert loaded.train_images.shape == (1437, 1, 8, 8) and loaded.test_images.shape[0] == 360
    assert loaded.train_images.max() == 255 and loaded.class_names == tuple("0123456789")
    assert np.bincount(loaded.test_labels).min() > 20


class Hostile:
    """Unpickling this runs a command."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("file", ["data_batch_1", "test_batch", "batches.meta"])
def test_a_malicious_pickle_is_refused_and_runs_nothing(tmp_path, file):
    folder, mark = cifar(tmp_path / "cifar-10-batches-py"), tmp_path / "mark"
    (folder / file).write_bytes(pickle.dumps({b"data": Hostile(mark)}, protocol=3))
    with pytest.raises(HfnError, match=f"{file} is not a CIFAR batch: .*system does not belong"):
        data.load("cifar10", str(tmp_path))
    assert not mark.exists()


@pytest.mark.parametrize("name", ["builtins.eval", "numpy.load", "builtins.getattr",
                                  "numpy.core.multiarray.scalar"])  # fmt: skip
def test_only_array_constructors_are_found(tmp_path, name):
    folder = cifar(tmp_path / "cifar-10-batches-py")
    module, _, attribute = name.rpartition(".")
    code = f"c{module}\n{attribute}\n(S'1'\ntR.".encode()
    (folder / "data_batch_1").write_bytes(code)
    with pytest.raises(HfnError, match=f"{name} does not belong there"):
        data.load("cifar10", str(tmp_path))


@pytest.mark.parametrize("value", [[1, 2], {b"labels": [1]}, {b"data": 3, b"labels": [1]},
                                   {b"data": [[1, 2]], b"labels": [1]},
                                   {b"data": np.zeros((1, 3072)), b"labels": [1]},
                                   {b"data": np.zeros((4, 3072), np.uint8), b"labels": [1]},
                                   {b"data": np.zeros((1, 3072), np.uint8), b"labels": [10]},
                                   {b"data": np.zeros((1, 3072), np.uint8), b"labels": ["x"]},
                                   {b"data": np.zeros((0, 3072), np.uint8), b"labels": []},
                                   ])  # fmt: skip
def test_pickles_that_are_no_batches(tmp_path, value):
    folder = cifar(tmp_path / "cifar-10-batches-py")
    (folder / "test_batch").write_bytes(pickle.dumps(value, protocol=3))
    with pytest.raises(HfnError) as error:
        data.load("cifar10", str(tmp_path))
    assert "\n" not in str(error.value)


def test_damaged_pickles_end_with_one_line(tmp_path):
    """Every truncation, and random damage: HfnError or, at most, other numbers."""
    folder = cifar(tmp_path / "cifar-10-batches-py", count=1)
    path = folder / "test_batch"
    whole, rng = path.read_bytes(), np.random.default_rng(1)
    head = 260  # the opcodes; most of the rest is pixels
    damaged = [whole[:n] for n in (*range(0, head, 3), len(whole) - 1)]
    for _ in range(300):
        copy = bytearray(whole)
        where = rng.integers(head) if rng.random() < 0.7 else -1 - rng.integers(40)
        copy[where] = rng.integers(256)
        damaged.append(bytes(copy))
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            data.load("cifar10", str(tmp_path))
        except HfnError:
            refused += 1
    assert refused > 200


def test_damaged_idx_files(tmp_path):
    fashion(tmp_path)
    path = tmp_path / "t10k-labels-idx1-ubyte.gz"
    whole = path.read_bytes()
    bad_sum = bytearray(whole)
    bad_sum[-6] ^= 1
    for content in (b"", b"text", whole[:10], whole[:-3], bytes(bad_sum), gzip.compress(b"\0\0"),
                    gzip.compress(gzip.decompress(whole)[:-1]), whole[:10] + b"\xff" * 30,
                    gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12)):  # fmt: skip
        path.write_bytes(content)
        with pytest.raises(HfnError, match="t10k-labels.* is not a gzip-compressed idx file"):
            data.load("fashion-mnist", str(tmp_path))
    path.write_bytes(idx(np.zeros((3, 28, 28), np.uint8)))  # images where labels belong
    with pytest.raises(HfnError, match="do not belong together"):
        data.load("fashion-mnist", str(tmp_path))


@pytest.mark.parametrize("name, file", [
    *(("cifar10", file) for file in ("data_batch_3", "test_batch", "batches.meta")),
    *(("cifar100", file) for file in ("train", "test", "meta")),
    *(("fashion-mnist", f"{file}-ubyte.gz") for file in ("t10k-labels-idx1", "train-images-idx3")),
])  # fmt: skip
def test_a_file_that_is_not_as_published(tmp_path, monkeypatch, name, file):
    """Whatever it is, and however compressed, its own sum decides."""
    if name == "cifar10":
        folder = cifar(tmp_path / "cifar-10-batches-py")
    elif name == "cifar100":
        folder = cifar(tmp_path / "cifar-100-python", key=b"fine_labels",
                       names=(b"fine_label_names", 100))  # fmt: skip
    else:
        fashion(folder := tmp_path)
    monkeypatch.setattr(data, "MD5", {file: PUBLISHED[file]})
    with pytest.raises(HfnError, match=f"{file} is not as published: its MD5 sum is .* not "
                       f"{PUBLISHED[file]}; fetch it again"):  # fmt: skip
        data.load(name, str(tmp_path))
    own = (folder / file).read_bytes()
    own = gzip.decompress(own) if file.endswith(".gz") else own
    own = hashlib.md5(own).hexdigest()
    monkeypatch.setattr(data, "MD5", {file: own})
    data.load(name, str(tmp_path))


def test_missing_folders_and_files(tmp_path):
    with pytest.raises(HfnError, match="dataset must be one of cifar10, .* not 'mnist'"):
        data.load("mnist")
    for name in ("cifar10", "cifar100", "fashion-mnist"):
        with pytest.raises(HfnError, match=f"{name} needs --data DIR: the f"):
            data.load(name)
        with pytest.raises(HfnError, match="there is no data folder .*nowhere; it must hold"):
            data.load(name, str(tmp_path / "nowhere"))
        with pytest.raises(HfnError, match="cannot read .*: No such file"):
            data.load(name, str(tmp_path))
