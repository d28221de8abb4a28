"""Where machine code is kept, and that nothing stands still where it cannot be."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def folder(**environment) -> str:
    """What a new process takes for the folder, and that a function works there."""
    script = ("from hfn_accel.engine.compiled import FOLDER\n"
              "from hfn_accel.engine.durations import read_cycles\n"
              "assert read_cycles(5, 3) == 10\nprint(FOLDER)")  # fmt: skip
    clean = {k: v for k, v in os.environ.items() if k not in ("XDG_CACHE_HOME", "HOME")}
    done = subprocess.run([sys.executable, "-c", script], env=clean | environment, cwd=ROOT,
                          capture_output=True, text=True, check=True)  # fmt: skip
    return done.stdout.strip()


def test_places(tmp_path):
    home, cache = str(tmp_path / "home"), str(tmp_path / "cache")
    assert folder(HOME=home, XDG_CACHE_HOME=cache).startswith(f"{cache}/hfn-accel/engine-")
    assert folder(HOME=home).startswith(f"{home}/.cache/hfn-accel/engine-")
    assert folder(HOME=home, XDG_CACHE_HOME="relative").startswith(f"{home}/.cache/")


def test_no_place(tmp_path):
    """Without a folder that can be written, everything is compiled anew, and not kept."""
    (tmp_path / "file").write_text("")
    assert folder(HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "file")) == "None"
    assert folder(HOME=str(tmp_path / "file")) == "None"
