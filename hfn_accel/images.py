"""Labelled images from .npz files, and their layout in memory."""

import sys
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import HfnError
from .ticket import find

PIXEL_BYTES = 4
MAX_TAPS = 7
"""Neighbouring pixels of a row that the image loader puts side by side at most."""
LOGIT_BYTES = 4
BATCH_ALIGNMENT = 64  # of every image and its logits within a batch
# what a damaged or foreign archive makes NumPy, or zipfile below it, raise
_DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, RuntimeError,
           ArithmeticError, MemoryError, zipfile.BadZipFile, zlib.error,
           tokenize.TokenError)  # fmt: skip


@dataclass(frozen=True)
class Images:
    """images: uint8 (N, height, width, channels). labels: int64 (N,), indices of class_names."""

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]

    def __len__(self):
        return len(self.images)

    def take(self, count: int) -> "Images":
        """The first `count`. Raises HfnError if there are fewer, or for no image at all."""
        if not 1 <= count <= len(self):
            raise HfnError(f"--count must be from 1 to {len(self)} (what the file holds), "
                           f"not {count}")  # fmt: skip
        return Images(self.images[:count], self.labels[:count], self.class_names)


def load(name: str | Path) -> Images:
    """Read `images`, `labels` and `class_names` from a .npz by file or shipped name.

    Raises HfnError for a missing, damaged or foreign file, or arrays of the wrong shape.
    """
    path = find(name)
    try:
        with np.load(path, allow_pickle=False) as file:
            images, labels, names = (file[k] for k in ("images", "labels", "class_names"))
        if not all(isinstance(a, np.ndarray) for a in (images, labels, names)):
            raise TypeError("a member is no array")
    except FileNotFoundError:
        raise HfnError(f"cannot read {path}: no such file") from None
    except _DAMAGE as error:
        raise HfnError(f"{path} is not an .npz of images, labels, class_names: {error}") from None
    if images.dtype != np.uint8 or images.ndim != 4 or not 1 <= images.shape[3] <= PIXEL_BYTES:
        raise HfnError(
            f"{path}: images must be uint8 (N, height, width, 1 to {PIXEL_BYTES} channels), "
            f"not {images.dtype} {images.shape}"
        )
    if names.ndim != 1 or names.dtype.kind != "U" or not _printable(names):
        raise HfnError(f"{path}: class_names must be a list of printable strings")
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise HfnError(f"{path}: labels must be {len(images)} integers, one an image")
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(names):
        raise HfnError(f"{path}: labels must be from 0 to {len(names) - 1}")
    return Images(images, labels.astype(np.int64), tuple(map(str, names)))


def _printable(names: np.ndarray) -> bool:
    """Whether all are. NumPy takes any 32 bits for a character, and fails on some."""
    characters = np.frombuffer(names.tobytes(), np.dtype("u4").newbyteorder(names.dtype.byteorder))
    return characters.max(initial=0) <= sys.maxunicode and all(str(n).isprintable() for n in names)


def pack(images: np.ndarray) -> np.ndarray:
    """Memory layout: uint8 (N, height * width * 4), row-major, channel c in byte c of a pixel."""
    if images.dtype != np.uint8 or images.ndim != 4 or not 1 <= images.shape[3] <= PIXEL_BYTES:
        raise HfnError(
            f"images must be uint8 (N, height, width, 1 to {PIXEL_BYTES} channels), "
            f"not {images.dtype} {images.shape}"
        )
    memory = np.zeros((*images.shape[:3], PIXEL_BYTES), np.uint8)
    memory[..., : images.shape[3]] = images
    return memory.reshape(len(images), -1)


def image_stride(pixels: int) -> int:
    """Bytes from one image of a batch to the next."""
    return -(-pixels * PIXEL_BYTES // BATCH_ALIGNMENT) * BATCH_ALIGNMENT


def logits_stride(classes: int) -> int:
    """Bytes from one image's logits to the next's."""
    return -(-classes * LOGIT_BYTES // BATCH_ALIGNMENT) * BATCH_ALIGNMENT


def pack_runs(images: np.ndarray, batch: int) -> np.ndarray:
    """Input memory of each run: uint8 (ceil(N / batch), batch * image_stride).

    The last run is filled up with the last image.
    """
    packed = pack(images)
    runs = -(-len(packed) // batch)
    memory = np.zeros((runs * batch, image_stride(images.shape[1] * images.shape[2])), np.uint8)
    memory[: len(packed), : packed.shape[1]] = packed
    memory[len(packed) :, : packed.shape[1]] = packed[-1:]
    return memory.reshape(runs, -1)


def unpack_logits(output: np.ndarray, batch: int, classes: int, count: int) -> np.ndarray:
    """int64 (count, classes) from the output memory of each run, uint8 (runs, bytes)."""
    stride = logits_stride(classes)
    parts = [output[:, i * stride :][:, : classes * LOGIT_BYTES] for i in range(batch)]
    logits = np.ascontiguousarray(np.stack(parts, 1)).view("<i4")
    return logits.reshape(-1, classes)[:count].astype(np.int64)
