"""What `make synth` measures."""

from hfn_accel.config import Config
from hfn_accel.synthesis_table import ARRAY, CORE

from .measure import Job, blocks
from .targets import ECP5, GENERIC, ICE40, TARGETS, XILINX

SMALL = {"activation_bytes": 4096, "psum_depth": 32, "mask_bytes": 1024, "parameter_channels": 64}
LARGE = {"activation_bytes": 262144, "psum_depth": 1024, "mask_bytes": 262144,
         "parameter_channels": 4096, "result_words": 2048}  # fmt: skip
MIXED = {"axi_data_width": 128, "accumulator_bits": 20, "requantisers": 2,
         "activation_bytes": 16384, "psum_depth": 64, "mask_bytes": 8192}  # fmt: skip
SQUARES = ("8x8", "16x16", "32x32", "64x64")
PLACED = ("4x4", *SQUARES)
MAPPED = (
    ("2x2", {}), ("4x8", {}), ("8x4", {}), ("8x16", {}), ("16x8", {}), ("16x32", {}), ("32x16", {}),
    ("8x8", {"accumulator_bits": 16}), ("8x8", {"axi_data_width": 128}),
    ("8x8", {"requantisers": 1}), ("8x8", {"psum_depth": 1024}), ("8x8", SMALL), ("8x8", LARGE),
    ("16x8", MIXED), ("16x16", SMALL), ("16x16", {"accumulator_bits": 16}),
    ("16x16", {"accumulator_bits": 32}), ("16x16", {"axi_data_width": 128}),
    ("16x16", {"requantisers": 8}), ("16x16", {"requantisers": 16}),
)  # fmt: skip
"""On the ECP5: array, and the fields that are not the default."""

COMPARED = (ARRAY, "datapath.planes", "datapath.psum")
"""Blocks that do what a dot product unit of BISMO does (docs/area.md)."""


def default() -> list[Job]:
    """All that docs/area.md and the area model need, the longest first."""
    jobs = [Job(Config.parse(pe), ECP5, placed=True) for pe in reversed(PLACED)]
    shape = Config.parse("16x16")
    jobs += [Job(shape, ECP5, unit, placed=True) for unit in blocks(shape)]
    jobs += [Job(Config.parse(pe), t) for t in (XILINX, ICE40, GENERIC) for pe in ("16x16", "8x8")]
    jobs += [Job(Config.parse(pe).replace(**fields), ECP5) for pe, fields in MAPPED]
    jobs += [Job(Config.parse(pe), ECP5, ARRAY) for pe in SQUARES if pe != "16x16"]
    jobs += [Job(Config.parse(pe), XILINX, unit) for unit in COMPARED for pe in ("16x16", "64x64")]
    jobs += [Job(Config.parse("64x64"), ECP5, unit) for unit in COMPARED if unit != ARRAY]
    return jobs


def large() -> list[Job]:
    """The large arrays on the other targets."""
    return [Job(Config.parse(pe), t, CORE) for t in TARGETS.values() if t is not ECP5
            for pe in ("32x32", "64x64")]  # fmt: skip
