"""`python -m hfn_accel.compile`: a ticket to a program image and its listing."""

from . import cli, ticket
from .compiler import compile
from .files import atomic_write, make_folder
from .listing import listing


def main(argv: list[str] | None = None):
    """Write NAME-RxC.bin and NAME-RxC.lst into --out, and print the listing."""
    p = cli.parser("compile", "Compile a ticket to a program image for one configuration.")
    p.add_argument("ticket", metavar="T.safetensors", help="file, or name of a shipped ticket")
    cli.add_config(p)
    p.add_argument("--out", default=".", metavar="DIR", help="folder to write to (default: here)")
    args = p.parse_args(argv)
    config = cli.config(args)
    program = compile(ticket.load(args.ticket), config)
    folder = make_folder(args.out)
    name = f"{ticket.find(args.ticket).stem}-{config.name}"
    text = listing(program)
    atomic_write(folder / f"{name}.bin", program.image)
    atomic_write(folder / f"{name}.lst", text.encode())
    print(text, end="")
    print(f"wrote {folder / name}.bin and .lst")


if __name__ == "__main__":
    cli.run(main)
