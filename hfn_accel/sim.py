"""`python -m hfn_accel.sim`: run labelled images through a ticket's or a compiled program.

The functional backend computes in NumPy and estimates the cycles; the RTL backend simulates the
accelerator's Verilog and counts them.
"""

from . import cli, images, rooms, ticket
from .check import check
from .compiler import compile
from .config import Config
from .errors import HfnError
from .estimate import add_latency, check_latency
from .estimator import estimate
from .files import read_bytes, write_json
from .functional import TRAFFIC, check_images, execute, work
from .program import Program

PROGRESS = 1_000_000  # clocks of the RTL between two lines on standard error


def main(argv: list[str] | None = None):
    """Print predictions beside labels, accuracy, cycles, utilisation and bytes by class."""
    args = _arguments(argv)
    config = cli.config(args)
    program, names = _program(args, config)
    data = images.load(args.images)
    data = data.take(args.count if args.count is not None else len(data))
    if names is not None and names != data.class_names:
        raise HfnError(f"{args.images} and {args.ticket} are of different classes")
    program.check(config)
    check(program.descriptors, config)
    check_images(program, data.images)
    if args.backend == "rtl":
        backend = rooms.load("sim.backend", "sim")
        result = backend.run(program, config, data.images, simulator=args.simulator,
                             latency=args.latency, progress=PROGRESS)  # fmt: skip
        cycles = {cause: int(clocks) for cause, clocks in result.cycles.items()}
    else:
        result = execute(program, config, data.images, keep=False)
        causes = estimate(program, config, args.latency).cycles_by_cause
        cycles = {cause: int(clocks) for cause, clocks in causes.items()}
    report = summary(program, config, data, result, cycles)
    report |= {"backend": args.backend, "config": config.to_dict(), "latency": args.latency}
    if args.json != "-":
        _print(report, data, "counted" if args.backend == "rtl" else "estimated")
    if args.json:
        write_json(args.json, report)


def summary(program: Program, config: Config, data: images.Images, result, cycles) -> dict:
    """What is printed, for machines. `cycles`: clocks of one image by cause, with `total`."""
    predictions = result.logits.argmax(1)
    return {
        "cycles": cycles["total"],
        "cycles_by_cause": cycles,
        "macs": result.macs,
        "utilisation": work(program) / (cycles["total"] * config.rows * config.columns),
        "bytes": {name: int(result.bytes[name]) for name in TRAFFIC},
        "logits": result.logits.tolist(),
        "predictions": predictions.tolist(),
        "labels": data.labels.tolist(),
        "accuracy": float((predictions == data.labels).mean()),
    }


def _arguments(argv):
    p = cli.parser("sim", "Run labelled images on the functional model or on the RTL.")
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--ticket", metavar="T", help="ticket: file or shipped name")
    what.add_argument("--program", metavar="P.bin", help="image that hfn_accel.compile wrote")
    p.add_argument("--images", required=True, metavar="F.npz",
                   help="labelled images: file or shipped name")  # fmt: skip
    p.add_argument("--count", type=int, metavar="N", help="the first N images (default: all)")
    p.add_argument("--backend", choices=("functional", "rtl"), default="functional",
                   help="what computes (default functional)")  # fmt: skip
    p.add_argument("--simulator", choices=("verilator", "icarus"), default="verilator",
                   help="for --backend rtl (default verilator)")  # fmt: skip
    add_latency(p)
    cli.add_config(p)
    cli.add_json(p)
    args = p.parse_args(argv)
    check_latency(args.latency)
    return args


def _program(args, config: Config) -> tuple[Program, tuple[str, ...] | None]:
    """The program, and the ticket's class names where there is a ticket."""
    if args.program is not None:
        image = read_bytes(args.program)
        try:
            return Program.parse(image), None
        except HfnError as error:
            raise HfnError(f"{args.program}: {error}") from None
    found = ticket.load(args.ticket)
    return compile(found, config), found.class_names


def _print(report: dict, data: images.Images, kind: str):
    width = max(map(len, data.class_names))
    print(f"image  {'label':{width}}  prediction")
    pairs = zip(report["labels"], report["predictions"], strict=True)
    for i, (label, predicted) in enumerate(pairs):
        name = data.class_names[predicted] if predicted < len(data.class_names) else predicted
        print(f"{i:5}  {data.class_names[label]:{width}}  {name}")
    right = sum(a == b for a, b in zip(report["labels"], report["predictions"], strict=True))
    print(f"accuracy {report['accuracy']:.1%} ({right} of {len(data)})")
    causes = ", ".join(f"{k} {v}" for k, v in report["cycles_by_cause"].items() if k != "total")
    print(f"cycles an image: {report['cycles']} {kind} ({causes})")
    print(f"utilisation {report['utilisation']:.1%}, {report['macs']} multiply-accumulates")
    moved = ", ".join(f"{k} {v}" for k, v in report["bytes"].items())
    print(f"bytes an image: {sum(report['bytes'].values())} ({moved})")


if __name__ == "__main__":
    cli.run(main)
