"""The array against BISMO, a bit-serial matrix multiplier for FPGAs, by binary operation.

BISMO: Umuroglu et al., "BISMO: A Scalable Bit-Serial Matrix Multiplication Overlay for
Reconfigurable Computing", FPL 2018, and "Optimizing Bit-Serial Matrix Multiplication for
Reconfigurable Computing", ACM TRETS 2019. Its cost models are those of the authors' code
(github.com/EECS-NTNU/bismo, `estimateResources` of src/main/scala/BISMO.scala, before and after
the compressors of 2019): look-up tables of one dot product unit of Dk bits, and of what takes its
result away. A unit does 2 * Dk binary operations a clock: an AND and an addition for each bit.
"""

from ..config import Config
from ..synthesis_table import ARRAY
from .tables import Column, Table

MODELS = {"BISMO 2018": (2.04, 109.41), "BISMO 2019": (1.17, 44.1)}
"""Look-up tables a bit, and a unit."""

RESULT = 120.1  # look-up tables of a unit's result
WIDTHS = (64, 256)  # Dk: the smallest that its bus allows, and that of its largest builds
UNITS = (ARRAY, "datapath.planes", "datapath.psum")
"""Blocks that do what a dot product unit does: multiply, add, shift, accumulate."""

TERNARY_BITS = 2
"""Bits of a ternary weight for BISMO, each of which takes a pass: what a position does in one
clock is so many times 2 binary operations there."""


def published(model: str, bits: int, result: bool = False) -> float:
    """Look-up tables a binary operation a clock, by the authors' model."""
    slope, constant = MODELS[model]
    return (slope * bits + constant + (RESULT if result else 0)) / (2 * bits)


def table(rows: list[dict]) -> Table:
    """BISMO's models, and this core's array where it was measured."""
    columns = (
        Column("what", "what"), Column("lut", "look-up tables"),
        Column("operation", "a binary operation, 2 a position", "{:.3f}"),
        Column("ternary", "a binary operation, 4 a position", "{:.3f}"),
        Column("result", "with accumulators or results, 2 a position", "{:.3f}"),
        Column("result_ternary", "the same, 4 a position", "{:.3f}"),
    )  # fmt: skip
    made = [{"what": f"{model}, Dk = {bits}", "lut": "LUT6", "operation": published(model, bits),
             "ternary": None, "result": published(model, bits, True), "result_ternary": None}
            for model in MODELS for bits in WIDTHS]  # fmt: skip
    there = {
        (r["target"], Config(**r["config"]).name, r["unit"]): r["figures"]["lut"] for r in rows
    }
    for target, kind in (("xilinx", "LUT6"), ("ecp5", "LUT4")):
        for pe in ("16x16", "64x64"):
            config = Config.parse(pe)
            counts = [there.get((target, pe, unit)) for unit in UNITS]
            if None in counts:
                continue
            operations = 2 * config.rows * config.columns
            array, whole = counts[0] / operations, sum(counts) / operations
            made.append({"what": f"{pe} on {target}", "lut": kind, "operation": array,
                         "ternary": array / TERNARY_BITS, "result": whole,
                         "result_ternary": whole / TERNARY_BITS})  # fmt: skip
    return Table("Look-up tables for a binary operation a clock", columns, made,
                 "make synth")  # fmt: skip
