"""`python -m golden.existence`: tickets without training, and the law of their subset sums.

Writes law.csv, networks.csv, both as pictures, and the accelerator's tickets of ReLU targets.
"""

import csv
import io
import sys
import time
from pathlib import Path

import torch

from hfn_accel import cli
from hfn_accel.errors import HfnError
from hfn_accel.files import atomic_write, make_folder, write_json
from hfn_accel.plots import save_figures
from hfn_accel.sequence import seed_state

from .. import data
from . import accelerator, law, lottery, pictures, target

COPIES = (8, 12, 16, 20, 24)
SHOWN = ("relu", "leaky_relu", "tanh", "sigmoid")

_LINE = (
    "{target:9} {activation:11} {form:11} {copies:6} {kept:7} / {candidates:10} "
    "{max_error:10.4f} {output_error:13.1%} {accuracy:9.2%} {target_accuracy:10.2%}"
)


def main(argv: list[str] | None = None):
    """Print what is found; raises HfnError for impossible options."""
    args = _arguments(argv)
    torch.set_num_threads(1)  # the networks are too small for more
    digits = data.load("digits")
    folder = make_folder(args.out)
    out = sys.stderr if args.json == "-" else sys.stdout
    points, fits = law.run(args.seed, args.targets)
    for line in fits:
        print("{source}, delta {delta:g}: n = {slope:.2f} ln(1/eps) + {intercept:.2f}, "
              "R^2 {r_squared:.3f}".format(**line), file=out, flush=True)  # fmt: skip
    rows = []
    print("target    activation  form        copies   kept of candidates  max error  output error "
          " accuracy  of target", file=out)  # fmt: skip
    for kind in target.KINDS:
        for activation in dict.fromkeys(args.activation):
            goal = target.train(kind, activation, digits, epochs=args.epochs, seed=args.seed)
            last = max(args.copies)
            for copies in sorted(set(args.copies)) if activation == "relu" else [last]:
                for row in tickets(goal, kind, copies, digits, args, folder, copies == last):
                    print(_LINE.format(**row), file=out, flush=True)
                    rows.append(row)
    atomic_write(folder / "law.csv", _csv(points))
    atomic_write(folder / "networks.csv", _csv(rows))
    figures = {"existence-law": pictures.law(points, fits)}
    if "relu" in args.activation:
        figures["existence-networks"] = pictures.networks(rows)
    save_figures(figures, folder)
    if args.json:
        write_json(args.json, {"law": points, "fits": fits, "networks": rows})


def tickets(goal: target.Network, kind: str, copies: int, digits: data.Dataset, args, folder: Path,
            keep: bool) -> list[dict]:  # fmt: skip
    """Rows of a target's float ticket and, of ReLU, of the accelerator's; `keep`: which is written
    to existence-KIND.safetensors, too."""
    images, labels = digits.test_images, digits.test_labels
    wanted = goal(images)
    about = {"target": kind, "activation": goal.activation, "copies": copies}

    def row(form, choice, logits, seconds):
        error = (logits - wanted).square().mean().sqrt() / wanted.square().mean().sqrt()
        return about | {
            "form": form, "parameters": sum(w.numel() for w in goal.weights if w is not None),
            "candidates": choice.candidates, "kept": choice.kept,
            "max_error": float(abs(choice.errors).max()),
            "mean_error": float(abs(choice.errors).mean()), "output_error": float(error),
            "accuracy": target.accuracy(logits, labels),
            "target_accuracy": target.accuracy(wanted, labels), "seconds": round(seconds, 2),
        }  # fmt: skip

    start = time.monotonic()
    network, choice = lottery.ticket(goal, args.seed, copies, args.tolerance)
    rows = [row("float", choice, network(images), time.monotonic() - start)]
    if goal.activation == "relu":
        start = time.monotonic()
        found, choice = accelerator.ticket(
            goal, args.seed, copies, args.tolerance, digits.train_images, digits.class_names,
            {"dataset": "digits", "test_images": str(len(images)),
             "method": "subset sums (golden.existence), no training",
             "target": f"{kind}, {target.accuracy(wanted, labels):.4f}"})  # fmt: skip
        logits = accelerator.real(accelerator.logits(found, images), goal, digits.train_images)
        rows.append(row("accelerator", choice, logits, time.monotonic() - start))
        if keep:
            found.provenance["integer_accuracy"] = f"{rows[-1]['accuracy']:.4f}"
            found.save(folder / f"existence-{kind}.safetensors")
    return rows


def _csv(rows: list[dict]) -> bytes:
    text = io.StringIO()
    table = csv.DictWriter(text, rows[0], lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode()


def _arguments(argv):
    p = cli.Parser(prog="golden.existence", allow_abbrev=False,
                   description="Tickets without training, by subset sums.")  # fmt: skip
    p.add_argument("--out", required=True, metavar="DIR", help="folder to write into")
    p.add_argument("--activation", nargs="+", choices=target.ACTIVATIONS, default=SHOWN,
                   help="of target and ticket (default: relu leaky_relu tanh sigmoid)")  # fmt: skip
    p.add_argument("--copies", nargs="+", type=int, default=COPIES, metavar="N",
                   help="channels a channel of the target, the candidates of a weight (default "
                   "8 12 16 20 24; activations but relu take the most)")  # fmt: skip
    p.add_argument("--tolerance", type=float, default=0.001, metavar="E",
                   help="error of a weight that is small enough (default %(default)s)")  # fmt: skip
    p.add_argument("--targets", type=int, default=2000, metavar="N",
                   help="weights that the law is measured on (default %(default)s)")  # fmt: skip
    p.add_argument("--epochs", type=int, default=40, metavar="N",
                   help="that targets train (default %(default)s)")  # fmt: skip
    p.add_argument("--seed", type=int, default=1, metavar="SEED", help="(default 1)")
    cli.add_json(p)
    args = p.parse_args(argv)
    seed_state(args.seed)
    for copies in args.copies:
        lottery.check_copies(copies)
    if not 0 < args.tolerance < 1:
        raise HfnError(f"--tolerance must be above 0 and below 1, not {args.tolerance}")
    for name, low, high in (("targets", 100, 100_000), ("epochs", 1, 1000)):
        if not low <= getattr(args, name) <= high:
            raise HfnError(f"--{name} must be from {low} to {high}, not {getattr(args, name)}")
    return args


if __name__ == "__main__":
    cli.run(main)
