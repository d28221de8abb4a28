"""Builds a component's Verilog and runs a cocotb bench on it, from an ordinary pytest function."""

import importlib.metadata
import json
import os
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import cocotb_tools.runner
from cocotb_tools.runner import VerilatorControlFile

from hfn_accel.errors import HfnError

from . import verilator
from .build import build_folder, cached, digest, jobs

os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
BUILD = build_folder() / "sim"
TIMESCALE = ("1ns", "1ps")
TAIL = 60


class _Quiet:
    """Benches are importable in the simulator; a foreign VERILATOR_ROOT is not seen."""

    def _set_env_common(self):
        super()._set_env_common()
        here = str(Path(__file__).absolute().parent.parent)
        self.env["PYTHONPATH"] = os.pathsep.join([here, *filter(None, sys.path)])
        self.env.pop("VERILATOR_ROOT", None)


class Icarus(_Quiet, cocotb_tools.runner.Icarus):
    """cocotb's runner for Icarus, with waves.fst in the bench's folder, in Verilog-2005."""

    def _create_iverilog_dump_file(self):
        self.iverilog_dump_file.write_text(
            "module cocotb_iverilog_dump;\n"
            f'initial begin $dumpfile("waves.fst"); $dumpvars(0, {self.hdl_toplevel}); end\n'
            "endmodule\n"
        )


class Verilator(_Quiet, cocotb_tools.runner.Verilator):
    """cocotb's runner for Verilator, with our Verilator and only the control file's names public.

    Its `--public-flat-rw` makes every signal public, which builds and runs 2 to 7 times slower.
    """

    def _simulator_in_path_build_only(self):
        self.executable = verilator.find().executable

    def _build_command(self):
        verilate, make = super()._build_command()
        verilate.remove("--public-flat-rw")
        make[make.index("-j") + 1] = str(jobs())
        return [verilate, make]


RUNNERS = {"icarus": Icarus, "verilator": Verilator}


def ports(text: str, top: str = "top") -> list[str]:
    """Port names of a module in emitted Verilog, in order."""
    match = re.search(rf"^module \\?{re.escape(top)}\s*\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    if match is None:
        raise HfnError(f"no module {top} in the Verilog source")
    return [port.split()[-1].lstrip("\\") for port in match[1].split(",") if port.strip()]


def _public(text: str, top: str) -> str:
    """A Verilator control file that makes the ports of `top`, and nothing else, public."""
    lines = [f'public_flat_rw -module "{top}" -var "{port}"' for port in ports(text, top)]
    return "\n".join(["`verilator_config", *lines, ""])


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-TAIL:]) if log.exists() else ""


def waves() -> bool:
    """Whether `WAVES` in the environment asks for waveforms, beside each bench's log."""
    return os.environ.get("WAVES", "0").lower() not in ("", "0", "no", "false")


def build(text: str, *, name: str, simulator: str, top: str = "top") -> Path:
    """Compile Verilog for cocotb under build/sim; a build that is there already is kept.

    Returns its folder, named by `name`, simulator and content. Raises AssertionError with the end
    of the compiler's output if it fails.
    """
    if simulator not in RUNNERS:
        raise HfnError(f"simulator must be icarus or verilator, not {simulator!r}")
    version = verilator.find().version if simulator == "verilator" else ""
    versions = version, importlib.metadata.version("cocotb"), sys.prefix
    tag = digest(text, top, waves(), Path(__file__).read_text(), *versions)

    def make(part: Path):
        sources = [part / "top.v"]
        sources[0].write_text(text)
        options = ["-g2005"]  # in -g2012 an `always @*` without a change never runs: X
        if simulator == "verilator":
            control = part / "public.vlt"
            control.write_text(_public(text, top))
            sources.insert(0, VerilatorControlFile(control))
            options = ["-Wno-fatal", "-Wno-lint", "-Wno-style"]
        try:
            RUNNERS[simulator]().build(
                sources=sources, hdl_toplevel=top, build_dir=part, always=True,
                build_args=options, timescale=TIMESCALE, waves=waves(), log_file=part / "build.log",
            )  # fmt: skip
        except RuntimeError as error:
            raise AssertionError(
                f"{error} in building {name}\n{_tail(part / 'build.log')}"
            ) from None

    return cached(BUILD / f"{name}-{simulator}-{tag}", make)


def run(component, bench: str, *, name: str, simulator: str | None = None, top: str = "top",
        **parameters):  # fmt: skip
    """Simulate `component` under every cocotb test of module `bench` (e.g. `sim.benches.dma`).

    `component` is an Amaranth component, or Verilog text whose top module is `top`. `parameters`
    reach the bench as `sim.runner.parameters()` (JSON); `name` names the build folder under
    build/sim. The simulator is `simulator`, else `SIM` from the environment, else Icarus. Each
    bench and set of parameters has a folder of its own there, with the simulator's log, the
    results and, with `WAVES=1`, the waveform. Raises AssertionError, with the end of the log, if a
    test fails.
    """
    simulator = simulator or os.environ.get("SIM", "icarus")
    if isinstance(component, str):
        text = component
    else:
        from amaranth.back import verilog

        text = verilog.convert(component, name=top, emit_src=False)
    folder = build(text, name=name, simulator=simulator, top=top)
    given = json.dumps(parameters, sort_keys=True)
    place = folder / f"{bench.rpartition('.')[2]}-{digest(bench, given)}"
    place.mkdir(exist_ok=True)
    log, results = place / "simulation.log", place / "results.xml"
    failure = None
    try:
        RUNNERS[simulator]().test(
            hdl_toplevel=top, hdl_toplevel_lang="verilog", test_module=bench, build_dir=folder,
            test_dir=place,
            results_xml=str(results), log_file=log, waves=waves(), timescale=TIMESCALE,
            extra_env={"HFN_PARAMETERS": given},
        )  # fmt: skip
    except (RuntimeError, SystemExit) as error:
        failure = f"simulator stopped: {error}"
    cases = list(ET.parse(results).iter("testcase")) if results.exists() else []
    failed = [c.get("name") for c in cases
              if c.find("failure") is not None or c.find("error") is not None]  # fmt: skip
    if failed or failure or not cases:
        reason = ", ".join(map(str, failed)) or failure or "no test ran"
        raise AssertionError(f"{bench} failed: {reason}\n{_tail(log)}\nfull log: {log}")


def parameters() -> dict:
    """What `run` was given, from inside a bench."""
    return json.loads(os.environ["HFN_PARAMETERS"])
