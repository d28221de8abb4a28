"""The published networks by name, and command-line arguments for them with random tickets."""

import argparse

from .errors import HfnError
from .network import Architecture, Stage
from .random_ticket import random_ticket
from .ticket import Ticket

WIDTHS = (64, 128, 256, 512)
# blocks of the four stages, and the widening of bottleneck blocks (0: basic blocks)
NETWORKS = {
    "hfn-resnet18": ((2, 2, 2, 2), 0),
    "hfn-resnet34": ((3, 4, 6, 3), 0),
    "hfn-resnet50": ((3, 4, 6, 3), 1),
    "hfn-resnet101": ((3, 4, 23, 3), 1),
    "hfn-resnet152": ((3, 8, 36, 3), 1),
    "hfn-resnet200": ((3, 24, 36, 3), 1),
    "hfn-wrn50": ((3, 4, 6, 3), 2),
}
DENSITY = 0.3  # of the published tickets
DATASETS = {  # classes, image size in pixels, stem
    "cifar10": (10, 32, "cifar"),
    "cifar100": (100, 32, "cifar"),
    "imagenet": (1000, 224, "imagenet"),
}
_FOLDED_FROM = 2  # stages 3 and 4 are folded


def named(name: str, dataset: str) -> Architecture:
    """A published Hidden-Fold Network (stages 3 and 4 folded) for a data set's images.

    Raises HfnError for unknown names.
    """
    for what, value, known in (("network", name, NETWORKS), ("dataset", dataset, DATASETS)):
        if value not in known:
            raise HfnError(f"{what} must be one of {', '.join(known)}, not {value!r}")
    blocks, widening = NETWORKS[name]
    classes, size, stem = DATASETS[dataset]
    stages = tuple(
        Stage(width=w, blocks=n, folded=i >= _FOLDED_FROM, bottleneck=widening > 0,
              widening=max(widening, 1))
        for i, (w, n) in enumerate(zip(WIDTHS, blocks, strict=True))
    )  # fmt: skip
    return Architecture(stages=stages, classes=classes, image_size=size, stem=stem)


def add_arguments(p: argparse.ArgumentParser):
    """`--network` and what belongs to it: a published network instead of a ticket file."""
    p.add_argument("--network", metavar="NAME", help="run a published network: "
                   + ", ".join(NETWORKS))  # fmt: skip
    p.add_argument("--dataset", metavar="SET", help=f"of --network: {', '.join(DATASETS)}")
    p.add_argument("--random-ticket", metavar="SEED", help="of --network: seed of weights and mask")
    p.add_argument("--density", metavar="K", help="of --network: fraction of weights that the "
                   f"mask keeps (default {DENSITY})")  # fmt: skip
    p.add_argument("--activation-bits", metavar="A",
                   help="of --network: bits of every activation (default 8)")  # fmt: skip


def axes(args: argparse.Namespace) -> dict:
    """What `--network` and its arguments say, but for the seed, as axes of `workload.resolve`.
    Raises HfnError."""
    for name in ("network", "dataset"):
        if getattr(args, name) is None:
            raise HfnError(f"--network and --dataset belong together: --{name} is missing")
    given = {"network": args.network, "dataset": args.dataset}
    if args.density is not None:
        given["density"] = _number(float, "--density", args.density)
    if args.activation_bits is not None:
        given["activation_bits"] = _number(int, "--activation-bits", args.activation_bits)
    return given


def from_arguments(args: argparse.Namespace) -> Ticket:
    """The random ticket that `--network` and its arguments ask for. Raises HfnError."""
    given = axes(args)
    if args.random_ticket is None:
        raise HfnError("--network, --dataset and --random-ticket belong together: "
                       "--random-ticket is missing")  # fmt: skip
    seed = _number(int, "--random-ticket", args.random_ticket)
    arch = named(given["network"], given["dataset"])
    return random_ticket(arch, seed, given.get("density", DENSITY), given.get("activation_bits", 8))


def _number(kind, option: str, text: str):
    try:
        return kind(text)
    except ValueError:
        raise HfnError(f"{option} must be a number, not {text!r}") from None
