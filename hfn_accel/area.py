"""Area and clock of a design on an ECP5, from the repository's own synthesis results.

`data/synthesis.csv` is what `python -m sim.synthesis` measured. Memories follow from the RTL
exactly; the rest is fitted to that file when it is first asked for. `python -m hfn_accel.area`
prints what was measured, what is computed, and the errors on designs held out of the fit.
docs/area.md says what the figures leave out.
"""

import csv
import io
from functools import cache
from pathlib import Path

import numpy as np

from . import cli
from .config import Config
from .errors import HfnError
from .exploration.columns import FIELDS
from .files import read_bytes, write_json
from .program import BANKS, PARAMETER_BYTES
from .units import UNIT

MEASURED = Path(__file__).parent / "data" / "synthesis.csv"
COLUMNS = {field: column for column, field in FIELDS.items()}
"""Field of `Config` -> column of a table of points."""

LOGIC = ("constant", "positions", "columns", "sum_bits", "requantisers", "bus")
FITTED = {
    "area_lut4": (*LOGIC, "unit_bits", "lut_memories"),
    "area_ff": (*LOGIC, "block_memories"),
    "area_dsp": ("constant", "multipliers"),
    "period_ns": ("constant", "log2_positions"),
}
"""Figure -> the features whose weighted sum it is."""

FIGURES = ("area_lut4", "area_ff", "area_bram_18kib", "area_dsp", "clock_mhz")

BLOCK_RAMS = ((1, 1, 16384), (1, 2, 8192), (1, 4, 4096), (1, 9, 2048), (2, 9, 1024), (4, 9, 512))
"""Lanes that are written each by itself, bits of a lane, words: the shapes of a DP16KD (Lattice
FPGA-TN-02204), as Yosys has them in `techlibs/lattice/brams_16kd.txt`."""

BLOCK_COST, LUT_MEMORY_COST = 128, 4
"""Of a DP16KD, and of 16 x 4 bits in look-up tables, when Yosys chooses (the same file, and
`lutrams_trellis.txt`)."""

LUTS_A_CARRY, LUTS_A_MEMORY = 2, 6
"""Of a CCU2C and of a TRELLIS_DPR16X4, in what nextpnr prints as `Total LUT4s`."""

MULTIPLIER_BITS = 18  # of an operand of a MULT18X18D
PARAMETER, RESULT = 8 * PARAMETER_BYTES, 32  # bits of a channel's record, of a logit


def _ceil(a, b):
    return -(-a // b)


def memory_cells(width, depth, granule) -> tuple[np.ndarray, np.ndarray]:
    """Cells that a memory becomes: DP16KD, and TRELLIS_DPR16X4 (16 x 4 bits in look-up tables).

    width: bits of a word, each `granule` of which (a divisor) is written by itself; depth: words.
    Integers or arrays. Yosys takes the cheapest shape, and look-up tables only if they are cheaper.
    """
    width, depth, granule = (np.asarray(a, np.int64) for a in (width, depth, granule))

    def cells(lanes: int, bits: int, words: int):
        return _ceil(width // granule * _ceil(granule, bits), lanes) * _ceil(depth, words)

    blocks, tables = np.min([cells(*shape) for shape in BLOCK_RAMS], axis=0), cells(1, 4, 16)
    cheaper = LUT_MEMORY_COST * tables < BLOCK_COST * blocks
    return np.where(cheaper, 0, blocks), np.where(cheaper, tables, 0)


def units(t: dict) -> np.ndarray:
    """Requantisers that exist, as `Config.units`."""
    return np.minimum(t["requantisers"], t["columns_channels"])


def memories(t: dict) -> list[tuple]:
    """(number, width, depth, granule) of the core's memories, as `rtl` makes them: activation
    banks, masks, parameters, results, partial sums. t: columns of COLUMNS, as arrays."""
    c, bus, u = t["columns_channels"], t["bus_bits"], units(t)
    sums = c * t["accumulator_bits"]

    def split(number, bits, granule, *others):
        """As rtl.memory.SplitMemory: a word is as wide as the widest access."""
        width = np.maximum.reduce(np.broadcast_arrays(granule, *others))
        return number, width, np.maximum(2, _ceil(bits, width)), granule

    return [
        split(BANKS, 8 * t["activation_bank_bytes"], c, bus, t["rows_lanes"]),
        split(1, 8 * t["mask_buffer_bytes"], np.minimum(UNIT, c), bus, c),
        split(1, PARAMETER * t["parameter_channels"], bus, PARAMETER * u),
        split(1, RESULT * np.maximum(t["result_words"], u), RESULT * u, bus),
        (1, sums, t["psum_depth_pixels"], sums),
    ]


def core_cells(t: dict) -> tuple[np.ndarray, np.ndarray]:
    """`memory_cells` of the whole core."""
    found = [(number, memory_cells(*shape)) for number, *shape in memories(t)]
    return tuple(sum(number * cells[i] for number, cells in found) for i in range(2))


def features(t: dict) -> dict[str, np.ndarray]:
    """What the fitted figures are weighted sums of."""
    r, c, accumulator = t["rows_lanes"], t["columns_channels"], t["accumulator_bits"]
    return {
        "constant": np.ones(np.shape(r)),
        "positions": r * c,  # weights and adders of the array
        "columns": c,
        "sum_bits": c * accumulator,  # partial sums, and what stands beside them
        "requantisers": units(t),
        "multipliers": units(t) * (_ceil(accumulator, MULTIPLIER_BITS) + 1),  # sum's, residual's
        "bus": t["bus_bits"],
        "unit_bits": np.minimum(UNIT, c),  # that the mask decoder writes at once
        "lut_memories": core_cells(t)[1],
        "block_memories": sum(number * (memory_cells(*shape)[0] > 0)
                              for number, *shape in memories(t)),
        "log2_positions": np.log2(r * c),
    }  # fmt: skip


def fit(t: dict) -> dict[str, np.ndarray]:
    """Weights of every figure of FITTED: least squares of the relative error over the rows of a
    `table` in which it was measured; NaN if there are fewer of those than weights."""
    given, weights = features(t), {}
    for figure, names in FITTED.items():
        there = np.isfinite(t[figure])
        matrix = np.stack([given[name][there] for name in names], 1) / t[figure][there, None]
        weights[figure] = np.full(len(names), np.nan)
        if len(matrix) >= len(names):
            weights[figure] = np.linalg.lstsq(matrix, np.ones(len(matrix)))[0]
    return weights


def predict(weights: dict[str, np.ndarray], t: dict) -> dict[str, np.ndarray]:
    """FIGURES of designs, by the weights of `fit`."""
    given = features(t)
    found = {figure: np.stack([given[name] for name in names], -1) @ weights[figure]
             for figure, names in FITTED.items()}  # fmt: skip
    found |= {"clock_mhz": 1000 / found["period_ns"], "area_bram_18kib": core_cells(t)[0]}
    return {figure: found[figure] for figure in FIGURES}


def table(text: str) -> dict[str, np.ndarray]:
    """Columns of a file of `sim.synthesis`: COLUMNS, FIGURES and `period_ns`; NaN where a design
    was not placed and routed."""
    rows = list(csv.DictReader(io.StringIO(text)))

    def column(name: str) -> np.ndarray:
        return np.array([float(row[name] or "nan") for row in rows])

    luts = column("lut4") + LUTS_A_CARRY * column("ccu2c") + LUTS_A_MEMORY * column("dpr16x4")
    return {name: column(field).astype(np.int64) for field, name in COLUMNS.items()} | {
        "area_lut4": luts, "area_ff": column("ff"), "area_bram_18kib": column("dp16kd"),
        "area_dsp": column("mult18x18d"), "clock_mhz": column("clock_mhz"),
        "period_ns": 1000 / column("clock_mhz"),
    }  # fmt: skip


@cache
def measured() -> dict[str, np.ndarray]:
    """`table` of the packaged file."""
    return table(read_bytes(MEASURED).decode())


@cache
def _weights() -> dict[str, np.ndarray]:
    return fit(measured())


def area(columns: dict) -> dict[str, np.ndarray]:
    """FIGURES of designs, float64, one entry a design.

    columns: those of COLUMNS, numbers or arrays. `area_lut4`: as nextpnr counts them, 2 for each
    CCU2C and 6 for each TRELLIS_DPR16X4 among them. `area_ff`: TRELLIS_FF. `area_bram_18kib`:
    DP16KD. `area_dsp`: MULT18X18D. `clock_mhz`: of the paths from register to register, placed and
    routed. Raises HfnError, naming the column, if one is missing.
    """
    for name in COLUMNS.values():
        if name not in columns:
            raise HfnError(f"area needs the column {name!r}")
    given = np.broadcast_arrays(*(np.asarray(columns[n], np.int64) for n in COLUMNS.values()))
    found = predict(_weights(), dict(zip(COLUMNS.values(), given, strict=True)))
    return {figure: values.astype(float) for figure, values in found.items()}


HELD_OUT = {
    "each design in turn": lambda t: np.eye(len(t["rows_lanes"]), dtype=bool),
    "arrays that are not square": lambda t: (t["rows_lanes"] != t["columns_channels"])[None],
    "arrays above 16x16": lambda t: (t["rows_lanes"] * t["columns_channels"] > 256)[None],
}
"""Rule -> bool (fits, rows): the rows that a fit does without and is then asked for."""


def relative_errors(weights: dict, t: dict) -> dict[str, np.ndarray]:
    """Computed / measured - 1 of FIGURES, by row of a `table`; NaN where nothing was measured."""
    return {figure: values / t[figure] - 1 for figure, values in predict(weights, t).items()}


def held_out_errors(t: dict, rule: str) -> dict[str, np.ndarray]:
    """`relative_errors` of every row by a fit without it; NaN also in rows that HELD_OUT keeps."""
    errors = {figure: np.full(len(t["rows_lanes"]), np.nan) for figure in FIGURES}
    for held in HELD_OUT[rule](t):
        kept, asked = ({name: values[rows] for name, values in t.items()} for rows in (~held, held))
        for figure, values in relative_errors(fit(kept), asked).items():
            errors[figure][held] = values
    return errors


def summary(errors: dict[str, np.ndarray]) -> dict[str, dict]:
    """Rows, and the mean and the largest error without its sign, of each figure."""
    sizes = {figure: np.abs(values[np.isfinite(values)]) for figure, values in errors.items()}
    return {figure: {"designs": len(s), "mean": float(s.mean()), "largest": float(s.max())}
            for figure, s in sizes.items() if len(s)}  # fmt: skip


def name(t: dict, i: int) -> str:
    """A row's array, and the fields that are not the default."""
    config = Config(**{field: int(t[column][i]) for field, column in COLUMNS.items()})
    default = Config(rows=config.rows, columns=config.columns).to_dict()
    changed = (f"{f}={v}" for f, v in config.to_dict().items() if v != default[f])
    return " ".join((config.name, *changed))


def report(t: dict) -> dict:
    """What the command prints: figures by design, weights, and errors in and out of the fit."""
    weights = fit(t)
    found = predict(weights, t)
    designs = [
        {"design": name(t, i)} | {
            figure: {"measured": float(t[figure][i]), "computed": float(found[figure][i])}
            for figure in FIGURES if np.isfinite(t[figure][i])
        } for i in range(len(t["rows_lanes"]))
    ]  # fmt: skip
    errors = {"in the fit": relative_errors(weights, t)}
    errors |= {rule: held_out_errors(t, rule) for rule in HELD_OUT}
    named = {figure: dict(zip(names, weights[figure].tolist(), strict=True))
             for figure, names in FITTED.items()}  # fmt: skip
    return {"designs": designs, "weights": named,
            "errors": {rule: summary(values) for rule, values in errors.items()}}  # fmt: skip


def _cell(figure: dict | None) -> str:
    if figure is None:
        return f"{'-':>15}"
    error = round(figure["computed"] / figure["measured"] - 1, 3) + 0.0  # no -0.0
    return f"{figure['measured']:8.5g} {error:+6.1%}"


def main(argv: list[str] | None = None):
    """Print the report: measured, and the error of what is computed."""
    p = cli.parser("area", "Area and clock: measured, computed, and the error on designs held out.")
    cli.add_json(p)
    args = p.parse_args(argv)
    found = report(measured())
    print(*(f"{figure:>15}" for figure in FIGURES), " design (measured, error of the computed)")
    for row in found["designs"]:
        print(*(_cell(row.get(figure)) for figure in FIGURES), "", row["design"])
    for rule, errors in found["errors"].items():
        for figure, e in errors.items():
            print(f"{rule}: {figure} {e['mean']:.1%} mean, {e['largest']:.1%} at most, "
                  f"{e['designs']} designs")  # fmt: skip
    for figure, weights in found["weights"].items():
        print(f"{figure} =", " + ".join(f"{w:.4g} {feature}" for feature, w in weights.items()))
    if args.json:
        write_json(args.json, found)


if __name__ == "__main__":
    cli.run(main)
