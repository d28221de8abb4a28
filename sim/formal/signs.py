"""The sign generator against its matrices: its netlist's outputs, as linear forms over GF(2).

`linear` follows the gates from the registers on and keeps, for every wire, which registers' sum it
is. So what it finds holds for all 2^64 states at once; a gate that is not linear with the command
given is an error. (SAT solvers do not get through equalities of 64-bit sums.) The forms must be the
matrices that `hfn_accel.sequence.jump` gives from the 64 basis vectors.
"""

import json
import os
import sys
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module

from hfn_accel import sequence
from hfn_accel.files import make_folder
from rtl.sign_generator import SignGenerator

from .prover import YOSYS, Outcome, call

COMMANDS = ("load", "jump", "rewind", "step")
ONE = 1 << 3 * sequence.BITS
"""The constant 1, beside the bits of `state`, `base` and `load_state`."""

SCRIPT = """
read_rtlil model.il
hierarchy -top top
proc
flatten
simplemap
write_json netlist.json
"""


class NotLinear(Exception):
    """A gate whose output is no sum of registers."""


def _gate(kind: str, inputs: dict[str, int]) -> int:
    """A gate's output form."""
    a, b, s = (inputs.get(name) for name in "ABS")
    if kind == "$_XOR_":
        return a ^ b
    if kind == "$_NOT_":
        return a ^ ONE
    if kind == "$_MUX_" and s in (0, ONE):
        return b if s else a
    for dominant, gate in (0, "$_AND_"), (ONE, "$_OR_"):
        if kind == gate and dominant in (a, b):
            return dominant
        if kind == gate and dominant ^ ONE in (a, b):
            return a if b == dominant ^ ONE else b
    raise NotLinear(f"{kind} of {inputs}")


def linear(module: dict, forms: dict) -> dict:
    """Forms of all wires (by number), from those of inputs and registers' outputs; under
    ("D", wire) the next form of a register's output."""
    drivers = {cell["connections"]["Y"][0]: cell for cell in module["cells"].values()
               if "Y" in cell["connections"]}  # fmt: skip
    forms = forms | {"0": 0, "1": ONE}

    def form(wire):
        pending = [wire]
        while pending:  # by hand: trees are deep
            last = pending[-1]
            if last in forms:
                pending.pop()
                continue
            cell = drivers[last]
            needed = {n: w[0] for n, w in cell["connections"].items() if n != "Y"}
            if missing := [w for w in needed.values() if w not in forms]:
                pending += missing
                continue
            forms[last] = _gate(cell["type"], {n: forms[w] for n, w in needed.items()})
        return forms[wire]

    for wire in drivers:
        form(wire)
    for cell in module["cells"].values():
        if "Q" in cell["connections"]:
            forms["D", cell["connections"]["Q"][0]] = form(cell["connections"]["D"][0])
    return forms


def rows(steps: int) -> list[int]:
    """Row i of A^steps, from the images of the basis vectors."""
    images = [sequence.jump(1 << j, steps) for j in range(sequence.BITS)]
    return [sum((image >> i & 1) << j for j, image in enumerate(images))
            for i in range(sequence.BITS)]  # fmt: skip


def netlist(columns: int, folder: Path) -> tuple[dict, float]:
    """The generator's gates as Yosys writes them, and the processor's seconds that it took."""
    m, dut = Module(), SignGenerator(columns)
    m.domains.sync = domain = ClockDomain(reset_less=True)
    m.submodules.dut = dut
    ports = [domain.clk, *(getattr(dut, name) for name in (*COMMANDS, "load_state"))]
    make_folder(folder)
    (folder / "model.il").write_text(rtlil.convert(m, ports=ports, emit_src=False))
    (folder / "graph.ys").write_text(SCRIPT)
    seconds = call([sys.executable, "-c", YOSYS], folder, 600)
    return json.loads((folder / "netlist.json").read_text())["modules"]["top"], seconds


def prove(columns: int, folder: Path) -> Outcome:
    """Whether each command, and the signs, are the matrices' in every state."""
    begun = os.times()
    module, seconds = netlist(columns, folder)
    nets = {name.removeprefix("dut."): net["bits"] for name, net in module["netnames"].items()}
    identity = [1 << i for i in range(sequence.BITS)]
    base = [row << sequence.BITS for row in identity]
    loaded = [row << 2 * sequence.BITS for row in identity]
    starts = dict(zip(nets["state"] + nets["base"] + nets["load_state"],
                      identity + base + loaded, strict=True))  # fmt: skip
    distance = 1 << sequence.CHANNEL_LOG2
    jumped = [row << sequence.BITS for row in rows(distance * columns)]
    expected = {"load": (loaded, loaded), "jump": (jumped, jumped), "rewind": (base, base),
                "step": (rows(1), base), None: (identity, base)}  # fmt: skip
    heads = [rows(distance * c)[-1] for c in range(columns)]
    holds = True
    for command, (state, kept) in expected.items():
        given = {nets[name][0]: ONE * (name == command) for name in COMMANDS}
        forms = linear(module, starts | given)
        holds &= [forms["D", wire] for wire in nets["state"]] == state
        holds &= [forms["D", wire] for wire in nets["base"]] == kept
        holds &= [forms[wire] for wire in nets["signs"]] == heads
    ended = os.times()
    return Outcome(holds, seconds + ended.user - begun.user)
