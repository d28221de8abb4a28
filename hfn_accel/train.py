"""`python -m hfn_accel.train`: find a ticket on a data set (or train the same network densely)."""

import argparse
import csv
import ctypes
import json
import os
import shlex
from pathlib import Path

from . import plots, recipe_options, rooms
from .cli import add_json, parser, run
from .errors import HfnError
from .files import atomic_write, make_folder, write_json
from .recipe import Recipe

RECALIBRATION_IMAGES = 10_000
CHECKPOINT_EVERY = 500


def arguments(argv=None) -> argparse.Namespace:
    """The command line, checked as far as that needs neither data nor PyTorch; `chosen` is the
    Recipe that it says."""
    p = parser("train", "Find a ticket: search the supermasks of a folded residual network.")
    p.add_argument("--data", metavar="DIR", help="folder of the data set's original files "
                   "(not needed for digits)")  # fmt: skip
    p.add_argument("--out", required=True, metavar="T.safetensors", type=Path,
                   help="ticket; checkpoint, metrics and logs stay beside it: .ckpt, .csv, "
                   ".density.csv, .logs")  # fmt: skip
    p.add_argument("--device", default="cpu", choices=("cpu", "cuda"),
                   help="where to compute (default cpu)")  # fmt: skip
    p.add_argument("--threads", type=int, metavar="N",
                   help="CPU threads (default: PyTorch's choice)")  # fmt: skip
    p.add_argument("--checkpoint-every", type=int, default=CHECKPOINT_EVERY, metavar="N",
                   help="steps that a killed search loses at most "
                   "(default %(default)s)")  # fmt: skip
    p.add_argument("--explicit-signs", action="store_true", help="store the signs in the ticket "
                   "that the chip cannot regenerate (--weights shifted, generator)")  # fmt: skip
    p.add_argument("--plot", metavar="DIR", type=Path,
                   help="also draw loss, accuracy and mask density over the epochs")  # fmt: skip
    add_json(p)
    recipe_options.add_options(p)
    args = p.parse_args(argv)
    args.chosen = recipe_options.chosen(args)
    for name, value, high in (("--threads", args.threads, 1024),
                              ("--checkpoint-every", args.checkpoint_every, 1 << 40)):  # fmt: skip
        if value is not None and not 1 <= value <= high:
            raise HfnError(f"{name} must be from 1 to {high}, not {value}")
    if args.explicit_signs and args.chosen.weights == "sequence":
        raise HfnError("--explicit-signs needs --weights shifted or generator: the sequence's "
                       "signs need not be stored")  # fmt: skip
    if args.out.suffix != ".safetensors":
        raise HfnError(f"--out must end in .safetensors, not {args.out.name!r}")
    _check_place("--out", args.out)
    if args.json not in (None, "-"):
        _check_place("--json", Path(args.json))
    return args


def _check_place(option: str, path: Path):
    """Raise HfnError now, not after hours, if nothing can be written there."""
    if path.is_dir():
        raise HfnError(f"{option}: {path} is a folder")
    if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise HfnError(f"{option}: cannot write into folder {path.parent}")


def keep_freed_memory():
    """Let glibc keep what PyTorch frees.

    By default every large tensor is mapped afresh and unmapped after use, and the kernel zeroes
    its pages again at each step. Serving such blocks from a heap that is never trimmed reuses
    the pages. What it saves depends on how slow the machine's page faults are. Elsewhere than on
    Linux with glibc nothing happens.
    """
    trim_threshold, top_pad, mmap_max = -1, -2, -4  # <malloc.h>
    try:
        os.confstr("CS_GNU_LIBC_VERSION")
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, ValueError, AttributeError, TypeError):
        return
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, (1 << 31) - 1)
    mallopt(top_pad, 256 << 20)


def no_ticket(recipe: Recipe, explicit_signs: bool) -> str | None:
    """What a search finds if no ticket can say it, in a few words; None if one can."""
    if recipe.method == "dense":
        return "dense weights"
    if recipe.magnitudes == "normal" and recipe.method != "biprop":
        return "normal magnitudes"
    if recipe.freeze_pattern == "generator":
        return "a frozen pattern of PyTorch's generator"
    if recipe.weights != "sequence" and not explicit_signs:
        return f"{recipe.weights} signs without --explicit-signs"
    return None


def command(args) -> str:
    """The command that repeats this search; DIR stands for the data's place."""
    processes = os.environ.get("WORLD_SIZE", "1")
    alone = processes == "1"
    words = ["python"] if alone else ["torchrun", "--nproc-per-node", processes]
    words += ["-m", "hfn_accel.train", *recipe_options.words(args.chosen, args.preset)]
    words += ["--explicit-signs"] * args.explicit_signs
    words += ["--data", "DIR"] if args.data and args.chosen.dataset != "digits" else []
    words += ["--device", "cuda"] if args.device == "cuda" else ["--threads", str(args.threads)]
    if not alone and args.checkpoint_every != CHECKPOINT_EVERY:  # statistics are averaged then
        words += ["--checkpoint-every", str(args.checkpoint_every)]
    return shlex.join([*words, "--out", args.out.name])


def prepare(args):
    """Set PyTorch up as the options say. Raises HfnError."""
    import torch

    if args.device == "cuda":
        if not torch.cuda.is_available():
            raise HfnError("--device cuda: PyTorch finds no CUDA device here")
        torch.backends.cudnn.deterministic = True
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    args.threads = torch.get_num_threads()  # for the record: sums depend on it


def train(args) -> dict | None:
    """Search (or resume, or only export a finished search), write the file, return the result.

    Of several processes that torchrun started, the first alone writes and returns. The test
    images are used once, at the end.
    """
    data, build, loop, files = _golden("data", "build", "training.loop", "training.files")
    _golden("export", "integer")  # the same code at the end, whatever is installed meanwhile
    prepare(args)
    recipe = args.chosen
    images = data.load(recipe.dataset, args.data)
    model = build.build(recipe, build.architecture(recipe, images))
    if args.plot:
        make_folder(args.plot)  # now, not after hours
    beside = files.RunFiles(args.out)
    history = loop.train(model, images, recipe, beside, device=args.device,
                         checkpoint_every=args.checkpoint_every)  # fmt: skip
    if os.environ.get("RANK", "0") != "0":
        return None
    result = {
        "dataset": recipe.dataset, "method": recipe.method, "arch": recipe.arch,
        "seed": recipe.seed, "recipe": recipe.to_dict(), "command": command(args),
        "epochs": recipe.epochs, "seconds": round(sum(row["seconds"] for row in history), 1),
        "test_images": len(images.test_images), "history": history, "out": args.out.name,
        "no_ticket": no_ticket(recipe, args.explicit_signs),
    }  # fmt: skip
    measure_and_write(args, model, images, result)
    if args.plot:
        with beside.densities.open(newline="") as text:
            densities = list(csv.DictReader(text))
        figures = plots.training_plots(history, densities, recipe)
        plots.save_figures(figures, args.plot)
    return result


def measure_and_write(args, model, images, result: dict):
    """Test accuracies into `result`, and the ticket, or the real network where there is none.

    float_accuracy has real activations, float_quantised_accuracy the ticket's in floating point,
    each with the normalisation statistics of its own; integer_accuracy is the ticket's.
    """
    import torch
    from safetensors.torch import save

    moving, measure, export, integer = _golden("training.images", "training.accuracy", "export",
                                               "integer")  # fmt: skip
    recipe, test = args.chosen, (images.test_images, images.test_labels)
    seen = moving.augment(torch.as_tensor(images.train_images[:RECALIBRATION_IMAGES]),
                          images.flip, moving.generator(recipe.seed)).numpy()  # fmt: skip
    for name, quantised in (("float_accuracy", False), ("float_quantised_accuracy", True)):
        export.recalibrate(model, seen, quantised=quantised)
        result[name] = measure.accuracy(model, *test, args.device)
    if result["no_ticket"]:
        state = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
        about = {"format": "hfn-float", "command": result["command"]}
        atomic_write(args.out, save(state, about))
    else:
        about = {"seed": recipe.seed, "class_names": images.class_names,
                 "explicit": args.explicit_signs}  # fmt: skip
        ticket = export.to_ticket(model, **about, provenance={})
        result["integer_accuracy"] = integer.accuracy(integer.IntegerResNet(ticket), *test)
        names = ("dataset", "method", "seed", "command", "epochs", "seconds", "test_images",
                 "float_accuracy", "float_quantised_accuracy", "integer_accuracy")  # fmt: skip
        provenance = {name: str(result[name]) for name in names}
        provenance["recipe"] = json.dumps(result["recipe"])
        export.to_ticket(model, **about, provenance=provenance).save(args.out)
    result["bytes"] = args.out.stat().st_size


def _golden(*names: str):
    return [rooms.load(f"golden.{name}", "train", rooms=("golden",)) for name in names]


def show(result: dict, out: Path):
    """Print the accuracies and what was written."""
    of = f"of {result['test_images']} test images"
    print(f"real activations     {result['float_accuracy']:.2%} {of}")
    print(f"integers, in floats  {result['float_quantised_accuracy']:.2%}")
    if result["no_ticket"]:
        print(f"{out}: {result['no_ticket']}, for comparison, not a ticket; "
              f"{result['bytes']} bytes")  # fmt: skip
    else:
        print(f"integer accuracy     {result['integer_accuracy']:.2%}")
        print(f"{out}: ticket of {result['bytes']} bytes")
    print(f"{result['epochs']} epochs in {result['seconds']:.0f} s")


def main():
    args = arguments()
    keep_freed_memory()
    result = train(args)
    if result is None:
        return
    if args.json or result["no_ticket"]:
        write_json(args.json or args.out.with_suffix(".json"), result)
    if args.json == "-":
        return
    show(result, args.out)


if __name__ == "__main__":
    run(main)
