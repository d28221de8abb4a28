"""Synthesis: area, checks and clock of the whole core and of each block, by open tools.

A design's Verilog is what `hfn_accel.gen` writes. Yosys maps it to a target (`targets`), after
refusing latches, combinational loops and buffers that are not block RAM (`checks`); nextpnr places
and routes it on an ECP5 (`place`). Both come as packages (extra `synth`). One design, or one block
of it, on one target is a row (`measure`) of the table that `hfn_accel.synthesis_table` reads.

python -m sim.synthesis --out F.json     the default designs, what is unchanged left out
python -m sim.synthesis --help           single designs, blocks, other targets, a cell library
"""
