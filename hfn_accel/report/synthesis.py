"""Tables of synthesis results: whole cores, the blocks of one, arrays by position."""

from ..config import Config
from ..synthesis_table import ARRAY, CORE, name, per_position
from .tables import Column, Table

COMMAND = "make synth"
_AREA = (Column("lut", "LUT4", "{:,}"), Column("ff", "flip-flops", "{:,}"),
         Column("bram", "block RAM", "{:,}"), Column("dsp", "multipliers"),
         Column("clock", "clock (MHz)", "{:.1f}"), Column("path", "critical path"))  # fmt: skip


def logic(row: dict) -> str:
    """A row's logic in its target's own measure."""
    figures = row["figures"]
    if "um2" in figures:
        return (f"{figures['um2'] / 1e6:.3f} mm², {figures['gate_equivalents']:,} GE "
                f"({row['library']})")  # fmt: skip
    if "gates" in figures:
        return f"{figures['gates']:,} gates"
    return f"{figures['lut']:,} {'LUT6' if row['target'] == 'xilinx' else 'LUT4'}"


def clock(row: dict) -> dict:
    """`clock` and `path` of a row that was placed, None of others."""
    found = row.get("clock", {})
    path = f"{found['from']} → {found['to']}" if "mhz" in found else found.get("failed")
    return {"clock": found.get("mhz"), "path": path}


def designs(rows: list[dict]) -> Table:
    """Whole cores on every target."""
    columns = (
        Column("design", "design"), Column("target", "target"), Column("logic", "logic"),
        Column("ff", "flip-flops", "{:,}"), Column("bram", "block RAM", "{:,}"),
        Column("dsp", "multipliers"), Column("kib", "memory (KiB)", "{:,.1f}"), *_AREA[-2:],
    )  # fmt: skip
    made = [{"design": name(Config(**row["config"])), "target": row["target"], "logic": logic(row),
             **{n: row["figures"].get(n) for n in ("ff", "bram", "dsp")},
             "kib": row["figures"]["memory_bits"] / 8192, **clock(row)}
            for row in rows if row["unit"] == CORE]  # fmt: skip
    return Table("Whole cores, synthesised", columns, made, COMMAND)


def blocks(rows: list[dict], pe: str = "16x16") -> Table:
    """Every block of a core on the ECP5, each synthesised alone, and what is beside them.

    The core is one netlist without a hierarchy, whose logic is shared across the blocks' borders:
    the line before the last is what the sum of the blocks lacks of it, or has too much. Of a core
    that was not measured there are the blocks alone.
    """
    config = Config.parse(pe).to_dict()
    mine = {row["unit"]: row for row in rows if row["config"] == config and row["target"] == "ecp5"}
    whole = mine.pop(CORE, None)
    core = whole["figures"] if whole else {}
    order = sorted(mine, key=lambda unit: -mine[unit]["figures"]["lut"])
    made = [{"block": unit, **_areas(mine[unit]["figures"], core), **clock(mine[unit])}
            for unit in order]  # fmt: skip
    columns = (Column("block", "block"), *_AREA[:1], Column("share", "of the core", "{:.1%}"),
               *_AREA[1:])  # fmt: skip
    title = f"The blocks of {pe} on the ECP5, each synthesised and placed alone"
    if whole is None:
        return Table(title, columns, made, COMMAND)
    total = {n: sum(row["figures"].get(n, 0) for row in mine.values()) for n in core}
    rest = {n: core[n] - total[n] for n in core}
    overhead = {n: core[n] - mine[ARRAY]["figures"].get(n, 0) for n in core}
    made += [{"block": label, **_areas(figures, core), "clock": None, "path": None}
             for label, figures in (("all blocks", total), ("core less all blocks", rest),
                                    ("core less the array", overhead))]  # fmt: skip
    made.append({"block": "core", **_areas(core, core), **clock(whole)})
    return Table(title, columns, made, COMMAND)


def _areas(figures: dict, core: dict) -> dict:
    return {n: figures.get(n, 0) for n in ("lut", "ff", "bram", "dsp")} | {
        "share": figures["lut"] / core["lut"] if core else None}  # fmt: skip


def arrays(rows: list[dict]) -> Table:
    """Arrays alone on the ECP5, by position."""
    columns = (Column("pe", "array"), *_AREA[:2], Column("position", "LUT4 a position", "{:.2f}"))
    made = [{"pe": Config(**row["config"]).name, **_areas(row["figures"], row["figures"]),
             "position": per_position(row)}
            for row in rows if row["unit"] == ARRAY and row["target"] == "ecp5"]  # fmt: skip
    return Table("Gates and column trees of the array alone, ECP5", columns, made, COMMAND)
