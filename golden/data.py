"""Image data sets in their original files, as uint8 arrays (N, C, H, W) and labels."""

import gzip
import io
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hfn_accel.errors import HfnError

DATASETS = ("cifar10", "cifar100", "fashion-mnist", "digits")

SOURCES = {
    "cifar10": "the folder cifar-10-batches-py of Krizhevsky's CIFAR-10 python archive",
    "cifar100": "the folder cifar-100-python of Krizhevsky's CIFAR-100 python archive",
    "fashion-mnist": "the four idx .gz files of Zalando's Fashion-MNIST repository",
}


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
    """Reads the CIFAR batches and nothing else: only NumPy's array constructors are found."""

    ALLOWED = {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} does not belong in a CIFAR batch")
        if name == "_reconstruct":
            return np._core.multiarray._reconstruct
        return getattr(np, name)


def _cifar_file(path: Path) -> dict:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise HfnError(f"cannot read {path}: {error.strerror}") from None
    try:
        return _ArrayUnpickler(io.BytesIO(data), encoding="bytes").load()
    except Exception as error:  # whatever a damaged pickle makes the unpickler raise
        raise HfnError(f"{path} is not a CIFAR batch: {error}") from None


def _cifar(folder: Path, train: list[str], test: str, key: bytes):
    def load(names):
        batches = [_cifar_file(folder / name) for name in names]
        try:
            images = np.concatenate([b[b"data"] for b in batches]).reshape(-1, 3, 32, 32)
            return images, np.concatenate([b[key] for b in batches]).astype(np.int64)
        except (KeyError, ValueError, TypeError):
            raise HfnError(f"{folder} holds batches without CIFAR's fields") from None

    return *load(train), *load([test])


def _idx(path: Path) -> np.ndarray:
    try:
        data = gzip.decompress(path.read_bytes())
        shape = np.frombuffer(data, ">u4", data[3], 4).astype(int)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)
    except OSError as error:
        raise HfnError(f"cannot read {path}: {error.strerror or error}") from None
    except (EOFError, IndexError, ValueError):
        raise HfnError(f"{path} is not an idx file") from None


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


def load(name: str, folder: str | None = None) -> Dataset:
    """Load a data set from `folder` (not needed for digits, which scikit-learn carries).

    Raises HfnError if the name is unknown or a file is missing or damaged.
    """
    if name not in DATASETS:
        raise HfnError(f"dataset must be one of {', '.join(DATASETS)}, not {name!r}")
    flip = name.startswith("cifar")
    if name == "digits":
        arrays, names = _digits(), tuple("0123456789")
    else:
        if folder is None:
            raise HfnError(f"{name} needs --data DIR: {SOURCES[name]}")
        root = Path(folder)
        sub = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}.get(name, "")
        if (root / sub).is_dir():
            root = root / sub
        if not root.is_dir():
            raise HfnError(f"data folder {root} does not exist; it must hold {SOURCES[name]}")
        if name == "cifar10":
            batches = [f"data_batch_{i}" for i in range(1, 6)]
            arrays = _cifar(root, batches, "test_batch", b"labels")
            names = _cifar_file(root / "batches.meta")[b"label_names"]
        elif name == "cifar100":
            arrays = _cifar(root, ["train"], "test", b"fine_labels")
            names = _cifar_file(root / "meta")[b"fine_label_names"]
        else:
            arrays = tuple(
                _idx(root / f"{part}-{kind}.gz")[:, None] if "images" in kind
                else _idx(root / f"{part}-{kind}.gz").astype(np.int64)
                for part in ("train", "t10k") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
            )  # fmt: skip
            names = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                     "Sneaker", "Bag", "Ankle boot")  # fmt: skip
        names = tuple(n.decode() if isinstance(n, bytes) else n for n in names)
    fields = ("train_images", "train_labels", "test_images", "test_labels")
    return Dataset(name=name, class_names=names, flip=flip, **dict(zip(fields, arrays)))
