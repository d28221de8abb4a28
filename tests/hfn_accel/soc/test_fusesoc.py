"""The FuseSoC cores, run by fusesoc itself: shipped beside the Verilog, and generated."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hfn_accel import __version__, gen
from hfn_accel.config import Config
from hfn_accel.soc import files
from sim import verilator

pytest.importorskip("fusesoc")
ROOT = Path(__file__).parents[3]
TOOLS = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def fusesoc(folder: Path, target: str, core: str, roots: list[Path]):
    """Run a target of a core in `folder`."""
    tools = os.pathsep.join([str(Path(verilator.find().executable).parent), TOOLS])
    places = [word for root in roots for word in ("--cores-root", str(root))]
    return subprocess.run(
        [sys.executable, "-m", "fusesoc.main", *places, "run", "--target", target, core],
        cwd=folder, capture_output=True, text=True,
        env=verilator.environment() | {"PATH": tools, "XDG_CONFIG_HOME": str(folder)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """What `gen --soc` writes for a small core with a wide bus."""
    folder = tmp_path_factory.mktemp("soc")
    gen.write(Config(rows=4, columns=2, axi_data_width=128), folder, soc=True)
    return folder


def test_files(shipped, tmp_path):
    """Nothing lacks; the same bytes again."""
    names = {path.name for path in shipped.iterdir()}
    assert names == {
        "hfn_accel_4x2.v", "hfn_accel_4x2.json", "hfn_accel_4x2.core", "hfn_accel_4x2.vlt",
        "hfn_accel_regs.h", "hfn_accel_regs.py", "hfn_accel_regs.vh", "hfn_accel.rdl",
        "hfn_accel_driver.c", "hfn_accel_driver.h", "hfn_accel_tb.v",
    }  # fmt: skip
    gen.write(Config(rows=4, columns=2, axi_data_width=128), tmp_path, soc=True)
    for name in names:
        assert (tmp_path / name).read_bytes() == (shipped / name).read_bytes(), name


@pytest.mark.parametrize("target, sign", [("lint", "V e r i l a t i o n"), ("sim", "PASS: hfn_accel"
                                          " 4x2, bus of 128 bits")])  # fmt: skip
def test_shipped_core(shipped, tmp_path, target, sign):
    done = fusesoc(tmp_path, target, "hfn:accel:hfn_accel_4x2", [shipped])
    assert done.returncode == 0, done.stdout + done.stderr
    assert sign in done.stdout + done.stderr


def test_broken_core_fails(shipped, tmp_path):
    """Lint and smoke test can fail: a latch; a core that never raises its interrupt."""
    files_of = {path.name: path.read_text() for path in shipped.iterdir()}
    text = files_of["hfn_accel_4x2.v"]
    latch = text.replace("endmodule", "  reg q; always @* if (clk) q = rst;\nendmodule", 1)
    silent = text.replace("  output irq;\n  wire irq;", "  output irq;\n  wire irq = 0;", 1)
    silent = silent.replace(".irq(irq)", ".irq()", 1)
    assert text not in (latch, silent)
    for target, broken, sign in (("lint", latch, "LATCH"), ("sim", silent, "FAIL: simulated time")):
        folder = tmp_path / target
        folder.mkdir()
        for name, content in (files_of | {"hfn_accel_4x2.v": broken}).items():
            (folder / name).write_text(content)
        done = fusesoc(folder, target, "hfn:accel:hfn_accel_4x2", [folder])
        assert done.returncode and sign in done.stdout + done.stderr


USER = """\
CAPI=2:
name: some:body:soc:1.0
filesets:
  rtl: {files: [soc.v], file_type: verilogSource, depend: ["hfn:accel:hfn_accel_generator"]}
generate:
  accelerator: {generator: hfn_accel_gen, parameters: PARAMETERS}
targets:
  default: {filesets: [rtl], generate: [accelerator], toplevel: soc}
  lint: {flow: lint, flow_options: {tool: verilator}, filesets: [rtl], generate: [accelerator],
         toplevel: soc}
"""


def user(folder: Path, parameters: str) -> Path:
    (folder / "soc.core").write_text(USER.replace("PARAMETERS", parameters))
    (folder / "small.toml").write_text("activation_bytes = 4096\n")
    (folder / "soc.v").write_text(
        "module soc (input clk, input rst, output irq);\n"
        "/* verilator lint_off PINMISSING */\n"
        "  hfn_accel core (.clk(clk), .rst(rst), .irq(irq));\nendmodule\n"
    )
    return folder


def test_generator(tmp_path):
    """A user's SoC asks for another shape, with a configuration file of its own."""
    place = user(tmp_path, "{pe: 2x4, config: small.toml}")
    done = fusesoc(tmp_path, "lint", "some:body:soc", [ROOT / "hfn_accel", place])
    assert done.returncode == 0, done.stdout + done.stderr
    made = next(tmp_path.rglob("hfn_accel_2x4.v"))
    assert "activation_bytes     4096" in made.read_text()


def test_generator_refuses(tmp_path):
    place = user(tmp_path, "{shape: 2x4}")
    done = fusesoc(tmp_path, "lint", "some:body:soc", [ROOT / "hfn_accel", place])
    assert done.returncode
    assert "hfn_accel_gen has no parameter 'shape': pe and config" in done.stdout + done.stderr


def test_root_core(tmp_path):
    """The repository's own core, by the command of docs/integration.md."""
    done = fusesoc(tmp_path, "sim", "hfn:accel:hfn_accel", [ROOT])
    assert "PASS: hfn_accel 16x16, bus of 64 bits" in done.stdout, done.stdout + done.stderr
    for name in ("hfn_accel.core", "hfn_accel/soc/hfn_accel_generator.core"):
        assert f":{__version__}\n" in (ROOT / name).read_text(), name


def test_waivers_are_of_the_core_alone():
    rules = [line for line in files.waivers("hfn_accel_4x4").splitlines() if "lint_off" in line]
    assert rules and all(line.endswith(' -file "*hfn_accel_4x4.v"') for line in rules)
