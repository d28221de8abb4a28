"""What the demos share: headings, predictions, and the RTL beside simulator and estimate."""

import sys

import numpy as np

from . import rooms
from .config import Config
from .estimator import DEFAULT_LATENCY
from .functional import Result
from .images import Images
from .program import Program


def step(title: str):
    print(f"\n== {title}", flush=True)


def show(sample: Images, logits: np.ndarray, count: int):
    """The first predictions beside their labels."""
    for i in range(count):
        predicted, label = int(logits[i].argmax()), int(sample.labels[i])
        mark = " " if predicted == label else "x"
        print(f"  image {i:3}  {mark} predicted {sample.class_names[predicted]:12}"
              f"label {sample.class_names[label]}")  # fmt: skip


def tell(same: dict[str, bool]) -> bool:
    """Print which of these are equal; whether all are."""
    for what, equal in same.items():
        print(f"{what}: {'equal' if equal else 'DIFFERENT'}")
    return all(same.values())


def on_rtl(program: Program, config: Config, report: dict, some: Images, model: Result) -> bool:
    """Run images on the RTL (Verilator) and compare it with the functional simulator's result of
    these and perhaps more images, and with the estimate of a `design_report.report`; whether all
    is equal."""
    backend = rooms.load("sim.backend", "sim")
    counted = backend.run(program, config, some.images, keep=True, latency=DEFAULT_LATENCY,
                          progress=report["cycles"] if sys.stderr.isatty() else 0)  # fmt: skip
    show(some, counted.logits, len(some))
    same = {
        "logits": (counted.logits == model.logits[: len(some)]).all(),
        f"{len(counted.activations)} layers' activations": all(
            (a == b[: len(some)]).all()
            for a, b in zip(counted.activations, model.activations, strict=True)
        ),
        "cycles by cause": counted.cycles == report["cycles_by_cause"],
        "bytes by class": counted.bytes == {c: report["bytes"][c] for c in counted.bytes},
    }
    equal = tell(same)
    print(f"cycles estimated {report['cycles']:,} = counted {counted.cycles['total']:,}"
          if same["cycles by cause"] else "estimate and RTL differ")  # fmt: skip
    return equal
