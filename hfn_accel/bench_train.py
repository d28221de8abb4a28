"""Cost of a training step of every search method, beside the step of the same dense network."""

import argparse

import numpy as np

from . import rooms
from .errors import HfnError
from .network import Architecture
from .recipe import Recipe

SECONDS = 40  # of rounds, after one that warms up
LEAST = 5  # rounds
SIZES = 10_000, 300_000, 2_400_000, 11_000_000  # scores whose threshold is selected
GOAL = 1.35  # steps of the dense network that a search's step may cost


def add_arguments(p: argparse.ArgumentParser):
    """`--arch`, `--batch` and `--device`."""
    p.add_argument("--arch", default="32x1,64x2f,128x3f", metavar="WxB[b][f],...",
                   help="of train: the network, as `hfn_accel.train --arch` takes it "
                   "(default %(default)s)")  # fmt: skip
    p.add_argument("--batch", default=128, type=int, metavar="N",
                   help="of train: images a step (default %(default)s)")  # fmt: skip
    p.add_argument("--device", default="cpu", choices=("cpu", "cuda"),
                   help="of train: where to compute (default %(default)s)")  # fmt: skip


def measure(args) -> dict:
    """`contestants`: name -> `step_ms`, `images_per_second` and `ratio` to the dense network's step
    in the same round, all medians, with `ratio_quartiles`; `weights`: of the network.
    `selection_ms`: number of scores -> way of finding their threshold -> milliseconds. On one
    thread. Raises HfnError where PyTorch, or the device, is missing."""
    if args.batch < 2:  # what batch normalisation needs
        raise HfnError(f"--batch must be at least 2, not {args.batch}")
    arch = Architecture.parse(Recipe(dataset="cifar10", arch=args.arch).arch, classes=10)
    throughput = rooms.load("golden.throughput", "train", rooms=("golden",))
    import torch

    if args.device == "cuda" and not torch.cuda.is_available():
        raise HfnError("--device cuda: PyTorch finds no CUDA device here")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        spent = throughput.measure(arch, args.batch, args.device, SECONDS, LEAST)
        selections = {size: throughput.selections(size, args.device, LEAST) for size in SIZES}
    finally:
        torch.set_num_threads(threads)
    found = {}
    for name, seconds in spent.items():
        ratios = np.divide(seconds, spent["dense"])
        found[name] = {
            "step_ms": 1e3 * float(np.median(seconds)),
            "images_per_second": args.batch / float(np.median(seconds)),
            "ratio": float(np.median(ratios)),
            "ratio_quartiles": np.quantile(ratios, (0.25, 0.75)).tolist(),
        }
    return {
        "arch": str(arch), "batch": args.batch, "device": args.device,
        "weights": sum(conv.weights for conv in arch.tensors),
        "rounds": len(spent["dense"]), "goal_ratio": GOAL, "contestants": found,
        "selection_ms": {size: {way: 1e3 * seconds for way, seconds in row.items()}
                         for size, row in selections.items()},
    }  # fmt: skip


def show(result: dict):
    print(f"{result['arch']}, {result['weights']:,} weights, batch {result['batch']}, "
          f"{result['device']}, one thread; medians of {result['rounds']} rounds")  # fmt: skip
    print(f"{'':24}{'ms a step':>10}{'images/s':>10}{'to dense':>10}   quartiles")
    for name, row in result["contestants"].items():
        low, high = row["ratio_quartiles"]
        print(f"{name:24}{row['step_ms']:10.1f}{row['images_per_second']:10.0f}"
              f"{row['ratio']:10.3f}   {low:.3f} to {high:.3f}")  # fmt: skip
    print(f"goal: at most {result['goal_ratio']} steps of the dense network")
    table = result["selection_ms"]
    print("\nms to find a threshold among" + "".join(f"{size:14,}" for size in table))
    for way in next(iter(table.values())):
        print(f"{way:28}" + "".join(f"{row[way]:14.3f}" for row in table.values()))
