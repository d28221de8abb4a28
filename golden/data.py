"""Image data sets in their original files, as uint8 arrays (N, C, H, W) and labels."""

import gzip
import hashlib
import io
import pickle
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hfn_accel.errors import HfnError
from hfn_accel.files import read_bytes
from hfn_accel.recipe import DATASETS

SOURCES = {
    "cifar10": "the folder cifar-10-batches-py of Krizhevsky's CIFAR-10 python archive",
    "cifar100": "the folder cifar-100-python of Krizhevsky's CIFAR-100 python archive",
    "fashion-mnist": "the four idx .gz files of Zalando's Fashion-MNIST repository",
}

MD5 = {
    # of CIFAR's files as published; their names differ between the two sets
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
    # of what Fashion-MNIST's files hold, which are around compressed again: unpacked from files
    # of the published sums 8d4fb7e6..., 25c81989..., bef4ecab... and bb300cfd...
    "train-images-idx3-ubyte.gz": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte.gz": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte.gz": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte.gz": "15d484375f8d13e6eb1aabb0c3f46965",
}

FASHION_NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                 "Sneaker", "Bag", "Ankle boot")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """uint8 images (N, C, H, W), int64 labels (N,), class names, and the `flip` augmentation."""

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]
    flip: bool


class _ArrayUnpickler(pickle.Unpickler):
    """Reads the CIFAR batches and nothing else: only NumPy's array constructors are found.

    CIFAR is distributed as pickles. What a pickle can do is call what it names; these three only
    make arrays, so a manipulated file can hold wrong numbers but run nothing.
    """

    ALLOWED = {
        ("numpy.core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
        ("numpy._core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} does not belong there")
        return self.ALLOWED[module, name]


# what a damaged pickle makes the unpickler, or NumPy below it, raise
_DAMAGE = (pickle.UnpicklingError, EOFError, ArithmeticError, AttributeError, ImportError,
           LookupError, MemoryError, RuntimeError, SystemError, TypeError, ValueError)  # fmt: skip


def _check(path: Path, data: bytes) -> bytes:
    """The data, if they are the published ones. Raises HfnError otherwise."""
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if found != MD5.get(path.name, found):
        raise HfnError(f"{path} is not as published: its MD5 sum is {found}, not "
                       f"{MD5[path.name]}; fetch it again")  # fmt: skip
    return data


def _cifar_file(path: Path, *keys: bytes) -> list:
    data = _check(path, read_bytes(path))
    try:
        batch = _ArrayUnpickler(io.BytesIO(data), encoding="bytes").load()
    except _DAMAGE as error:
        raise HfnError(f"{path} is not a CIFAR batch: {error}") from None
    for key in keys:
        if not isinstance(batch, dict) or not isinstance(batch.get(key), list | np.ndarray):
            raise HfnError(f"{path} is not a CIFAR batch: it lacks {key.decode()}")
    return [batch[key] for key in keys]


def _cifar(folder: Path, train: list[str], test: str, key: bytes):
    def load(names):
        batches = [_cifar_file(folder / name, b"data", key) for name in names]
        try:
            images = np.concatenate([images for images, _ in batches]).reshape(-1, 3, 32, 32)
            return images, np.concatenate([labels for _, labels in batches]).astype(np.int64)
        except (ValueError, TypeError):
            raise HfnError(f"{folder / names[0]} holds no CIFAR images or labels") from None

    return *load(train), *load([test])


def _idx(path: Path) -> np.ndarray:
    data = read_bytes(path)
    try:
        data = _check(path, gzip.decompress(data))
        shape = np.frombuffer(data, ">u4", data[3], 4).astype(int)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape).copy()
    except (OSError, EOFError, zlib.error, IndexError, ValueError):
        raise HfnError(f"{path} is not a gzip-compressed idx file") from None


def _digits():
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise HfnError("the digits data set needs scikit-learn: pip install scikit-learn") from None
    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = digits.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(images))
    train, test = order[:1437], order[1437:]
    return images[train], labels[train], images[test], labels[test]


def _fashion_mnist(root: Path):
    arrays = []
    for part in ("train", "t10k"):
        arrays.append(_idx(root / f"{part}-images-idx3-ubyte.gz")[:, None])
        arrays.append(_idx(root / f"{part}-labels-idx1-ubyte.gz").astype(np.int64))
    return arrays


def load(name: str, folder: str | None = None) -> Dataset:
    """Load a data set from `folder` (not needed for digits, which scikit-learn carries).

    Raises HfnError if the name is unknown, or a file is missing or not as published.
    """
    if name not in DATASETS:
        raise HfnError(f"dataset must be one of {', '.join(DATASETS)}, not {name!r}")
    if name == "digits":
        return _checked(name, _digits(), tuple("0123456789"))
    if folder is None:
        raise HfnError(f"{name} needs --data DIR: {SOURCES[name]}")
    root = Path(folder)
    sub = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}.get(name, "")
    if (root / sub).is_dir():
        root = root / sub
    if not root.is_dir():
        raise HfnError(f"there is no data folder {root}; it must hold {SOURCES[name]}")
    if name == "cifar10":
        batches = [f"data_batch_{i}" for i in range(1, 6)]
        (names,) = _cifar_file(root / "batches.meta", b"label_names")
        return _checked(name, _cifar(root, batches, "test_batch", b"labels"), names)
    if name == "cifar100":
        (names,) = _cifar_file(root / "meta", b"fine_label_names")
        return _checked(name, _cifar(root, ["train"], "test", b"fine_labels"), names)
    return _checked(name, _fashion_mnist(root), FASHION_NAMES)


def _checked(name, arrays, class_names) -> Dataset:
    fields = ("train_images", "train_labels", "test_images", "test_labels")
    for images, labels in (arrays[:2], arrays[2:]):
        if not (images.ndim == 4 and images.dtype == np.uint8 and images.size
                and images.shape[1:] == arrays[0].shape[1:] and labels.shape == images.shape[:1]
                and 0 <= labels.min() and labels.max() < len(class_names)):  # fmt: skip
            raise HfnError(f"{name}: images and labels do not belong together")
    class_names = tuple(n.decode() if isinstance(n, bytes) else str(n) for n in class_names)
    return Dataset(name=name, class_names=class_names, flip=name.startswith("cifar"),
                   **dict(zip(fields, arrays, strict=True)))  # fmt: skip
