"""A small ticket, a sweep of it, and the command as a process that can be hindered."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hfn_accel.network import Architecture
from tests.tickets import random_ticket

ROOT = Path(__file__).parents[3]
CHUNK = 10  # points, so that a small sweep has many
AXES = {"pe": ["4x4", "8x8", "16x8"], "activation_bits": ["own", 2, 3],
        "activation_bytes": [256, 32768], "mask_bytes": [256, 16384], "psum_depth": [16, 128],
        "axi_data_width": [64, 128]}  # fmt: skip
POINTS = 3**2 * 2**4
COMMAND = """
import resource, time, types
from hfn_accel import cli, dse, exploration
from hfn_accel.exploration import space
from hfn_accel.exploration.store import Store
exploration.pictures = types.SimpleNamespace(draw=lambda *arguments: [])
append, most = Store.append, {most}
def hindered(*arguments):
    if most:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    append(*arguments)
    time.sleep({pause})
if __name__ == "__main__":
    space.CHUNK, Store.append = {chunk}, hindered
    cli.run(dse.main)
"""


@pytest.fixture(scope="session")
def ticket(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("ticket") / "t.safetensors"
    arch = Architecture.parse("8x1,16x3f", classes=5, image_size=8)
    random_ticket(np.random.default_rng(0), arch).save(path)
    return path


@pytest.fixture(scope="session")
def toml(ticket) -> Path:
    """The sweep as a file; JSON's lists and strings are TOML's."""
    path = ticket.with_name("sweep.toml")
    lines = [f"{axis} = {str(values).replace(chr(39), chr(34))}" for axis, values in AXES.items()]
    path.write_text("\n".join(["[axes]", f'ticket = "{ticket}"', *lines]) + "\n")
    return path


class Command:
    """`python -m hfn_accel.dse` with small chunks, a pause in seconds after each, and without
    pictures; files can be at most `most` bytes long."""

    def __init__(self, toml: Path, *arguments, pause: float = 0, most: int = 0):
        code = COMMAND.format(chunk=CHUNK, pause=pause, most=most)
        # as from a terminal: what runs in a shell's background ignores interrupts from its birth
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "--config", str(toml), *map(str, arguments)], cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip

    def end(self) -> tuple[int, str, str]:
        """Status, standard output and error."""
        out, error = self.process.communicate(timeout=300)
        return self.process.returncode, out, error

    def interrupt(self, signal: int):
        """As a terminal does: the whole group."""
        os.killpg(self.process.pid, signal)


@pytest.fixture(scope="session")
def whole(toml, tmp_path_factory) -> Path:
    """The folder of the sweep, computed without any hindrance by one process."""
    out = tmp_path_factory.mktemp("whole") / "out"
    status, _, error = Command(toml, "--out", out, "--workers", 1).end()
    assert status == 0, error
    return out
