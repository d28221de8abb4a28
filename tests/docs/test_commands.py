"""Every command in README and docs: blocks marked `sh` and `python` run; those marked `usage` (with
placeholders, or hours long) name commands and options that exist.

A fenced block of another language may not contain a command, so that none escapes.
"""

import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:python|make|torchrun) .*", re.MULTILINE)
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, text) of every fenced block."""
    return FENCE.findall(page.read_text())


def of(*languages: str):
    """One parameter a block of these languages: (page, number of the block, text)."""
    return [pytest.param(text, id=f"{page.stem}-{i}")
            for page in PAGES for i, (language, text) in enumerate(blocks(page))
            if language in languages]  # fmt: skip


def run(text: str, folder: Path):
    """The block as a shell script in a folder that looks like a checkout's, without its files."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HFN_BUILD": os.environ.get("HFN_BUILD", str(ROOT / "build")),
    }
    (folder / "build").mkdir()
    (folder / "tests").symlink_to(ROOT / "tests")
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=folder, env=environment,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def page_script(page: Path, language: str) -> str:
    """All blocks of a language, in order: later ones use what earlier ones left."""
    return "\n".join(text for found, text in blocks(page) if found == language)


def pages(language: str):
    return [pytest.param(page, id=page.stem) for page in PAGES if page_script(page, language)]


@pytest.mark.parametrize("page", pages("sh"))
def test_runs(page, tmp_path):
    run(page_script(page, "sh"), tmp_path)


@pytest.mark.parametrize("page", pages("python"))
def test_python_runs(page, tmp_path):
    (tmp_path / "page.py").write_text(page_script(page, "python"))
    run("python page.py", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("page", pages("sh slow"))
def test_slow_runs(page, tmp_path):
    run(page_script(page, "sh") + "\n" + page_script(page, "sh slow"), tmp_path)


@cache
def known_options(module: str) -> frozenset[str]:
    """What `python -m module` and its subcommands list under --help."""
    text = _help(module)
    commands = re.findall(r"^    ([a-z]+) ", text.partition("\n  COMMAND\n")[2], re.MULTILINE)
    return frozenset(OPTION.findall(text + "".join(_help(module, name) for name in commands)))


def _help(module: str, *words: str) -> str:
    return subprocess.run([sys.executable, "-m", module, *words, "--help"], cwd=ROOT, text=True,
                          capture_output=True, check=True).stdout  # fmt: skip


@pytest.mark.parametrize("text", of("usage", "sh", "sh slow"))
def test_options_exist(text):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True) if '"' not in line else line.split()
        if words[:1] == ["make"]:
            assert {w for w in words[1:] if "=" not in w} <= targets, line
        elif words[:2] == ["python", "-m"]:
            options = set(OPTION.findall(line.partition("#")[0]))
            assert options <= known_options(words[2]) | {"--help"}, line


def test_every_command_is_marked():
    for page in PAGES:
        for language, text in blocks(page):
            if language not in ("sh", "sh slow", "usage"):
                assert not COMMAND.search(text), f"{page.name}: a command in a block {language!r}"
