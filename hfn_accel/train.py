"""`python -m hfn_accel.train`: find a ticket on a data set (or train the same network densely)."""

import argparse
import ctypes
import os
from pathlib import Path

from . import rooms
from .cli import add_json, parser, run
from .errors import HfnError
from .files import atomic_write, write_json
from .network import Architecture
from .sequence import seed_state

DATASETS = ("cifar10", "cifar100", "fashion-mnist", "digits")
RECALIBRATION_IMAGES = 10_000
SHORTCUT_BITS = 8  # of projection shortcuts, which have no ReLU and must keep their sign


def _number(kind, low, high, what):
    """An argparse type: a number from low to high."""

    def convert(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be {what}, not {text!r}")
        return value

    return convert


def arguments(argv=None) -> argparse.Namespace:
    """The command line, checked as far as that needs neither data nor PyTorch."""
    count = _number(int, 1, 1 << 20, "an integer of at least 1")
    rate = _number(float, 1e-9, 1e3, "a positive number")
    p = parser("train", "Find a ticket: search the supermasks of a folded residual network.")
    p.add_argument("--dataset", required=True, choices=DATASETS, help="what to classify")
    p.add_argument("--data", metavar="DIR", help="folder of the data set's original files "
                   "(not needed for digits)")  # fmt: skip
    p.add_argument("--arch", default="32x1,64x2f,128x3f", metavar="WxB[b][f],...",
                   help="width x blocks a stage, b: of bottlenecks, f: folded; imagenet: before "
                   "them gives that stem (default %(default)s)")  # fmt: skip
    p.add_argument("--method", default="edge-popup", choices=("edge-popup", "dense"),
                   help="search a supermask, or train the weights for comparison")  # fmt: skip
    p.add_argument("--density", default=0.3, metavar="D", help="fraction of weights that the "
                   "mask keeps (default 0.3)",
                   type=_number(float, 1e-4, 1, "above 0 and at most 1"))  # fmt: skip
    p.add_argument("--act-bits", default=4, type=_number(int, 1, 8, "an integer from 1 to 8"),
                   metavar="A", help="bits of ReLU outputs (default 4)")  # fmt: skip
    p.add_argument("--epochs", default=40, type=count, metavar="N",
                   help="passes over the training images (default 40)")  # fmt: skip
    p.add_argument("--quantise-from", type=_number(int, 0, 1 << 20, "an integer of at least 0"),
                   metavar="EPOCH", help="epoch from which activations are integers; the number of "
                   "epochs: only afterwards (default: three quarters of them)")  # fmt: skip
    p.add_argument("--batch", default=128, type=count, metavar="N",
                   help="images a step (default 128)")  # fmt: skip
    p.add_argument("--lr", default=0.1, type=rate, metavar="X",
                   help="highest learning rate (default 0.1)")  # fmt: skip
    p.add_argument("--weight-decay", default=1e-4, type=_number(float, 0, 1, "from 0 to 1"),
                   metavar="X", help="of scores and normalisation (default 0.0001)")  # fmt: skip
    p.add_argument("--seed", default=1, type=_number(int, 0, (1 << 64) - 1, "from 0 to 2^64 - 1"),
                   metavar="N", help="of the weights and of the search (default 1)")  # fmt: skip
    p.add_argument("--bfloat16", action="store_true", help="compute in bfloat16 (faster search)")
    p.add_argument("--threads", type=_number(int, 1, 256, "an integer from 1 to 256"),
                   metavar="N", help="CPU threads (default: PyTorch's choice)")  # fmt: skip
    p.add_argument("--device", default="cpu", choices=("cpu", "cuda"),
                   help="where to compute (default cpu)")  # fmt: skip
    p.add_argument("--out", required=True, metavar="T.safetensors", type=Path,
                   help="ticket; checkpoint and metrics stay beside it: .ckpt, .csv")  # fmt: skip
    add_json(p)
    args = p.parse_args(argv)
    if args.quantise_from is None:
        args.quantise_from = args.epochs * 3 // 4
    if args.quantise_from > args.epochs:
        raise HfnError(f"--quantise-from must be at most --epochs {args.epochs}")
    if args.out.suffix != ".safetensors":
        raise HfnError(f"--out must end in .safetensors, not {args.out.name!r}")
    if args.out.is_dir():
        raise HfnError(f"--out: {args.out} is a folder")
    if not (args.out.parent.is_dir() and os.access(args.out.parent, os.W_OK)):
        raise HfnError(f"--out: cannot write into folder {args.out.parent}")
    Architecture.parse(args.arch, classes=10)
    return args


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


def _import_golden():
    names = ("data", "export", "integer", "network", "search")
    return [rooms.load(f"golden.{name}", "train", rooms=("golden",)) for name in names]


def command(args) -> str:
    """The command that repeats this search; DIR stands for the data's place."""
    words = ["python -m hfn_accel.train --dataset", args.dataset]
    words += [] if args.data is None else ["--data DIR"]
    for name in ("arch", "method", "density", "act_bits", "epochs", "quantise_from", "batch", "lr",
                 "weight_decay", "seed", "threads", "device"):  # fmt: skip
        words += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
    return " ".join(words + ["--bfloat16"] * args.bfloat16 + ["--out", args.out.name])


def train(args) -> dict:
    """Search (or resume, or only export a finished search), write the file, return the result."""
    data, export, integer, network, search = _import_golden()
    import torch

    if args.device == "cuda":
        if not torch.cuda.is_available():
            raise HfnError("--device cuda: PyTorch finds no CUDA device here")
        torch.backends.cudnn.deterministic = True
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    args.threads = torch.get_num_threads()  # for the record: sums depend on it
    images = data.load(args.dataset, args.data)
    if args.batch > len(images.train_images):
        raise HfnError(f"--batch must be at most {len(images.train_images)} for {args.dataset}")
    _, channels, size, _ = images.train_images.shape
    arch = Architecture.parse(args.arch, classes=len(images.class_names), in_channels=channels,
                              image_size=size)  # fmt: skip
    recipe = search.Recipe(epochs=args.epochs, batch=args.batch, lr=args.lr, seed=args.seed,
                           weight_decay=args.weight_decay, quantise_from=args.quantise_from,
                           bfloat16=args.bfloat16)  # fmt: skip
    torch.manual_seed(args.seed)
    bits = [args.act_bits if conv.relu else SHORTCUT_BITS for conv in arch.layers[:-1]]
    dense = args.method == "dense"
    model = network.FoldedResNet(arch, seed_state(args.seed), args.density, bits, dense)
    history = search.train(model, images, recipe, args.out.with_suffix(".ckpt"), args.device)

    quantised = not dense or args.quantise_from < args.epochs
    seen = search.augment(torch.as_tensor(images.train_images[:RECALIBRATION_IMAGES]),
                          images.flip, torch.Generator().manual_seed(args.seed))  # fmt: skip
    export.recalibrate(model, seen.numpy(), quantised=quantised)
    test = images.test_images, images.test_labels
    result = {
        "dataset": args.dataset, "method": args.method, "arch": args.arch, "seed": args.seed,
        "density": 1.0 if dense else args.density, "command": command(args),
        "activation_bits": args.act_bits if quantised else 32, "epochs": args.epochs,
        "seconds": round(sum(float(row["seconds"]) for row in history), 1),
        "test_images": len(test[0]), "float_accuracy": search.accuracy(model, *test, args.device),
        "history": [{k: float(v) for k, v in row.items()} for row in history], "out": args.out.name,
    }  # fmt: skip
    if dense:
        from safetensors.torch import save

        state = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
        atomic_write(args.out, save(state, {"format": "hfn-dense", "command": result["command"]}))
    else:
        kept = {"seed": args.seed, "class_names": images.class_names}
        ticket = export.to_ticket(model, **kept)
        result["integer_accuracy"] = integer.accuracy(integer.IntegerResNet(ticket), *test)
        names = ("dataset", "command", "epochs", "seconds", "test_images", "float_accuracy",
                 "integer_accuracy")  # fmt: skip
        provenance = {name: str(result[name]) for name in names}
        export.to_ticket(model, **kept, provenance=provenance).save(args.out)
    result["bytes"] = args.out.stat().st_size
    return result


def main():
    args = arguments()
    keep_freed_memory()
    result = train(args)
    if args.json:
        write_json(args.json, result)
    elif args.method == "dense":
        write_json(args.out.with_suffix(".json"), result)
    if args.json == "-":
        return
    print(f"float accuracy    {result['float_accuracy']:.2%} of {result['test_images']} images")
    if args.method == "dense":
        print(f"{args.out}: dense weights for comparison, not a ticket; {result['bytes']} bytes")
    else:
        print(f"integer accuracy  {result['integer_accuracy']:.2%}")
        print(f"{args.out}: ticket of {result['bytes']} bytes")
    print(f"{result['epochs']} epochs in {result['seconds']:.0f} s")


if __name__ == "__main__":
    run(main)
