"""Builds a component's Verilog and runs a cocotb bench on it, from an ordinary pytest function."""

import hashlib
import json
import os
from pathlib import Path

from amaranth.back import verilog
from cocotb_tools.runner import get_runner

os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
BUILD = Path(os.environ.get("HFN_BUILD", "build")).absolute() / "sim"


def run(component, bench: str, *, name: str, simulator: str | None = None, **parameters):
    """Simulate `component` under every cocotb test of module `bench` (e.g. `sim.benches.dma`).

    `parameters` reach the bench as `sim.runner.parameters()` (JSON); `name` names the build
    folder under build/sim. The simulator is `simulator`, else `SIM` from the environment, else
    Icarus. Raises SystemExit or AssertionError through cocotb's runner if a test fails.
    """
    simulator = simulator or os.environ.get("SIM", "icarus")
    text = verilog.convert(component, name="top", emit_src=False)
    tag = hashlib.sha256(text.encode()).hexdigest()[:12]
    folder = BUILD / f"{name}-{simulator}-{tag}"
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "top.v"
    source.write_text(text)
    runner = get_runner(simulator)
    runner.build(sources=[source], hdl_toplevel="top", build_dir=folder, always=True,
                 timescale=("1ns", "1ps"))  # fmt: skip
    results = runner.test(hdl_toplevel="top", test_module=bench, build_dir=folder,
                          extra_env={"HFN_PARAMETERS": json.dumps(parameters)},
                          timescale=("1ns", "1ps"))  # fmt: skip
    import xml.etree.ElementTree as ET

    failed = [c.get("name") for c in ET.parse(results).iter("testcase")
              if c.find("failure") is not None or c.find("error") is not None]  # fmt: skip
    assert not failed, f"{bench} failed: {failed} (see {folder})"


def parameters() -> dict:
    """What `run` was given, from inside a bench."""
    return json.loads(os.environ["HFN_PARAMETERS"])
