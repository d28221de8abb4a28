"""`python -m hfn_accel.sim`: run images through a ticket's or a compiled program.

The functional backend computes in NumPy and estimates the cycles. The RTL backend simulates the
accelerator's Verilog, counts them, and compares everything with both.
"""

import sys
import time

import numpy as np

from . import cli, images, networks, rooms, ticket
from .check import check
from .compare import checksums, differences
from .compiler import compile
from .config import Config
from .errors import HfnError
from .estimate import add_latency
from .estimator import Estimate, check_latency, estimate
from .files import read_bytes, write_json
from .functional import Result, check_images, execute, state_before, work
from .functional.slicing import slice_program
from .network import Architecture
from .program import Program

IMAGE_SEED = 1


def main(argv: list[str] | None = None):
    """Print predictions, cycles, utilisation and bytes by class; on the RTL, what equals what.

    SystemExit with status 1 if the RTL differs from the functional simulator or the estimate.
    """
    args = _arguments(argv)
    config = cli.config(args)
    program, found = _program(args, config)
    arch = found and found.arch
    data = _images(args, found)
    program.check(config)
    check(program.descriptors, config)
    check_images(program, data.images)
    workspace = None
    if args.from_layer is not None:
        program, workspace = _from_layer(program, config, data, args.from_layer, arch)
    figures = estimate(program, config, args.latency, arch)
    keep = args.backend == "rtl" or args.checksums
    start = time.monotonic()
    model = execute(program, config, data.images, keep, workspace)
    seconds = time.monotonic() - start
    result, cycles, wrong = model, figures.cycles_by_cause, []
    if args.backend == "rtl":
        backend = rooms.load("sim.backend", "sim")
        result = backend.run(program, config, data.images, simulator=args.simulator, keep=True,
                             latency=args.latency, threads=args.threads,
                             workspace=workspace, progress=figures.total_cycles)  # fmt: skip
        cycles, seconds = result.cycles, result.seconds
        wrong = differences(program, result, model, figures, arch)
    report = summary(program, config, data, result, cycles) | {
        "backend": args.backend, "config": config.to_dict(), "latency": args.latency,
        "estimated": estimated(figures), "seconds": round(seconds, 3), "differences": wrong,
        "checksums": checksums(program, result, arch) if keep and workspace is None else {},
    }  # fmt: skip
    if args.json != "-":
        _print(report, data, args.checksums)
    if args.json:
        write_json(args.json, report)
    if wrong:
        print(f"error: the RTL differs: {'; '.join(wrong)}", file=sys.stderr)
        raise SystemExit(1)


def summary(program: Program, config: Config, data: images.Images, result: Result, cycles) -> dict:
    """What is printed, for machines. `cycles`: clocks of a run by cause, with `total`."""
    predictions = result.logits.argmax(1)
    labelled = data.labels is not None
    return {
        "images": len(data),
        "batch": program.header["batch"],
        "cycles": int(cycles["total"]),
        "cycles_by_cause": {cause: int(clocks) for cause, clocks in cycles.items()},
        "macs": result.macs,
        "utilisation": work(program) / (int(cycles["total"]) * config.rows * config.columns),
        "bytes": {name: int(count) for name, count in result.bytes.items()},
        "logits": result.logits.tolist(),
        "predictions": predictions.tolist(),
        "labels": data.labels.tolist() if labelled else None,
        "accuracy": float((predictions == data.labels).mean()) if labelled else None,
    }


def estimated(figures: Estimate) -> dict:
    """An estimate of a run as `summary` has the figures."""
    return {
        "cycles": figures.total_cycles,
        "cycles_by_cause": figures.cycles_by_cause,
        "bytes": figures.bytes_by_class,
        "utilisation": figures.utilisation,
    }


def _arguments(argv):
    p = cli.parser("sim", "Run images on the functional model or on the RTL.")
    p.add_argument("--ticket", metavar="T", help="ticket: file or shipped name")
    networks.add_arguments(p)
    p.add_argument("--program", metavar="P.bin", help="image that hfn_accel.compile wrote")
    p.add_argument("--images", metavar="F.npz", help="labelled images: file or shipped name "
                   "(default: random images)")  # fmt: skip
    p.add_argument("--image-seed", type=int, default=IMAGE_SEED, metavar="SEED",
                   help="of random images (default %(default)s)")  # fmt: skip
    p.add_argument("--count", type=int, metavar="N",
                   help="the first N images (default: all of a file, one random)")  # fmt: skip
    p.add_argument("--batch", type=int, default=1, metavar="B",
                   help="images a run, which fetches masks once (default %(default)s)")  # fmt: skip
    cli.add_uncoded(p)
    p.add_argument("--from-layer", metavar="NAME", help="begin there, with what the functional "
                   "simulator computed before")  # fmt: skip
    p.add_argument("--backend", choices=("functional", "rtl"), default="functional",
                   help="what computes (default functional)")  # fmt: skip
    p.add_argument("--simulator", choices=("verilator", "icarus"), default="verilator",
                   help="for --backend rtl (default verilator)")  # fmt: skip
    p.add_argument("--threads", type=int, default=1, metavar="N",
                   help="of the Verilated model (default 1)")  # fmt: skip
    p.add_argument("--checksums", action="store_true", help="print the CRC-32 of every layer")
    add_latency(p)
    cli.add_config(p)
    cli.add_json(p)
    args = p.parse_args(argv)
    check_latency(args.latency)
    what = [n for n in ("ticket", "network", "program") if getattr(args, n) is not None]
    if len(what) != 1:
        raise HfnError("one of --ticket, --network and --program must be given, and only one")
    for name, limit in (("threads", 64), ("batch", (1 << 16) - 1)):
        if not 1 <= getattr(args, name) <= limit:
            raise HfnError(f"--{name} must be from 1 to {limit}, not {getattr(args, name)}")
    for name, given in (("batch", args.batch != 1), ("uncoded", args.uncoded)):
        if args.program is not None and given:
            raise HfnError(f"--{name} is the compiler's: --program has it already")
    return args


def _program(args, config: Config) -> tuple[Program, ticket.Ticket | None]:
    """The program, and the ticket where there is one."""
    if args.program is not None:
        image = read_bytes(args.program)
        try:
            return Program.parse(image), None
        except HfnError as error:
            raise HfnError(f"{args.program}: {error}") from None
    found = ticket.load(args.ticket) if args.ticket else networks.from_arguments(args)
    return compile(found, config, batch=args.batch, coded=not args.uncoded), found


def _images(args, found: ticket.Ticket | None) -> images.Images:
    """The images of a file, or random ones without labels."""
    if args.images is not None:
        data = images.load(args.images)
        if found is not None and args.ticket and found.class_names != data.class_names:
            raise HfnError(f"{args.images} and {args.ticket} are of different classes")
        return data.take(args.count if args.count is not None else len(data))
    if found is None:
        raise HfnError("--program needs --images")
    count = 1 if args.count is None else args.count
    if not 1 <= count <= 1000:
        raise HfnError(f"--count must be from 1 to 1000 random images, not {count}")
    return images.Images(random_images(found.arch, count, args.image_seed), None, found.class_names)


def _from_layer(program: Program, config: Config, data: images.Images, name: str, arch):
    """The program's rest from a layer on, and the workspace that it finds (`slicing`)."""
    known = [conv.name for conv in arch.layers] if arch else []
    if name not in known:
        raise HfnError(f"--from-layer must be one of {', '.join(known)}, not {name!r}"
                       if known else "--from-layer needs --ticket or --network")  # fmt: skip
    if len(data) > 1 or program.header["batch"] > 1:
        raise HfnError("--from-layer is of one image: --count and --batch must be 1")
    first = next(i for i, origin in enumerate(program.origins)
                 if origin and origin.layer == known.index(name))  # fmt: skip
    state = state_before(program, config, data.images, first)
    return slice_program(program, config, first, len(program.descriptors) - 2, state)


def random_images(arch: Architecture, count: int, seed: int = IMAGE_SEED) -> np.ndarray:
    """uint8 (count, size, size, channels)."""
    if seed < 0:
        raise HfnError(f"--image-seed must be 0 or more, not {seed}")
    shape = (count, arch.image_size, arch.image_size, arch.in_channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _print(report: dict, data: images.Images, every_layer: bool):
    names, predictions = data.class_names, report["predictions"]
    width = max(map(len, names))
    labels = report["labels"] or [None] * len(data)
    print(f"image  {'label':{width}}  prediction")
    for i, (label, predicted) in enumerate(zip(labels, predictions, strict=True)):
        print(f"{i:5}  {'-' if label is None else names[label]:{width}}  "
              f"{names[predicted] if predicted < len(names) else predicted}")  # fmt: skip
    if report["labels"]:
        right = sum(a == b for a, b in zip(labels, predictions, strict=True))
        print(f"accuracy {report['accuracy']:.1%} ({right} of {len(data)})")
    if every_layer:
        print(*(f"crc32 {value}  {name}" for name, value in report["checksums"].items()), sep="\n")
    rtl = report["backend"] == "rtl"
    run = "an image" if report["batch"] == 1 else f"a run of {report['batch']} images"
    causes = ", ".join(f"{k} {v}" for k, v in report["cycles_by_cause"].items() if k != "total")
    print(f"cycles {run}: {report['cycles']} {'counted' if rtl else 'estimated'} ({causes})")
    print(f"utilisation {report['utilisation']:.1%}, {report['macs']} multiply-accumulates")
    moved = {k: v for k, v in report["bytes"].items() if k != "activation"}
    print(f"bytes {run}: {sum(moved.values())} ({', '.join(f'{k} {v}' for k, v in moved.items())})")
    if rtl and not report["differences"]:
        print("equal: logits and every layer to the functional simulator, "
              "cycles by cause and bytes by class to the estimate")  # fmt: skip
    print(f"{report['seconds']:.1f} seconds on the {'RTL' if rtl else 'functional simulator'}")


if __name__ == "__main__":
    cli.run(main)
