"""`python -m hfn_accel.compile`: a ticket to a program image and its listing."""

from . import cli, networks, ticket
from .compiler import compile
from .errors import HfnError
from .files import atomic_write, make_folder
from .listing import listing


def main(argv: list[str] | None = None):
    """Write NAME-RxC.bin and NAME-RxC.lst into --out, and print the listing."""
    p = cli.parser("compile", "Compile a ticket to a program image for one configuration.")
    p.add_argument("ticket", metavar="T.safetensors", nargs="?",
                   help="file, or name of a shipped ticket")  # fmt: skip
    networks.add_arguments(p)
    cli.add_config(p)
    p.add_argument("--batch", type=int, default=1, metavar="N",
                   help="images that a run classifies (default 1)")  # fmt: skip
    cli.add_uncoded(p)
    p.add_argument("--out", default=".", metavar="DIR", help="folder to write to (default: here)")
    args = p.parse_args(argv)
    if (args.ticket is None) == (args.network is None):
        raise HfnError("either a ticket or --network must be given")
    config = cli.config(args)
    if args.ticket is not None:
        found, name = ticket.load(args.ticket), ticket.find(args.ticket).stem
    else:
        found, name = networks.from_arguments(args), f"{args.network}-{args.dataset}"
    program = compile(found, config, batch=args.batch, coded=not args.uncoded)
    folder = make_folder(args.out)
    place = folder / f"{name}-{config.name}"
    text = listing(program)
    atomic_write(folder / f"{place.name}.bin", program.image)
    atomic_write(folder / f"{place.name}.lst", text.encode())
    print(text, end="")
    print(f"wrote {place}.bin and .lst")


if __name__ == "__main__":
    cli.run(main)
