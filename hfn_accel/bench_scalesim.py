"""`python -m hfn_accel.bench_scalesim --scalesim PYTHON`: SCALE-Sim and its closed form in one run.

PYTHON is an interpreter that has SCALE-Sim 3: `pip install scalesim "numpy<2"` in an environment of
its own. Both get the same topology; processor seconds are of the estimate alone, without starting
an interpreter, importing and reading files.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import networks, scalesim, topology
from .cli import add_json, parser, run
from .config import Config
from .errors import HfnError
from .files import read_bytes, write_json
from .topology import Topology
from .topology_network import estimate_topology

DATAFLOWS = ("ws", "os")
SRAM_KIB = 64  # of each of SCALE-Sim's three; without bearing on its cycles
SPEND = 0.2  # seconds for which the closed form is repeated
COLUMN = "Total Cycles"  # of COMPUTE_REPORT.csv: without prefetch
RUN = "run"  # SCALE-Sim's folder of reports

# Every section that SCALE-Sim 3.0.0 insists on. Layout, sparsity and buffers of requests do not
# matter to what is compared; CALC has it find the bandwidth itself, so that nothing stalls.
_CONFIG = """[general]
run_name = {run}
[run_presets]
InterfaceBandwidth = CALC
UseRamulatorTrace = False
[architecture_presets]
ArrayHeight = {rows}
ArrayWidth = {columns}
IfmapSramSzkB = {kib}
FilterSramSzkB = {kib}
OfmapSramSzkB = {kib}
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Dataflow = {dataflow}
ReadRequestBuffer = 32
WriteRequestBuffer = 32
[layout]
IfmapCustomLayout = False
IfmapSRAMBankBandwidth = 10
IfmapSRAMBankNum = 10
IfmapSRAMBankPort = 2
FilterCustomLayout = False
FilterSRAMBankBandwidth = 10
FilterSRAMBankNum = 10
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = false
"""
_LAYOUT = "Layer name,\n"  # the file must exist
_DRIVER = """import json, sys, time
from scalesim.scale_sim import scalesim
simulator = scalesim(save_disk_space=True, verbose=False, config="config.cfg",
                     topology="topology.csv", layout="layout.csv")
began = time.process_time()
simulator.run_scale(top_path=".")
with open("seconds.json", "w") as file:
    json.dump(time.process_time() - began, file)
"""


def default_topology() -> Topology:
    """Of ResNet-18 at 224 x 224 the layers that open and close the last stage.

    SCALE-Sim takes about half a minute of processor time for both dataflows on 32 x 32 positions.
    """
    chosen = ("stage4.block1.conv1", "stage4.block1.shortcut", "classifier")
    whole = topology.of_network(networks.named("hfn-resnet18", "imagenet"))
    return Topology("resnet18-stage4", tuple(x for x in whole.layers if x.name in chosen))


def parse_report(text: str) -> list[int]:
    """Total cycles of every layer from a COMPUTE_REPORT.csv; HfnError if it is none."""
    try:
        header, *rows = csv.reader(text.splitlines())
        column = [title.strip() for title in header].index(COLUMN)
        return [int(float(row[column])) for row in rows]
    except (ValueError, IndexError):
        raise HfnError(f"SCALE-Sim's report has no column of numbers {COLUMN!r}") from None


def simulate(python: str, work: Topology, rows: int, columns: int, dataflow: str
             ) -> tuple[list[int], float]:  # fmt: skip
    """(Total cycles of every layer, processor seconds) of SCALE-Sim run by `python`.

    Raises HfnError, with the last line of its complaint, if it does not run.
    """
    found = shutil.which(python)
    if not found:
        raise HfnError(f"cannot run {python}: no such program")
    for layer in work.layers:
        if layer.stride_height != layer.stride_width:
            raise HfnError(f"layer {layer.name!r}: SCALE-Sim 3 knows one stride, not "
                           f"{layer.stride_height} and {layer.stride_width}")  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        topology.write(folder / "topology.csv", work)
        (folder / "layout.csv").write_text(_LAYOUT)
        (folder / "config.cfg").write_text(_CONFIG.format(
            run=RUN, rows=rows, columns=columns, kib=SRAM_KIB, dataflow=dataflow))  # fmt: skip
        done = subprocess.run([os.path.abspath(found), "-c", _DRIVER], cwd=folder,
                              capture_output=True, text=True, errors="replace")  # fmt: skip
        if done.returncode:
            reason = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
            raise HfnError(f"SCALE-Sim does not run under {python}: {reason[0]}")
        cycles = parse_report(read_bytes(folder / RUN / "COMPUTE_REPORT.csv").decode())
        if len(cycles) != len(work.layers):
            raise HfnError(f"SCALE-Sim reports {len(cycles)} layers, not {len(work.layers)}")
        return cycles, json.loads(read_bytes(folder / "seconds.json"))


def measure(python: str, work: Topology, rows: int, columns: int, dataflows=DATAFLOWS) -> dict:
    """SCALE-Sim and the closed form on the same work: `runs`, one a dataflow.

    Each has `scalesim_cpu_s`, `ours_cpu_s`, their `ratio`, `equal` (every layer's cycles),
    `layers` with both cycles, and `hfn_ratio` to `hfn_cpu_s`: what the estimate of the same layers
    on this core takes.
    """
    runs, hfn = [], _own_seconds(work, rows, columns)
    for dataflow in dataflows:
        if sys.stderr.isatty():
            print(f"SCALE-Sim, {dataflow}, {len(work.layers)} layers ...", file=sys.stderr)
        simulated, seconds = simulate(python, work, rows, columns, dataflow)
        rounds, began = 0, time.process_time()
        while (spent := time.process_time() - began) < SPEND:
            ours = scalesim.report(work, rows, columns, dataflow)
            rounds += 1
        layers = [
            {"name": row["name"], "scalesim_cycles": theirs, "ours_cycles": row["cycles"]}
            for row, theirs in zip(ours["layers"], simulated, strict=True)
        ]
        runs.append({
            "dataflow": dataflow,
            "scalesim_cpu_s": seconds,
            "ours_cpu_s": spent / rounds,
            "ratio": seconds * rounds / spent,
            "hfn_ratio": None if hfn is None else seconds / hfn,
            "equal": all(row["scalesim_cycles"] == row["ours_cycles"] for row in layers),
            "layers": layers,
        })  # fmt: skip
    return {"topology": work.name, "pe": f"{rows}x{columns}", "hfn_cpu_s": hfn, "runs": runs}


def _own_seconds(work: Topology, rows: int, columns: int) -> float | None:
    """Processor seconds of this core's estimate of the same work; None for other arrays' shapes."""
    try:
        config = Config(rows=rows, columns=columns)
        estimate_topology(work, config)
    except HfnError:
        return None
    rounds, began = 0, time.process_time()
    while (spent := time.process_time() - began) < SPEND:
        estimate_topology(work, config)
        rounds += 1
    return spent / rounds


def text(result: dict) -> str:
    """`measure` as tables."""
    lines, hfn = [], result["hfn_cpu_s"]
    for part in result["runs"]:
        lines.append(f"{part['dataflow'] + ' on ' + result['pe']:28}{'SCALE-Sim cycles':>18}"
                     f"{'closed form':>14}")  # fmt: skip
        lines += [f"{row['name']:28}{row['scalesim_cycles']:18,}{row['ours_cycles']:14,}"
                  for row in part["layers"]]  # fmt: skip
        lines += [f"{'equal' if part['equal'] else 'NOT EQUAL'}; {part['scalesim_cpu_s']:.2f} s "
                  f"against {part['ours_cpu_s'] * 1e6:.0f} us of processor time: "
                  f"{part['ratio']:,.0f} times"]  # fmt: skip
        if hfn is not None:
            lines.append(f"this core's own estimate of it: {hfn * 1e6:.0f} us, "
                         f"{part['hfn_ratio']:,.0f} times")  # fmt: skip
        lines.append("")
    return "\n".join(lines[:-1])


def main():
    p = parser("bench_scalesim", "SCALE-Sim and its closed form on the same topology, in one run.")
    p.add_argument("--scalesim", metavar="PYTHON", required=True,
                   help="Python interpreter with SCALE-Sim 3")  # fmt: skip
    p.add_argument("--topology", metavar="F.csv",
                   help="default: three layers of ResNet-18's last stage")  # fmt: skip
    p.add_argument("--pe", metavar="RxC", default="32x32", help="array (default %(default)s)")
    add_json(p)
    args = p.parse_args()
    work = topology.read(args.topology) if args.topology else default_topology()
    result = measure(args.scalesim, work, *scalesim.array_shape(args.pe))
    if args.json != "-":
        print(text(result))
    if args.json:
        write_json(args.json, result)


if __name__ == "__main__":
    run(main)
