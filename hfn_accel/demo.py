"""`python -m hfn_accel.demo`: the whole path once, on the shipped ticket and images.

Emits Verilog, classifies the sample on the functional simulator, runs images of it on the RTL,
compares both and the estimate, and plots where cycles and bytes go.
"""

import sys
from pathlib import Path

import numpy as np

from . import cli, design_report, dse, gen, images, plots, rooms, ticket
from .compiler import compile
from .errors import HfnError
from .estimator import DEFAULT_LATENCY
from .functional import execute
from .workload import Workload

TICKET, SAMPLE = "cifar10-32x1-64x2f-128x3f", "cifar10-sample"


def main(argv: list[str] | None = None):
    """Run the demo; raises HfnError if RTL, functional simulator and estimate differ anywhere."""
    p = cli.parser("demo", "The whole path once, on the shipped ticket and images.")
    p.add_argument("--out", metavar="DIR", default="build/demo",
                   help="folder (default %(default)s)")  # fmt: skip
    p.add_argument("--count", type=int, default=1, metavar="N",
                   help="images on the RTL (default 1)")  # fmt: skip
    cli.add_config(p)
    args = p.parse_args(argv)
    config, folder = cli.config(args), Path(args.out)
    found, sample = ticket.load(TICKET), images.load(SAMPLE)
    some = sample.take(args.count)

    step("Verilog")
    shape = ["--pe", config.name] + (["--config", args.config] if args.config else [])
    gen.main([*shape, "--out", str(folder)])

    step(f"{len(sample)} images on the functional simulator")
    program = compile(found, config)
    result = execute(program, config, sample.images)
    right = result.logits.argmax(1) == sample.labels
    show(sample, result.logits, min(10, len(sample)))
    print(f"right: {right.sum()} of {len(sample)}")

    step(f"{len(some)} of them on the RTL (Verilator)")
    backend = rooms.load("sim.backend", "sim")
    report = design_report.report(Workload.of_ticket(found, str(TICKET)), config)
    counted = backend.run(program, config, some.images, keep=True, latency=DEFAULT_LATENCY,
                          progress=report["cycles"] if sys.stderr.isatty() else 0)  # fmt: skip
    show(some, counted.logits, len(some))
    same = {
        "logits": (counted.logits == result.logits[: len(some)]).all(),
        f"{len(counted.activations)} layers' activations": all(
            (a == b[: len(some)]).all()
            for a, b in zip(counted.activations, result.activations, strict=True)
        ),
        "cycles by cause": counted.cycles == report["cycles_by_cause"],
        "bytes by class": counted.bytes == {c: report["bytes"][c] for c in counted.bytes},
    }
    for what, equal in same.items():
        print(f"{what}: {'equal' if equal else 'DIFFERENT'}")
    print(f"cycles estimated {report['cycles']:,} = counted {counted.cycles['total']:,}"
          if same["cycles by cause"] else "estimate and RTL differ")  # fmt: skip

    step("Where cycles and bytes go")
    print(design_report.text(report))
    for path in plots.save_all(report, folder):
        print(path)

    step("Other designs")
    dse.main(["--ticket", str(TICKET), "--out", str(folder / "dse"), "--restart", "--workers", "1"])
    if not all(same.values()):
        raise HfnError("RTL, functional simulator and estimate differ (see above)")


def step(title: str):
    print(f"\n== {title}", flush=True)


def show(sample: images.Images, logits: np.ndarray, count: int):
    """The first predictions beside their labels."""
    for i in range(count):
        predicted, label = int(logits[i].argmax()), int(sample.labels[i])
        mark = " " if predicted == label else "x"
        print(f"  image {i:3}  {mark} predicted {sample.class_names[predicted]:12}"
              f"label {sample.class_names[label]}")  # fmt: skip


if __name__ == "__main__":
    cli.run(main)
