"""A ticket's accuracy in integers, on the whole test set of its data."""

import sys
import time

from .. import rooms
from ..errors import HfnError
from .contents import Ticket

BATCH = 250


def measure(ticket: Ticket, folder: str | None, dataset: str | None = None) -> dict:
    """The integer golden model on every test image: `accuracy` as a fraction, `correct` and
    `images` as counts, `seconds`, `dataset`.

    dataset: the name that the ticket's provenance gives, if none is given here. Raises HfnError if
    there is none, if the data set cannot be read, or if its classes or images are not the ticket's.
    """
    data, integer = (rooms.load(f"golden.{name}", "train", rooms=("golden",))
                     for name in ("data", "integer"))  # fmt: skip
    name = dataset or ticket.provenance.get("dataset")
    if name is None:
        raise HfnError("the ticket does not say of which data it is: give --dataset")
    found = data.load(name, folder)
    images, labels, arch = found.test_images, found.test_labels, ticket.arch
    if tuple(found.class_names) != tuple(ticket.class_names):
        raise HfnError(f"{name} and the ticket are of different classes: give another --dataset")
    if images.shape[1:] != (arch.in_channels, arch.image_size, arch.image_size):
        have = " x ".join(map(str, images.shape[1:]))
        raise HfnError(f"images of {name} are {have}, the ticket's "
                       f"{arch.in_channels} x {arch.image_size} x {arch.image_size}")  # fmt: skip
    model, correct, began = integer.IntegerResNet(ticket), 0, time.monotonic()
    for first in range(0, len(images), BATCH):
        part = slice(first, first + BATCH)
        count = len(labels[part])
        correct += round(count * integer.accuracy(model, images[part], labels[part], BATCH))
        if sys.stderr.isatty():
            done, end = first + count, "\n" if first + BATCH >= len(images) else ""
            left = (time.monotonic() - began) * (len(images) - done) / done
            print(f"\r{done:,} of {len(images):,} images  {correct / done:.2%}  {left:.0f} s left "
                  "\033[K", end=end, file=sys.stderr, flush=True)  # fmt: skip
    return {"dataset": name, "accuracy": correct / len(images), "correct": correct,
            "images": len(images), "seconds": round(time.monotonic() - began, 1)}  # fmt: skip
