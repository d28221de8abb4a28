"""`python -m sim.networks`: the published networks, whole, on the RTL under Verilator.

One line a case: the RTL against the PyTorch integer model and the functional simulator (every
layer's checksum and the logits), against the estimator (cycles by cause, bytes by class) and
against the clock on the wall. `make test-networks` runs all of them.
"""

import sys
import time
from dataclasses import dataclass

import numpy as np

from hfn_accel import cli, networks
from hfn_accel.compare import checksum, checksums, differences
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.estimator import DEFAULT_LATENCY, estimate
from hfn_accel.files import write_json
from hfn_accel.functional import execute
from hfn_accel.network import Architecture
from hfn_accel.random_ticket import random_ticket
from hfn_accel.sim import random_images
from hfn_accel.ticket import Ticket

from . import backend

_ROOMY = {"mask_bytes": 131072, "parameter_channels": 2048, "psum_depth": 1024,
          "result_words": 1024}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One network on one configuration; `minutes`: that its simulation may take on two cores."""

    arch: Architecture
    config: Config
    minutes: float
    images: int = 1
    batch: int = 1
    bits: int = 8
    seed: int = 1
    coded: bool = True


CASES = {
    "hfn-resnet18-cifar100": Case(
        networks.named("hfn-resnet18", "cifar100"), Config(**_ROOMY), 3
    ),
    "hfn-resnet50-cifar100": Case(
        networks.named("hfn-resnet50", "cifar100"), Config(**_ROOMY, activation_bytes=262144), 8
    ),
    "hfn-resnet50-imagenet": Case(
        networks.named("hfn-resnet50", "imagenet"),
        Config(rows=32, columns=32, **_ROOMY, activation_bytes=262144), 45,
    ),
    # Small maps, 1-bit activations, uncoded masks: the memory bus is the limit.
    "bus-bound": Case(
        Architecture.parse("512x4", classes=10, image_size=4),
        Config(rows=64, columns=64, requantisers=64, **_ROOMY), 3, bits=1, coded=False,
    ),
}  # fmt: skip
HEAD = (f"{'network':24}{'array':>7}{'images':>7}{'cycles':>13}{'estimate':>9}{'utilised':>9}"
        f"{'bytes':>12}{'estimate':>9}{'model':>7}{'golden':>7}{'seconds':>9}")  # fmt: skip


def run(case: Case, progress: bool = True) -> dict:
    """Figures of a case, plain values for JSON; `wrong` lists what is not as it must be."""
    ticket = random_ticket(case.arch, case.seed, bits=case.bits)
    program = compile(ticket, case.config, batch=case.batch, coded=case.coded)
    pictures = random_images(case.arch, case.images)
    figures = estimate(program, case.config, DEFAULT_LATENCY, case.arch)
    counted = backend.run(program, case.config, pictures, keep=True, latency=DEFAULT_LATENCY,
                          progress=figures.total_cycles if progress else 0)  # fmt: skip
    start = time.monotonic()
    model = execute(program, case.config, pictures)
    seconds = time.monotonic() - start
    found = checksums(program, counted, case.arch)
    wanted = golden_checksums(ticket, pictures)
    off = [name for name, value in wanted.items() if found.get(name) != value]
    wrong = differences(program, counted, model, figures, case.arch)
    wrong += [f"{name} is not the golden model's" for name in off[:1]]
    if counted.seconds > 60 * case.minutes:
        wrong.append(f"took {counted.seconds:.0f} seconds, more than {case.minutes} minutes")
    moved = figures.bytes_by_class
    return {
        "network": str(case.arch), "config": case.config.to_dict(), "array": case.config.name,
        "images": case.images, "batch": case.batch, "seed": case.seed, "bits": case.bits,
        "latency": DEFAULT_LATENCY, "macs": counted.macs,
        "cycles": counted.cycles["total"], "cycles_by_cause": counted.cycles,
        "cycles_equal": counted.cycles == figures.cycles_by_cause,
        "bytes": counted.bytes,
        "bytes_equal": all(moved[name] == value for name, value in counted.bytes.items()),
        "utilisation": figures.utilisation, "body_utilisation": figures.body.utilisation,
        "against_full_array": counted.cycles["total"] / figures.ideal_cycles,
        "against_full_bus": counted.cycles["total"] / figures.bandwidth_cycles,
        "model_equal": checksums(program, model, case.arch) == found,
        "golden_equal": not off, "checksums": found,
        "seconds": round(counted.seconds, 1), "model_seconds": round(seconds, 1),
        "wrong": wrong,
    }  # fmt: skip


def golden_checksums(ticket: Ticket, pictures: np.ndarray) -> dict[str, str]:
    """What `checksums` must give: of every layer's map as others read it, and of the logits."""
    try:
        import torch

        from golden.integer import IntegerResNet
    except ModuleNotFoundError as error:
        raise HfnError(f"the golden model needs the Python package {error.name!r}: "
                       "pip install 'hfn-accel[train]'") from None  # fmt: skip
    record = []
    logits = IntegerResNet(ticket)(torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy()), record)
    found = {conv.name + ".pool" * conv.max_pool: checksum(values.numpy())
             for conv, values in zip(ticket.arch.layers, record, strict=False)}  # fmt: skip
    return found | {"logits": checksum(logits.numpy().astype("<i4"))}


def line(name: str, r: dict) -> str:
    """A case's line of the table."""

    def equal(what: str) -> str:
        return "equal" if r[f"{what}_equal"] else "WRONG"

    moved = sum(v for k, v in r["bytes"].items() if k != "activation")
    return (f"{name:24}{r['array']:>7}{r['images']:7}{r['cycles']:13,}{equal('cycles'):>9}"
            f"{r['utilisation']:9.1%}{moved:12,}{equal('bytes'):>9}{equal('model'):>7}"
            f"{equal('golden'):>7}{r['seconds']:9.1f}")  # fmt: skip


def details(r: dict) -> str:
    """Cycles by cause and bytes by class."""
    causes = ", ".join(f"{k} {v:,}" for k, v in r["cycles_by_cause"].items() if k != "total" and v)
    classes = ", ".join(f"{k} {v:,}" for k, v in r["bytes"].items() if k != "activation" and v)
    return (f"  {r['against_full_array']:.3f} x the cycles of a full array, "
            f"{r['against_full_bus']:.3f} x those of a full bus, stages' bodies at "
            f"{r['body_utilisation']:.1%}; {len(r['checksums']) - 1} maps compared\n"
            f"  cycles: {causes}\n  bytes: {classes}")  # fmt: skip


def main(argv: list[str] | None = None):
    """Run the cases that are named, or all. SystemExit with status 1 if anything is wrong."""
    p = cli.Parser(prog="sim.networks", description=__doc__.splitlines()[0], allow_abbrev=False)
    p.add_argument("case", nargs="*", help=f"of {', '.join(CASES)} (default: all)")
    cli.add_json(p)
    args = p.parse_args(argv)
    for name in args.case:
        if name not in CASES:
            raise HfnError(f"case must be one of {', '.join(CASES)}, not {name!r}")
    results = {}
    print(HEAD, flush=True)
    for name in args.case or CASES:
        results[name] = r = run(CASES[name])
        print(line(name, r), details(r), sep="\n", flush=True)
        for text in r["wrong"]:
            print(f"error: {name}: {text}", file=sys.stderr, flush=True)
        if args.json:
            write_json(args.json, results)
    if any(r["wrong"] for r in results.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    cli.run(main)
