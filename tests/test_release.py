"""A release: versions that agree, a wheel that holds everything and works where nothing else is."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hfn_accel import __version__

ROOT = Path(__file__).parent.parent
PACKAGES = ("hfn_accel", "rtl", "golden", "sim")
TICKET = "cifar10-32x1-64x2f-128x3f"
LIGHT = ("gen --pe 8x8 --out out --soc", "registers --format c", "ticket show fashion-mnist-plain")
COMMANDS = (
    *LIGHT,
    f"compile {TICKET} --pe 16x16 --out out",
    f"estimate --ticket {TICKET} --pe 16x16 --json -",
    f"sim --ticket {TICKET} --images cifar10-sample --count 2 --backend functional --pe 16x16",
    "energy",
    "area",
)
"""Of README.md and docs/integration.md, those that need no extra; LIGHT: without the planner, which
a new installation compiles in about a minute."""


def test_changelog():
    """The newest version is the package's; versions fall; every entry is under a known heading."""
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## (\d+)\.(\d+)\.(\d+) - \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    numbers = [tuple(map(int, version)) for version in versions]
    assert ".".join(versions[0]) == __version__ and len(versions) == text.count("\n## ")
    assert numbers == sorted(set(numbers), reverse=True)
    headings = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert headings <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_citation():
    """The fields that the Citation File Format 1.2.0 demands, and ours."""
    yaml = pytest.importorskip("yaml")
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["cff-version"] == "1.2.0" and cited["message"] and cited["title"]
    assert all(set(author) & {"name", "family-names"} for author in cited["authors"])
    assert (cited["type"], cited["license"]) == ("software", "Apache-2.0")
    assert cited["version"] == __version__


def run(*command, cwd: Path, **env) -> subprocess.CompletedProcess:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "HFN_"))}
    return subprocess.run([str(word) for word in command], cwd=cwd, env=clean | env, text=True,
                          capture_output=True)  # fmt: skip


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A folder with sdist and wheel, the wheel built from the sdist."""
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("release")
    hidden = shutil.ignore_patterns(".*", "build", "__pycache__", "*.egg-info", "runs")
    shutil.copytree(ROOT, folder / "source", ignore=hidden)
    done = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder,
               folder / "source", cwd=folder)  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder


@pytest.fixture(scope="module")
def wheel(release):
    (path,) = release.glob(f"hfn_accel-{__version__}-py3-none-any.whl")
    return path


def test_wheel_holds_everything(release, wheel):
    """Every file of the packages, and what belongs to a release in the sdist."""
    names = set(zipfile.ZipFile(wheel).namelist())
    files = {path.relative_to(ROOT).as_posix() for package in PACKAGES
             for path in (ROOT / package).rglob("*")
             if path.is_file() and "__pycache__" not in path.parts}  # fmt: skip
    assert files <= names
    assert {name.partition("/")[0] for name in names - files} == {
        f"hfn_accel-{__version__}.dist-info"
    }
    (source,) = release.glob("*.tar.gz")
    listed = shutil.unpack_archive(source, release / "unpacked") or {
        path.name for path in next((release / "unpacked").iterdir()).iterdir()
    }
    assert {"CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md", "hfn_accel.core"} <= listed


def commands(lines: tuple[str, ...], python: Path, folder: Path, home: Path, **env):
    """Run commands in `folder`; the package must be found in `home`."""
    where = run(python, "-c", "import hfn_accel; print(hfn_accel.__file__)", cwd=folder, **env)
    assert Path(where.stdout.strip()).is_relative_to(home), where.stdout + where.stderr
    for line in lines:
        done = run(python, "-m", *f"hfn_accel.{line}".split(), cwd=folder, **env)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    made = {path.name for path in (folder / "out").iterdir()}
    assert {"hfn_accel_8x8.v", "hfn_accel_8x8.core", "hfn_accel_driver.c"} <= made
    assert (f"{TICKET}-16x16.bin" in made) == (lines is COMMANDS)


def test_wheel_runs(wheel, tmp_path):
    """Away from the checkout, with the dependencies of this environment."""
    home = tmp_path / "site"
    done = run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
               "--target", home, wheel, cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    commands(LIGHT, Path(sys.executable), tmp_path, home, PYTHONPATH=str(home))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_wheel_in_an_empty_environment(wheel, tmp_path):
    """With the dependencies that its metadata names, from the package index."""
    assert run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path).returncode == 0
    python = tmp_path / "venv" / "bin" / "python"
    done = run(python, "-m", "pip", "install", "--quiet", "--constraint",
               ROOT / "constraints.txt", wheel, cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    commands(COMMANDS, python, tmp_path, tmp_path / "venv")


def test_commands_are_those_of_the_readme():
    """So that what a reader is told to run is what was run."""
    text = (ROOT / "README.md").read_text() + (ROOT / "docs" / "integration.md").read_text()
    for line in COMMANDS:
        assert f"python -m hfn_accel.{line.split()[0]}" in text, line
