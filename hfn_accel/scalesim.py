"""SCALE-Sim's estimate of a topology in closed form, and estimators of the same work side by side.

SCALE-Sim 3 maps a layer onto an array of R x C positions in folds. With P output pixels, K products
of an output and N filters, a dataflow keeps an operand in place whose rows lie along the array's
rows and whose columns lie along its columns, and streams the third dimension, T, through it:

    dataflow  rows  columns  T  in place  from the left  down the columns
    ws        K     N        P  filter    ifmap          ofmap
    os        P     N        K  ofmap     ifmap          filter
    is        K     P        N  ifmap     filter         ofmap

A fold of the whole array, however little of it is mapped, takes T + R + C - 2 cycles from the first
word on the left to the last position's, and R before them to load an operand that is kept in place
(ws, is). The operand in place crosses the SRAM port once, the one from the left again for every
fold along the columns, the third for every fold along the rows. SCALE-Sim's `Total Cycles`, without
prefetch, is the number of the last cycle from 0 on, hence - 1. It adds R + C to the writes of every
fold of os, which no word belongs to; so do the figures here. No stall ever occurs as long as it
calculates the bandwidth itself (`InterfaceBandwidth = CALC`).
Source: SCALE-Sim 3.0.0, `compute/systolic_compute_{ws,os,is}.py`; A. Samajdar et al., ISPASS 2020.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from .errors import HfnError
from .topology import Layer, Topology

MAX_SIDE = 1 << 16  # rows or columns of an array
# dataflow -> (dimensions along rows, columns and time; tensors in place, from the left, down)
DATAFLOWS = {
    "ws": (("fan_in", "filters", "pixels"), ("filter", "ifmap", "ofmap")),
    "os": (("pixels", "filters", "fan_in"), ("ofmap", "ifmap", "filter")),
    "is": (("fan_in", "pixels", "filters"), ("ifmap", "filter", "ofmap")),
}
TENSORS = ("ifmap", "filter", "ofmap")
MODELS = {f"scalesim-{dataflow}": dataflow for dataflow in DATAFLOWS}  # --model -> dataflow


@dataclass(frozen=True)
class Mapping:
    """A layer on an array of rows x columns positions. Raises HfnError for what is no array."""

    layer: Layer
    rows: int
    columns: int
    dataflow: str

    def __post_init__(self):
        if self.dataflow not in DATAFLOWS:
            raise HfnError(f"dataflow must be {', '.join(DATAFLOWS)}, not {self.dataflow!r}")
        for name in ("rows", "columns"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= MAX_SIDE:
                raise HfnError(f"{name} must be an integer from 1 to {MAX_SIDE}, not {value!r}")

    @cached_property
    def dimensions(self) -> tuple[int, int, int]:
        """Along the array's rows, along its columns, and in time."""
        return tuple(getattr(self.layer, name) for name in DATAFLOWS[self.dataflow][0])

    @cached_property
    def folds(self) -> tuple[int, int]:
        """Along the rows, along the columns."""
        return -(-self.dimensions[0] // self.rows), -(-self.dimensions[1] // self.columns)

    @property
    def cycles(self) -> int:
        """`Total Cycles` of SCALE-Sim's COMPUTE_REPORT.csv."""
        load = 0 if self.dataflow == "os" else self.rows
        fold = load + self.dimensions[2] + self.rows + self.columns - 2
        return self.folds[0] * self.folds[1] * fold - 1

    @property
    def sram_words(self) -> dict[str, int]:
        """Reads of ifmap and filter, writes of ofmap, by tensor, in SCALE-Sim's
        DETAILED_ACCESS_REPORT.csv."""
        along_rows, along_columns, time = self.dimensions
        row_folds, column_folds = self.folds
        counts = (along_rows * along_columns, along_rows * time * column_folds,
                  time * along_columns * row_folds)  # fmt: skip
        words = dict(zip(DATAFLOWS[self.dataflow][1], counts, strict=True))
        if self.dataflow == "os":
            words["ofmap"] += (self.rows + self.columns) * row_folds * column_folds
        return words

    @property
    def mapping_ratio(self) -> float:
        """Mean share of the array's positions that a fold uses: `Mapping Efficiency`."""
        along_rows, along_columns, _ = self.dimensions
        positions = self.folds[0] * self.rows * self.folds[1] * self.columns
        return along_rows * along_columns / positions


def cycles(layer: Layer, rows: int, columns: int, dataflow: str) -> int:
    """Cycles of a layer, as SCALE-Sim 3 counts them; `dataflow`: "ws", "os" or "is"."""
    return Mapping(layer, rows, columns, dataflow).cycles


def array_shape(pe: str) -> tuple[int, int]:
    """Rows and columns of `--pe RxC`; to SCALE-Sim they need be no powers of two."""
    match = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", pe)
    if not match:
        raise HfnError(f"--pe must be RxC such as 32x32, not {pe!r}")
    return int(match[1]), int(match[2])


def report(topology: Topology, rows: int, columns: int, dataflow: str) -> dict:
    """Everything that `text` prints, for JSON: figures of the run, and `layers`, a list of theirs.

    cycles (of the run `total_cycles`), macs, folds, `sram_*_words` as SCALE-Sim counts them,
    `compulsory_words`: every word that is needed moves once; `mapping_ratio`;
    `utilisation_ratio`: macs / (cycles * R * C), SCALE-Sim's `Overall Util`.
    """
    layers = [_figures(Mapping(layer, rows, columns, dataflow)) for layer in topology.layers]
    totals = {key: sum(layer[key] for layer in layers) for key in layers[0] if _adds_up(key)}
    spent = totals.pop("cycles")
    return {
        "model": f"scalesim-{dataflow}",
        "topology": topology.name,
        "pe": f"{rows}x{columns}",
        "total_cycles": spent,
        **totals,
        "utilisation_ratio": _utilisation(totals["macs"], spent, rows, columns),
        "layers": layers,
    }


def text(result: dict) -> str:
    """`report` as a table."""
    lines = [f"{'layer':28}{'MACs':>15}{'folds':>9}{'cycles':>13}{'util.':>8}{'mapped':>8}"
             f"{'ifmap read':>14}{'filter read':>14}{'ofmap written':>15}"]  # fmt: skip
    total = {"name": "total", "cycles": result["total_cycles"], **result}
    for row in [*result["layers"], total]:
        mapped = f"{row['mapping_ratio']:8.1%}" if "mapping_ratio" in row else " " * 8
        lines.append(
            f"{row['name']:28}{row['macs']:15,}{row['folds']:9,}{row['cycles']:13,}"
            f"{row['utilisation_ratio']:8.1%}{mapped}{row['sram_ifmap_words']:14,}"
            f"{row['sram_filter_words']:14,}{row['sram_ofmap_words']:15,}"
        )
    lines += ["", f"{result['total_cycles']:,} cycles of {result['topology']} by "
              f"{result['model']} on {result['pe']}; words are of the SRAM ports; "
              f"{result['compulsory_words']:,} words if each moves once"]  # fmt: skip
    return "\n".join(lines)


def compare(topology: Topology, rows: int, columns: int,
            ours: Callable[[Layer], tuple[int, int]]) -> dict:  # fmt: skip
    """The same work by several estimators, on arrays of rows x columns: for `compare_text`, JSON.

    ours: a layer's (cycles, bytes moved), or the `__getitem__` of a dict of them; an HfnError of it
    is kept as that layer's `reason`, and its figures are None, as then are their sums.
    `full_array_cycles`: all positions always busy.
    `compulsory_bytes`: every 8-bit word that is needed moves once, of ifmap (with the padding,
    which a topology does not tell from pixels), filter and ofmap. It bounds whoever fetches
    explicit weights: mask bits are fewer bytes.
    """
    layers = []
    for layer in topology.layers:
        ws, os = (Mapping(layer, rows, columns, dataflow) for dataflow in ("ws", "os"))
        try:
            (spent, moved), reason = ours(layer), ""
        except HfnError as error:
            spent, moved, reason = None, None, str(error)
        layers.append({
            "name": layer.name,
            "macs": layer.macs,
            "full_array_cycles": -(-layer.macs // (rows * columns)),
            "scalesim_ws_cycles": ws.cycles,
            "scalesim_os_cycles": os.cycles,
            "ours_cycles": spent,
            "compulsory_bytes": _compulsory_words(layer),
            "ours_bytes": moved,
            "reason": reason,
        })  # fmt: skip
    totals = {key: _sum([layer[key] for layer in layers]) for key in layers[0]
              if key not in ("name", "reason")}  # fmt: skip
    return {"topology": topology.name, "pe": f"{rows}x{columns}", **totals, "layers": layers}


def compare_text(result: dict) -> str:
    """`compare` as a table."""
    keys = ("macs", "full_array_cycles", "scalesim_ws_cycles", "scalesim_os_cycles",
            "ours_cycles", "compulsory_bytes", "ours_bytes")  # fmt: skip
    lines = [f"{'layer':28}" + "".join(f"{key.replace('_', ' '):>20}" for key in keys)]
    for row in [*result["layers"], {**result, "name": "total", "reason": ""}]:
        cells = ("-" if row[key] is None else f"{row[key]:,}" for key in keys)
        lines.append(f"{row['name']:28}" + "".join(f"{cell:>20}" for cell in cells))
    lines += [f"{row['name']}: {row['reason']}" for row in result["layers"] if row["reason"]]
    return "\n".join(lines)


def _figures(mapping: Mapping) -> dict:
    layer, spent = mapping.layer, mapping.cycles
    words = mapping.sram_words
    return {
        "name": layer.name,
        "cycles": spent,
        "macs": layer.macs,
        "folds": mapping.folds[0] * mapping.folds[1],
        **{f"sram_{tensor}_words": words[tensor] for tensor in TENSORS},
        "compulsory_words": _compulsory_words(layer),
        "mapping_ratio": mapping.mapping_ratio,
        "utilisation_ratio": _utilisation(layer.macs, spent, mapping.rows, mapping.columns),
    }


def _adds_up(key: str) -> bool:
    return key != "name" and not key.endswith("_ratio")


def _utilisation(macs: int, spent: int, rows: int, columns: int) -> float:
    """Of one product on one position SCALE-Sim counts no cycle, and divides by zero: 1 here."""
    return macs / (max(spent, 1) * rows * columns)


def _compulsory_words(layer: Layer) -> int:
    return layer.ifmap_words + layer.filter_words + layer.ofmap_words


def _sum(values: list) -> int | None:
    return None if None in values else sum(values)
