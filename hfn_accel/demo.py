"""`python -m hfn_accel.demo`: the whole path once, on the shipped ticket and images.

Emits Verilog, classifies the sample on the functional simulator, runs images of it on the RTL,
compares both and the estimate, and plots where cycles and bytes go.
"""

from pathlib import Path

from . import cli, design_report, dse, gen, images, plots, ticket
from .compiler import compile
from .demos import on_rtl, show, step
from .errors import HfnError
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
    report = design_report.report(Workload.of_ticket(found, str(TICKET)), config)
    equal = on_rtl(program, config, report, some, result)

    step("Where cycles and bytes go")
    print(design_report.text(report))
    for path in plots.save_all(report, folder):
        print(path)

    step("Other designs")
    dse.main(["--ticket", str(TICKET), "--out", str(folder / "dse"), "--restart", "--workers", "1"])
    if not equal:
        raise HfnError("RTL, functional simulator and estimate differ (see above)")


if __name__ == "__main__":
    cli.run(main)
