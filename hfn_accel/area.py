"""Area and clock of a design on an ECP5, from the repository's own synthesis results.

`data/synthesis.json` is what `make synth` measured. Memories follow from the RTL exactly; the rest
is fitted to that file when it is first asked for. `python -m hfn_accel.area` prints what was
measured, what is computed, and the errors on designs held out of the fit. docs/area.md says what
the figures leave out.
"""

import re
from collections.abc import Iterable
from functools import cache

import numpy as np

from . import cli
from .area_memories import ceil_div, core_blocks, units
from .config import Config
from .errors import HfnError
from .exploration.columns import FIELDS
from .files import atomic_write, read_bytes, write_json
from .synthesis_table import MEASURED, cores, name, read
from .units import UNIT

COLUMNS = {field: column for column, field in FIELDS.items() if field != "integrity"}
"""Field of `Config` -> column of a table of points."""

LOGIC = ("constant", "positions", "columns", "sum_bits", "requantisers", "bus")
FITTED = {
    "area_lut4": (*LOGIC, "unit_bits"),
    "area_ff": LOGIC,
    "area_dsp": ("constant", "multipliers"),
    "period_ns": ("constant", "log2_positions"),
}
"""Figure -> the features whose weighted sum it is."""

FIGURES = ("area_lut4", "area_ff", "area_bram_18kib", "area_dsp", "clock_mhz")

MULTIPLIER_BITS = 18  # of an operand of a MULT18X18D


def features(t: dict) -> dict[str, np.ndarray]:
    """What the fitted figures are weighted sums of."""
    r, c, accumulator = t["rows_lanes"], t["columns_channels"], t["accumulator_bits"]
    return {
        "constant": np.ones(np.shape(r)),
        "positions": r * c,  # weights and adders of the array
        "columns": c,
        "sum_bits": c * accumulator,  # partial sums, and what stands beside them
        "requantisers": units(t),
        "multipliers": units(t) * (ceil_div(accumulator, MULTIPLIER_BITS) + 1),  # sum's, residual's
        "bus": t["bus_bits"],
        "unit_bits": np.minimum(UNIT, c),  # that the mask decoder writes at once
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
    found |= {"clock_mhz": 1000 / found["period_ns"], "area_bram_18kib": core_blocks(t)}
    return {figure: found[figure] for figure in FIGURES}


def table(rows: Iterable[dict]) -> dict[str, np.ndarray]:
    """Columns of rows of `synthesis_table`, whole cores on the ECP5: COLUMNS, FIGURES and
    `period_ns`; NaN where a design was not placed and routed."""
    rows = cores(rows)

    def column(part: str, name: str) -> np.ndarray:
        return np.array([row.get(part, {}).get(name, np.nan) for row in rows], float)

    clock = column("clock", "mhz")
    configs = [Config(**row["config"]).to_dict() for row in rows]
    return {column: np.array([c[field] for c in configs]) for field, column in COLUMNS.items()} | {
        "area_lut4": column("figures", "lut"), "area_ff": column("figures", "ff"),
        "area_bram_18kib": column("figures", "bram"), "area_dsp": column("figures", "dsp"),
        "clock_mhz": clock, "period_ns": 1000 / clock,
    }  # fmt: skip


@cache
def measured() -> dict[str, np.ndarray]:
    """`table` of the packaged file."""
    return table(read(MEASURED).values())


@cache
def _weights() -> dict[str, np.ndarray]:
    return fit(measured())


def area(columns: dict) -> dict[str, np.ndarray]:
    """FIGURES of designs, float64, one entry a design.

    columns: those of COLUMNS, numbers or arrays. `area_lut4`: as nextpnr counts them, 2 for each
    CCU2C and 6 for each TRELLIS_DPR16X4 (a small memory) among them. `area_ff`: TRELLIS_FF.
    `area_bram_18kib`: DP16KD. `area_dsp`: MULT18X18D. `clock_mhz`: of the paths from register to
    register, placed and routed. Raises HfnError, naming the column, if one is missing.
    """
    for column in COLUMNS.values():
        if column not in columns:
            raise HfnError(f"area needs the column {column!r}")
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


def _name(t: dict, i: int) -> str:
    return name(Config(**{field: int(t[column][i]) for field, column in COLUMNS.items()}))


def report(t: dict) -> dict:
    """What the command prints: figures by design, weights, and errors in and out of the fit."""
    weights = fit(t)
    found = predict(weights, t)
    designs = [
        {"design": _name(t, i)} | {
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


def text(found: dict) -> str:
    """A report as the command prints it."""
    lines = [" ".join((*(f"{figure:>15}" for figure in FIGURES),
                       " design (measured, error of the computed)"))]  # fmt: skip
    lines += [" ".join((*(_cell(row.get(figure)) for figure in FIGURES), "", row["design"]))
              for row in found["designs"]]  # fmt: skip
    for rule, errors in found["errors"].items():
        lines += [f"{rule}: {figure} {e['mean']:.1%} mean, {e['largest']:.1%} at most, "
                  f"{e['designs']} designs" for figure, e in errors.items()]  # fmt: skip
    lines += [f"{figure} = " + " + ".join(f"{w:.4g} {feature}" for feature, w in weights.items())
              for figure, weights in found["weights"].items()]  # fmt: skip
    return "\n".join(lines) + "\n"


_BLOCK = re.compile(r"(<!-- area -->\n```\n).*?(```\n<!-- end -->)", re.DOTALL)


def main(argv: list[str] | None = None):
    """Print the report: measured, and the error of what is computed."""
    p = cli.parser("area", "Area and clock: measured, computed, and the error on designs held out.")
    p.add_argument("--update", metavar="F.md", help="a page whose block between <!-- area --> and "
                   "<!-- end --> is written anew")  # fmt: skip
    cli.add_json(p)
    args = p.parse_args(argv)
    found = report(measured())
    printed = text(found)
    print(printed, end="")
    if args.update:
        page = read_bytes(args.update).decode()
        page = _BLOCK.sub(lambda match: match[1] + printed + match[2], page)
        atomic_write(args.update, page.encode())
    if args.json:
        write_json(args.json, found)


if __name__ == "__main__":
    cli.run(main)
