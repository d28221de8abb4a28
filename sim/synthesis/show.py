"""What the command prints: a line a row while it works, tables at the end."""

from hfn_accel.report.synthesis import arrays, clock, designs, logic
from hfn_accel.report.tables import Column, Table
from hfn_accel.synthesis_table import CORE


def line(row: dict) -> str:
    """A row's figures in a line."""
    counts = (f"{row['figures'][n]:,} {n}" for n in ("ff", "bram", "dsp") if n in row["figures"])
    found = clock(row)
    placed = f"{found['clock']} MHz" if found["clock"] else found["path"]
    return ", ".join(part for part in (logic(row), *counts, placed) if part)


def table(rows: list[dict]) -> str:
    """Whole cores, blocks and arrays, as far as there are any; what was looked for in each."""
    blocks = [{"design": row["config"], "block": row["unit"], "line": line(row)}
              for row in rows if row["unit"] != CORE]  # fmt: skip
    for block in blocks:
        block["design"] = f"{block['design']['rows']}x{block['design']['columns']}"
    columns = Column("design", "design"), Column("block", "block"), Column("line", "found")
    tables = [designs(rows), Table("Blocks, each alone", columns, blocks, ""), arrays(rows)]
    done = (f"\n{len(rows)} designs and blocks: no latch, no combinational loop; on FPGAs every "
            "buffer is in block RAM\n")  # fmt: skip
    return "".join(f"\n{t.text()}\n" for t in tables if t.rows) + (done if rows else "")
