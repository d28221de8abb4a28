"""`python -m hfn_accel.precision`: fewer activation bits where they cost little, for fewer cycles.

Starts from the checkpoint of a finished search, whose masks stay. See docs/precision.md.
"""

import argparse
import csv
import hashlib
import io
import re
import shlex
import time
from functools import cache
from pathlib import Path

import numpy as np

from . import cli, plots, rooms, train
from .compiler import check_accumulators, compile
from .errors import HfnError
from .estimate import add_latency
from .estimator import check_latency, estimate, estimate_network
from .exploration.pareto import front
from .files import atomic_write, make_folder, read_bytes, write_json
from .measurements import Measurements
from .streams import TicketStreams
from .ticket import Ticket, load

SEEN = 500  # training images, augmented, on which normalisations are measured during the search
MAX_DROP = 0.01


def arguments(argv=None) -> argparse.Namespace:
    p = cli.parser("precision", "Search activation bits a layer for a found ticket.")
    p.add_argument("checkpoint", metavar="T.ckpt", type=Path, help="of a finished search")
    p.add_argument("--data", metavar="DIR", help="folder of the data set's original files")
    cli.add_config(p)
    add_latency(p)
    p.add_argument("--out", required=True, metavar="T2.safetensors", type=Path,
                   help="the new ticket; what was measured stays beside it: .measured, from which "
                   "the same command goes on, and .csv")  # fmt: skip
    goal = p.add_mutually_exclusive_group()
    goal.add_argument("--max-drop", metavar="X", type=float, help="save cycles as long as accuracy "
                      "stays within this of what the most bits, or the trained ones, reach "
                      f"(default {MAX_DROP})")  # fmt: skip
    goal.add_argument("--max-cycles", metavar="N", type=int, help="save until so few cycles")
    p.add_argument("--images", metavar="N", type=int, default=1000,
                   help="held-out training images to measure on (default %(default)s)")  # fmt: skip
    p.add_argument("--bits", metavar="LOW..HIGH", default="2..8",
                   help="bits that a layer may have (default %(default)s)")  # fmt: skip
    p.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="where to compute")
    p.add_argument("--threads", type=int, metavar="N", help="CPU threads")
    p.add_argument("--plot", metavar="DIR", help="folder for pictures")
    cli.add_json(p)
    args = p.parse_args(argv)
    args.bits = _widths(args.bits)
    if args.max_drop is None and args.max_cycles is None:
        args.max_drop = MAX_DROP
    if args.max_drop is not None and not 0 <= args.max_drop <= 1:
        raise HfnError(f"--max-drop must be from 0 to 1, not {args.max_drop}")
    for name in ("max_cycles", "images"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise HfnError(f"--{name.replace('_', '-')} must be at least 1, not "
                           f"{getattr(args, name)}")  # fmt: skip
    if args.threads is not None and not 1 <= args.threads <= 256:
        raise HfnError(f"--threads must be from 1 to 256, not {args.threads}")
    if args.out.suffix != ".safetensors":
        raise HfnError(f"--out must end in .safetensors, not {args.out.name!r}")
    if args.out.is_dir():
        raise HfnError(f"--out: {args.out} is a folder")
    if args.out.with_suffix("").resolve() == args.checkpoint.with_suffix("").resolve():
        raise HfnError(f"--out: {args.out} is the found ticket itself; choose another name")
    check_latency(args.latency)
    return args


def _widths(text: str) -> tuple[int, ...]:
    match = re.fullmatch(r"([1-8])\.\.([1-8])", text)
    if not match or match[1] > match[2]:
        raise HfnError(f"--bits must be LOW..HIGH such as 2..8, not {text!r}")
    return tuple(range(int(match[1]), int(match[2]) + 1))


def _golden(name: str):
    return rooms.load(f"golden.{name}", "train", rooms=("golden",))


class _Found:
    """What a checkpoint holds, and what its network does with other bits."""

    def __init__(self, args):
        data, checkpoint, precision, moving = (_golden(name) for name in (
            "data", "training.checkpoint", "precision", "training.images"))  # fmt: skip
        import torch

        self.began = time.monotonic()
        self.restored = checkpoint.restore(args.checkpoint)
        recipe = self.recipe = self.restored.recipe
        if self.restored.epochs_done < recipe.epochs:
            raise HfnError(f"{args.checkpoint} is not finished: {self.restored.epochs_done} of "
                           f"{recipe.epochs} epochs")  # fmt: skip
        if what := train.no_ticket(recipe, False):
            raise HfnError(f"{args.checkpoint} holds {what}: no ticket can say it")
        self.data = data.load(recipe.dataset, args.data)
        images, labels = torch.as_tensor(self.data.train_images), self.data.train_labels
        ours, held_out = moving.split(len(images), recipe.validation, recipe.seed)
        self.which = "held-out training images" if len(held_out) else "training images"
        some = (held_out if len(held_out) else ours)[: args.images]
        self.images, self.labels = self.data.train_images[some], labels[some]
        seen = moving.augment(images[ours[:SEEN]], self.data.flip, moving.generator(recipe.seed))
        self.network = precision.Network(self.restored.model.to(args.device), seen.numpy())
        self.trained = recipe.layer_bits(self.restored.arch)

    def identity(self, args) -> str:
        """Of everything that measurements depend on."""
        parts = (read_bytes(args.checkpoint), self.images.tobytes(), self.labels.tobytes())
        return hashlib.sha256(b"".join(parts)).hexdigest()

    def measure(self, bits) -> tuple[float, float]:
        return self.network.measure(bits, self.images, self.labels)

    def ticket(self, bits) -> Ticket:
        """With these bits; what it computes is not yet measured well."""
        self.network.use(bits)
        return _golden("export").to_ticket(self.restored.model, seed=self.recipe.seed,
                                           class_names=self.data.class_names)  # fmt: skip

    def write(self, args, bits) -> dict:
        """Write the ticket with these bits as `train` writes one; what it found out on the way."""
        self.network.use(bits)
        recipe = self.recipe
        result = {"dataset": recipe.dataset, "method": recipe.method, "seed": recipe.seed,
                  "recipe": recipe.to_dict(), "command": _command(args), "epochs": recipe.epochs,
                  "seconds": round(time.monotonic() - self.began, 1), "no_ticket": None,
                  "test_images": len(self.data.test_images), "out": args.out.name}  # fmt: skip
        options = argparse.Namespace(chosen=recipe, out=args.out, device=args.device,
                                     explicit_signs=False)  # fmt: skip
        train.measure_and_write(options, self.restored.model, self.data, result)
        return result


def _command(args) -> str:
    """The command that repeats this search; DIR stands for the data's place."""
    words = ["python", "-m", "hfn_accel.precision", args.checkpoint.name]
    words += ["--data", "DIR"] if args.data else []
    for name in ("pe", "config", "latency", "max_drop", "max_cycles", "images", "device"):
        if (value := getattr(args, name)) is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    words += ["--bits", f"{args.bits[0]}..{args.bits[-1]}", "--threads", str(args.threads)]
    return shlex.join([*words, "--out", args.out.name])


def search(args) -> dict:
    """Search, or go on; write ticket and CSV; return the result."""
    if args.plot:
        make_folder(args.plot)  # now, not after hours
    train.prepare(args)
    config, found = cli.config(args), _Found(args)
    widths = [(1,) if bits.bipolar else args.bits for bits in found.trained]
    widest, narrowest = (tuple(map(pick, widths)) for pick in (max, min))
    full = found.ticket(widest)
    check_accumulators(full, config)
    streams = TicketStreams(full, config)

    @cache
    def cycles(bits) -> int:
        return estimate_network(full.arch, bits, config, args.latency, 1, streams).total_cycles

    if args.max_cycles is not None:
        _check_reached(args, cycles(narrowest))
    measured = Measurements(args.out.with_suffix(".measured"), found.identity(args), found.measure)
    trained = tuple(bits.bits for bits in found.trained)
    lowest, most = 0.0, args.max_cycles
    if most is None:
        lowest, most = max(measured(widest)[1], measured(trained)[1]) - args.max_drop, 0
    way = []
    for point in _golden("precision").descend(widths, measured, cycles, lowest, most):
        way.append(point.bits)
        if args.json != "-":
            print(f"{point.cycles:12,} cycles  accuracy {point.accuracy:.2%}  bits "
                  f"{_text(point.bits, found.trained)}", flush=True)  # fmt: skip
    loss = {bits: measured(bits)[0] for bits in (*way, trained)}
    if args.max_cycles is None:
        chosen = min((b for b in loss if measured(b)[1] >= lowest), key=cycles)
    else:
        _check_reached(args, cycles(way[-1]))
        chosen = min((b for b in loss if cycles(b) <= most), key=loss.get)
    table = _table(measured.known, cycles, way, found.trained)
    _write_csv(args.out.with_suffix(".csv"), table)
    rows = dict(zip(measured.known, table, strict=True))
    result = {
        "arch": str(full.arch), "dataset": found.recipe.dataset, "pe": config.name,
        "latency": args.latency, "images": len(found.images), "which": found.which,
        "layers": [conv.name for conv in full.arch.layers[:-1]], "points": table,
        "trained": rows[trained], "chosen": rows[chosen],
    }  # fmt: skip
    result |= found.write(args, chosen)
    again = estimate(compile(load(args.out), config), config, args.latency).total_cycles
    assert again == cycles(chosen), f"the ticket takes {again} cycles, not {cycles(chosen)}"
    return result


def _check_reached(args, fewest: int):
    if fewest > args.max_cycles:
        raise HfnError(f"--max-cycles must be at least {fewest} for this network and array, not "
                       f"{args.max_cycles}")  # fmt: skip


def _text(bits, trained) -> str:
    """As `train --act-bits` wants it."""
    return ",".join("b" if t.bipolar else str(b) for b, t in zip(bits, trained, strict=True))


def _table(known: dict, cycles, way: list, trained) -> list[dict]:
    """A row a network that was measured; `step`: on the search's way, from 0."""
    costs = np.array([(cycles(bits), -accuracy) for bits, (_, accuracy) in known.items()]).T
    return [{"step": way.index(bits) if bits in way else None, "act_bits": _text(bits, trained),
             "cycles": cycles(bits), "loss": loss, "accuracy": accuracy, "front": bool(best)}
            for (bits, (loss, accuracy)), best in zip(known.items(), front(costs), strict=True)
            ]  # fmt: skip


def _write_csv(path: Path, table: list[dict]):
    text = io.StringIO()
    writer = csv.DictWriter(text, table[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    atomic_write(path, text.getvalue().encode())


def main():
    args = arguments()
    train.keep_freed_memory()
    result = search(args)
    if args.json:
        write_json(args.json, result)
    if args.plot:
        figures = {"precision": plots.precision_plot, "sensitivity": plots.sensitivity_plot}
        plots.save_figures({name: draw(result) for name, draw in figures.items()},
                           Path(args.plot))  # fmt: skip
    if args.json == "-":
        return
    trained, chosen = result["trained"], result["chosen"]
    print(f"as trained  {trained['cycles']:12,} cycles  accuracy {trained['accuracy']:.2%} of "
          f"{result['images']} {result['which']}")  # fmt: skip
    print(f"chosen      {chosen['cycles']:12,} cycles  accuracy {chosen['accuracy']:.2%}")
    print(f"{args.out}: ticket, integer accuracy {result['integer_accuracy']:.2%} of "
          f"{result['test_images']} test images")  # fmt: skip
    print(f"to train with these bits: --act-bits {chosen['act_bits']}")


if __name__ == "__main__":
    cli.run(main)
