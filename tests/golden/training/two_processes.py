"""Searches for torchrun, one after the other: `torchrun -m tests.golden.training.two_processes
FOLDER`. Each rank leaves FOLDER/NAME.RANK.safetensors, its network, and .json, its metrics; only
the first may write what a search writes."""

import json
import os
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from golden.training import checkpoint, logs, loop
from golden.training.files import RunFiles

from . import job

KINDS = {
    "learned steps": {"scales": "learned", "recycle_every": 1},
    "dense, fixed norms": {"method": "dense", "lr": 0.01, "epochs": 1},
    "edge-popup, fixed norms": {"epochs": 1},
}


class Stop(Exception):
    pass


def recipe(name):
    return job.recipe(**KINDS[name])


def search(name: str, folder: Path):
    """The network and its metrics; files are in FOLDER/NAME."""
    model = job.network(recipe(name))
    if "fixed norms" in name:  # so that a step depends on each image alone
        for norm in model.norms:
            norm.eval().train = lambda mode=True: None
    (folder / name).mkdir(exist_ok=True)
    files = RunFiles(folder / name / "t.safetensors")
    return model, loop.train(model, job.images(), recipe(name), files, checkpoint_every=4)


def stop(*args):
    raise Stop


def main():
    torch.set_num_threads(1)
    folder, rank = Path(sys.argv[1]), os.environ["RANK"]
    if rank != "0":
        checkpoint.atomic_write = logs.atomic_write = stop

    def leave(name, model, rows):
        state = {key: value.contiguous() for key, value in model.state_dict().items()}
        save_file(state, folder / f"{name}.{rank}.safetensors")
        (folder / f"{name}.{rank}.json").write_text(json.dumps(rows))

    for name in KINDS:
        leave(name, *search(name, folder))
    (folder / "resumed").mkdir(exist_ok=True)
    for number in (7, 10):  # in the first epoch; in the second, which is quantised
        descend = loop.descend
        job.at_call(number, loop, "descend", stop)
        try:
            search("learned steps", folder / "resumed")
        except Stop:
            loop.descend = descend
    leave("resumed", *search("learned steps", folder / "resumed"))


if __name__ == "__main__":
    main()
