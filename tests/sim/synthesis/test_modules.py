"""A design's Verilog taken apart: blocks, one alone, one with registered ports."""

import pytest

from hfn_accel.config import Config
from rtl.accelerator import Accelerator
from rtl.emit import verilog
from sim.synthesis import modules


@pytest.fixture(scope="module")
def text():
    return verilog(Accelerator(Config(rows=2, columns=2)), "hfn_accel")


def test_blocks_are_what_the_core_consists_of(text):
    parts = modules.split(text)
    found = modules.blocks(parts, "hfn_accel")
    assert {"datapath.array", "datapath.psum", "control.fetcher", "control.read_dma", "banks",
            "mask_decoder", "registers", "mask_buffer"} <= set(found)  # fmt: skip
    assert "datapath" not in found and "banks.bank0" not in found
    below = [modules.alone(parts, f"hfn_accel.{name}") for name in found]
    whole = [parts[f"hfn_accel{name}"] for name in ("", ".datapath", ".control")]
    assert sum(map(len, below + whole)) == sum(map(len, parts.values()))  # each module once


def test_registered_ports(text):
    parts = modules.split(text)
    wrapped = modules.registered(parts, "hfn_accel.datapath.array", "top")
    top = modules.split(wrapped)["top"]
    names = [match[2] for match in modules._PORT.findall(parts["hfn_accel.datapath.array"])]
    assert "clk" in names and len(names) > 5
    assert top.count("always @(posedge clk)") == top.count("  reg ") == len(names) - 1
    for name in names:
        assert f".{name}" in top
    assert "\\io.x  <= \\pad.x " in top and "assign \\at.x  = \\io.x " in top
    assert wrapped.count("\nendmodule") == 2
