"""`python -m hfn_accel.registers`: the register map, in the form that is asked for."""

from .. import cli, registers
from ..files import atomic_write
from . import constants, systemrdl

FORMS = {
    "markdown": registers.markdown,
    "c": constants.c_header,
    "python": constants.python_module,
    "systemrdl": systemrdl.text,
    "verilog": constants.verilog_header,
}


def main(argv: list[str] | None = None):
    """Print the map, or write it to --out."""
    p = cli.parser("registers", "Write the register map.")
    p.add_argument("--format", choices=FORMS, default="markdown", help="default %(default)s")
    p.add_argument("--out", metavar="FILE", help="default: standard output")
    args = p.parse_args(argv)
    text = FORMS[args.format]()
    if args.out is None:
        print(text, end="")
    else:
        atomic_write(args.out, text.encode())
