"""`python -m hfn_accel.train_demo`: from nothing to the RTL, on scikit-learn's digits.

Finds a ticket, checks it, and runs it on all four models of it: the integer golden model, the
functional simulator, the RTL and the estimator, which must agree in everything.
"""

from pathlib import Path

import numpy as np

from . import cli, demos, design_report, plots, rooms, ticket, train
from .compare import maps
from .compiler import compile
from .errors import HfnError
from .files import make_folder
from .functional import execute
from .images import Images
from .workload import Workload

# one thread: so small a network gains nothing from two, and loses much on a busy machine
SEARCH = ["--dataset", "digits", "--arch", "16x1,32x3f", "--batch", "32", "--epochs", "20",
          "--threads", "1"]  # fmt: skip


def main(argv: list[str] | None = None):
    """Run the demo; raises HfnError if two of the models differ anywhere."""
    p = cli.parser("train_demo", "From nothing to the RTL: find a digits ticket and run it.")
    p.add_argument("--out", metavar="DIR", default="build/train-demo",
                   help="folder (default %(default)s)")  # fmt: skip
    p.add_argument("--count", type=int, default=3, metavar="N",
                   help="images on the RTL (default 3)")  # fmt: skip
    cli.add_config(p)
    args = p.parse_args(argv)
    config, folder = cli.config(args), make_folder(Path(args.out))

    data = rooms.load("golden.data", "train", rooms=("golden",)).load("digits")
    sample = Images(data.test_images.transpose(0, 2, 3, 1).copy(), data.test_labels,
                    data.class_names)  # fmt: skip
    some = sample.take(args.count)

    demos.step("Search of a ticket for handwritten digits of 8x8 pixels")
    out = folder / "digits.safetensors"
    out.with_suffix(".ckpt").unlink(missing_ok=True)  # a demo of the search, not of its end
    found = train.train(train.arguments([*SEARCH, "--out", str(out), "--plot", str(folder)]))
    print(found["command"])
    train.show(found, out)
    loaded = ticket.load(out)
    program = compile(loaded, config)

    demos.step(f"{len(sample)} test images on golden model and functional simulator")
    result = execute(program, config, sample.images)
    equal = as_golden(loaded, data.test_images, maps(program, result, loaded.arch), result.logits)
    print(f"right: {(result.predictions == sample.labels).sum()} of {len(sample)}")

    demos.step(f"{len(some)} of them on the RTL (Verilator)")
    report = design_report.report(Workload.of_ticket(loaded, out.stem), config)
    equal &= demos.on_rtl(program, config, report, some, result)

    demos.step("Where cycles and bytes go")
    print(design_report.text(report))
    for path in sorted(folder.glob("*.png")) + plots.save_all(report, folder):
        print(path)
    if not equal:
        raise HfnError("golden model, functional simulator, RTL and estimate differ (see above)")


def as_golden(loaded: ticket.Ticket, images: np.ndarray, layers: dict[str, np.ndarray],
              logits: np.ndarray) -> bool:  # fmt: skip
    """Whether the integer golden model of uint8 images (N, C, H, W) gives these maps and logits;
    prints it."""
    integer = rooms.load("golden.integer", "train", rooms=("golden",))
    record = []
    wanted = integer.IntegerResNet(loaded)(images, record).numpy()
    names = [conv.name + ".pool" * conv.max_pool for conv in loaded.arch.layers[:-1]]
    same = {
        "logits": np.array_equal(logits, wanted),
        f"{len(names)} layers' activations": all(
            np.array_equal(layers[name], want.numpy())
            for name, want in zip(names, record, strict=True)
        ),
    }
    return demos.tell(same)


if __name__ == "__main__":
    cli.run(main)
