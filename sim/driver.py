"""The C driver on the Verilated core: the driver's own files, compiled as an SoC's software would.

`build` makes the binary, `execute` runs commands of sim/driver_main.cpp on it.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.export import constants
from hfn_accel.soc.files import DRIVER

from . import backend, harness
from .build import build_folder, cached, digest

MAIN = Path(__file__).with_name("driver_main.cpp")
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-ffreestanding")


def compile_driver() -> Path:
    """A folder with the driver's headers and its object, named by its content.

    Raises HfnError with the compiler's messages if it does not compile without a warning.
    """
    files = {path.name: path.read_text() for path in DRIVER}
    files["hfn_accel_regs.h"] = constants.c_header()

    def make(part: Path):
        for name, text in files.items():
            (part / name).write_text(text)
        done = subprocess.run(
            [shutil.which("cc") or "gcc", *STRICT, "-O2", "-c", "hfn_accel_driver.c"],
            cwd=part, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise HfnError(f"the driver does not compile:\n{done.stderr}")

    tag = digest(*STRICT, *files.values())
    return cached(build_folder() / "sim" / f"driver-{tag}", make)


def build(config: Config) -> Path:
    """The binary of the driver, its user and the accelerator of `config`."""
    design = backend.design(config, False)
    return harness.build(design, config, main=MAIN, parts=compile_driver())


def execute(binary: Path, memory: bytes, commands: list[tuple]) -> tuple[bytes, list[list[str]]]:
    """Memory afterwards, and the words of each line that the commands print."""
    with tempfile.TemporaryDirectory(prefix="hfn-accel-") as name:
        folder = Path(name)
        (folder / "before").write_bytes(memory)
        words = [str(word) for command in commands for word in command]
        done = subprocess.run(
            [binary, "before", "after", *words], cwd=folder, capture_output=True, text=True
        )
        if done.returncode:
            raise HfnError(f"simulation failed: {done.stderr.strip()}")
        return (folder / "after").read_bytes(), [line.split() for line in done.stdout.splitlines()]
