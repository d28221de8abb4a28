"""What all commands share: argument definitions, one-line errors, exit status 2."""

import argparse
import os
import sys
from collections.abc import Callable

from .config import Config
from .errors import HfnError


def one_line(message) -> str:
    return " ".join(str(message).split())


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message):
        print(f"{self.prog}: error: {one_line(message)}", file=sys.stderr)
        raise SystemExit(2)


def parser(command: str, description: str) -> Parser:
    """The parser of `python -m hfn_accel.COMMAND`."""
    return Parser(prog=f"hfn_accel.{command}", description=description, allow_abbrev=False)


def add_config(p: argparse.ArgumentParser):
    """`--pe RxC` and `--config F.toml`; read back with `config`."""
    p.add_argument("--pe", metavar="RxC", help="array shape: R lanes x C columns (default 16x16)")
    p.add_argument("--config", metavar="F.toml", help="configuration fields by name")


def add_json(p: argparse.ArgumentParser):
    """`--json FILE`."""
    p.add_argument("--json", metavar="FILE", help="also write the result as JSON (- for stdout)")


def add_uncoded(p: argparse.ArgumentParser):
    """`--uncoded`, which the compiler takes as `coded=False`."""
    p.add_argument("--uncoded", action="store_true", help="store masks and signs uncoded: more "
                   "bytes, but plain masks are decoded at a bus beat a clock")  # fmt: skip


def config(args) -> Config:
    return Config.parse(args.pe, args.config)


def run(main: Callable[[], None]):
    """Run a command's main function; HfnError becomes one line and exit status 2.

    So does an error of the system, such as a full disk. If the reader of standard output has ended
    (`| head`), the command ends quietly, with the status that a shell gives to SIGPIPE.
    """
    try:
        main()
        sys.stdout.flush()
    except HfnError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        raise SystemExit(2) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more is written
        raise SystemExit(141) from None
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        print(f"error: {one_line(error.strerror or error)}{place}", file=sys.stderr)
        raise SystemExit(2) from None
    except MemoryError:
        print("error: out of memory", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
