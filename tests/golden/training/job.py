"""A small search, for the tests beside this file; also a process of its own:

`python -m tests.golden.training.job FOLDER RECIPE-JSON OPTIONS-JSON`. Options: `kill_at`, the
number of the step, and `kill_saving`, of the checkpoint, in which the process kills itself; others
are train's.
"""

import itertools
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch

from golden import build, data
from golden.training import checkpoint, loop
from golden.training.files import RunFiles
from hfn_accel.recipe import Recipe

SMALL = {"dataset": "digits", "arch": "4x1,8x2f", "epochs": 3, "batch": 16, "quantise_from": 1,
         "seed": 5}  # fmt: skip
STEPS = 9  # an epoch of SMALL


def recipe(**fields) -> Recipe:
    return Recipe.from_dict(SMALL | fields)


def images(seed=0, flip=False) -> data.Dataset:
    """160 noisy images of 10 classes; there is no test set that anything could look at."""
    rng = np.random.default_rng(seed)
    labels = np.arange(160) % 10
    pixels = np.clip(rng.random((10, 1, 8, 8))[labels] * 200 + rng.normal(0, 25, (160, 1, 8, 8)),
                     0, 255)  # fmt: skip
    return data.Dataset(name="digits", train_images=pixels.astype(np.uint8), train_labels=labels,
                        test_images=None, test_labels=None, flip=flip,
                        class_names=tuple("0123456789"))  # fmt: skip


def network(chosen: Recipe):
    return build.build(chosen, build.architecture(chosen, images()))


def train(chosen: Recipe, folder: Path, **options):
    """The searched network and the rows of its metrics; files are FOLDER/t.*."""
    model = network(chosen)
    return model, loop.train(model, images(), chosen, RunFiles(folder / "t.safetensors"), **options)


def at_call(number: int, module, name: str, act):
    """Call `act` with the arguments, instead of the function, at its call of that number from 1."""
    function, calls = getattr(module, name), itertools.count(1)

    def counted(*args, **kwargs):
        return (act if next(calls) == number else function)(*args, **kwargs)

    setattr(module, name, counted)


def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)


def die_writing(path, content: bytes):
    """Half of a file is written when the process dies."""
    path.with_name(f".{path.name}.part").write_bytes(content[: len(content) // 2])
    die()


def main():
    torch.set_num_threads(1)
    folder, chosen = Path(sys.argv[1]), recipe(**json.loads(sys.argv[2]))
    options = json.loads(sys.argv[3])
    if number := options.pop("kill_at", None):
        at_call(number, loop, "descend", die)
    if number := options.pop("kill_saving", None):
        at_call(number, checkpoint, "atomic_write", die_writing)
    train(chosen, folder, **options)


if __name__ == "__main__":
    main()
