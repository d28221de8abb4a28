"""`python -m hfn_accel.ticket`: what a ticket is, whether it is whole, how it differs, its worth.

python -m hfn_accel.ticket show T [--json F] [--plot DIR]
python -m hfn_accel.ticket verify T [--rtl]
python -m hfn_accel.ticket diff A B [--json F] [--plot DIR]
python -m hfn_accel.ticket accuracy T --data DIR [--json F]
"""

import sys

from .. import cli
from ..errors import HfnError
from ..files import make_folder, write_json
from . import accuracy, diff, show
from .file import find
from .reading import load
from .verify import Verification

MOST_IMAGES = 1000


def main(argv: list[str] | None = None):
    p = cli.parser("ticket", "Show, verify, compare and measure tickets.")
    commands = p.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run, summary: str, *tickets: str):
        sub = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        for what in tickets:
            sub.add_argument(what.lower(), metavar=what, help="file, or name of a shipped ticket")
        sub.set_defaults(run=run)
        return sub

    sub = add("show", _show, "Architecture, layers, densities, sizes by codec, provenance.", "T")
    sub.add_argument("--plot", metavar="DIR", help="folder for pictures of the densities")
    cli.add_json(sub)
    sub = add("verify", _verify, "Whether the file is whole and all models agree on it.", "T")
    sub.add_argument("--images", type=int, default=2, metavar="N",
                     help="random images to compute (default %(default)s)")  # fmt: skip
    sub.add_argument("--rtl", action="store_true", help="also simulate them on the RTL")
    cli.add_config(sub)
    sub = add("diff", _diff, "How the masks of two tickets differ.", "A", "B")
    sub.add_argument("--plot", metavar="DIR", help="folder for a picture of the overlap")
    cli.add_json(sub)
    sub = add("accuracy", _accuracy, "Integer accuracy on the whole test set.", "T")
    sub.add_argument("--data", metavar="DIR", help="folder of the data set's original files")
    sub.add_argument("--dataset", metavar="NAME", help="default: what the ticket says")
    cli.add_json(sub)
    args = p.parse_args(argv)
    args.run(args)


def _show(args):
    found = load(args.t)
    result = show.describe(found, find(args.t))
    _tell(args, show.text(result), result)
    if args.plot:
        from .. import plots  # matplotlib takes a second to import

        _plot(args, {"density": plots.density_plot(result), "channels": plots.channels_plot(found)})


def _verify(args):
    if not 1 <= args.images <= MOST_IMAGES:
        raise HfnError(f"--images must be from 1 to {MOST_IMAGES}, not {args.images}")
    for line in Verification(find(args.t), cli.config(args), args.images, args.rtl):
        print(line, flush=True)


def _diff(args):
    result = diff.compare(load(args.a), load(args.b))
    _tell(args, diff.text(result), result)
    if args.plot:
        from .. import plots  # matplotlib takes a second to import

        _plot(args, {"overlap": plots.overlap_plot(result)})


def _accuracy(args):
    result = {"ticket": find(args.t).stem} | accuracy.measure(load(args.t), args.data, args.dataset)
    _tell(args, f"{result['accuracy']:.2%}: {result['correct']:,} of {result['images']:,} test "
          f"images of {result['dataset']} in {result['seconds']:.1f} s", result)  # fmt: skip


def _tell(args, text: str, result: dict):
    if args.json != "-":
        print(text)
    if args.json:
        write_json(args.json, result)


def _plot(args, figures: dict):
    from .. import plots

    paths = plots.save_figures(figures, make_folder(args.plot))
    print("plots:", ", ".join(map(str, paths)), file=sys.stderr)


if __name__ == "__main__":
    cli.run(main)
