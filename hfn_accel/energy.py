"""Energy from cited tables: of a run, and of one weight that is regenerated or fetched.

Every price comes from rows of `data/energy_constants.csv` and `data/sram_cacti7.csv`, and every
result names them. Where tables disagree it is an interval. docs/energy.md has formulas and sources,
and what is left out.
"""

import math
from collections.abc import Callable, Iterable
from functools import cache

import numpy as np

from . import cli, huffman, sequence
from .arithmetic import BIAS_BITS, MAX_ACTIVATION_BITS, MULTIPLIER_BITS, SUM_BITS
from .config import Config
from .energy_tables import ADDERS, DRAMS, Energy, Prices, Sram, constants
from .errors import HfnError
from .estimator import CLASSES
from .files import write_json
from .program import BANKS, PARAMETER_BYTES
from .timing import TREE_LEVELS_A_STAGE
from .units import UNIT

WINDOW_BITS = 2 * 16 + huffman.MAX_LENGTH  # of the mask decoder: two words and the rest of a code
LOW_BITS = 17  # of an accumulator, that the first of the requantiser's two multipliers takes
POOL_GATES, POOL_REGISTERS = 15, 4  # a lane of MaxPool
FORMATS = {"ternary 1.6-bit": 1.6, "ternary 2-bit": 2, "dense 8-bit": 8, "dense float32": 32}
"""Bits of an explicit weight."""


# ---- what the RTL does in an event


def _each(function: Callable[[int], int], values) -> np.ndarray:
    """`function` of every value, called once for equal ones."""
    unique, where = np.unique(values, return_inverse=True)
    return np.array([function(int(v)) for v in unique])[where].reshape(np.shape(values))


@cache
def column_tree(rows: int) -> tuple[int, int, int]:
    """Full adders, other two-input gates and pipeline registers of the tree that counts the ones
    of a column of the array."""
    adders = gates = registers = level = 0
    while rows > 1:
        rows //= 2
        adders += rows * max(level - 1, 0)
        gates += rows * (5 if level else 2)  # a half adder and the two top digits
        level += 1
        if level % TREE_LEVELS_A_STAGE == 0 or rows == 1:
            registers += rows * (level + 1)
    return adders, gates, registers


@cache
def sign_gates(columns: int, bits: int = 1) -> int:
    """Two-input XORs that work in a step of the sign generator: the feedback's, and a tree over
    the taps of every column; with `bits` = 4 those of the frozen pattern's."""
    rows = [
        sequence.jump_rows((column << sequence.CHANNEL_LOG2) + (bit << sequence.PATTERN_LOG2))[-1]
        for bit in range(bits) for column in range(columns)
    ]  # fmt: skip
    return len(sequence.TAPS) - 1 + sum(row.bit_count() - 1 for row in rows)


def requantiser_registers(accumulator_bits):
    """Register bits that an activation passes: operands, products, sums, shifts, result."""
    return _each(_requantiser_registers, accumulator_bits)


def _requantiser_registers(a: int) -> int:
    operands = a + MAX_ACTIVATION_BITS + 2 * MULTIPLIER_BITS + BIAS_BITS
    wide = a > LOW_BITS + 1  # two multipliers, for the lowest bits and for the others
    low = (LOW_BITS if wide else a) + MULTIPLIER_BITS
    high = a - LOW_BITS + MULTIPLIER_BITS if wide else 0
    branch = MAX_ACTIVATION_BITS + MULTIPLIER_BITS
    sums = max(branch, high) + 1 + max(low, BIAS_BITS) + 1 + LOW_BITS
    largest = (1 << a - 1) + (1 << MAX_ACTIVATION_BITS) - 1 << MULTIPLIER_BITS - 1
    total = (largest + (1 << BIAS_BITS - 1)).bit_length() + 1
    shifts = 12 + 9 + 4  # what is left after each, two flags beside
    return (operands + low + high + branch + BIAS_BITS + sums + total + shifts
            + MAX_ACTIVATION_BITS)  # fmt: skip


def generate_row(p: Prices, columns, bits: int = 1) -> Energy:
    """A step of the LFSR, and what reads it: a row of C signs."""
    gates = _each(lambda c: sign_gates(c, bits), columns)
    return p.registers(sequence.BITS) + p.gates(gates)


def decode_unit(p: Prices, bus_bits) -> Energy:
    """A unit of a coded stream: the beat and the window, which two shifters serve, and a comparison
    and a sum for every length of a code."""
    lengths = huffman.MAX_LENGTH * (p.adder(huffman.MAX_LENGTH + 1) + p.adder(UNIT))
    return p.registers(WINDOW_BITS + bus_bits) + 2 * p.shifter(WINDOW_BITS) + lengths


def requantise(p: Prices, accumulator_bits, columns, units) -> Energy:
    """An activation on its way from the partial sums to the planes of the next layer."""
    queue = (accumulator_bits + 2 * MAX_ACTIVATION_BITS) * columns / units
    registers = requantiser_registers(accumulator_bits) + queue + MAX_ACTIVATION_BITS
    products = p.multiplier(accumulator_bits, MULTIPLIER_BITS)
    products += p.multiplier(MAX_ACTIVATION_BITS, MULTIPLIER_BITS)
    return products + 4 * p.adder(SUM_BITS) + p.shifter(SUM_BITS) + p.registers(registers)


def components(table: dict, dram=None, node=None, adders=None) -> dict[str, Energy]:
    """pJ of a run by component, one entry a point; docs/energy.md states each formula.

    table: columns of the design, of activity and of bytes moved, numbers or arrays. Where one of
    these is missing: `coats`, `pruned_sixteenths`, `locked_sixteenths`: one coat, nothing frozen;
    `mask_read_rows`: every row of weights is one read; `load_beats`, `store_beats`: all activations
    moved pass a bank; `clock_mhz`: no leakage. HfnError names any other. The rest as `Prices`.
    """

    def of(name: str, otherwise=None) -> np.ndarray:
        if name not in table and otherwise is None:
            raise HfnError(f"energy needs the column {name!r}")
        return np.asarray(table.get(name, otherwise))

    p = Prices(dram, node, adders)
    r, c, bus, accumulator = map(of, ("rows_lanes", "columns_channels", "bus_bits",
                                      "accumulator_bits"))  # fmt: skip
    u = np.minimum(of("requantisers"), c)
    bank = Sram(of("activation_bank_bytes"), bus)  # R and C are no wider
    mask = Sram(of("mask_buffer_bytes"), bus)
    psum = Sram(of("psum_depth_pixels") * c * accumulator / 8, c * accumulator)
    parameters = Sram(of("parameter_channels") * PARAMETER_BYTES,
                      np.maximum(bus, 8 * PARAMETER_BYTES * u))  # fmt: skip
    moved = {name: 8 * of(f"{name}_moved_bytes") for name in CLASSES}  # bits

    planes, rows, updates = of("array_planes"), of("tile_rows"), of("psum_updates")
    residual, pooled, beats = of("residual_words"), of("pool_words"), of("mask_write_beats")
    reads = of("mask_read_rows", rows)
    stored = of("store_beats", moved["activation_write"] / bus)
    loaded = of("load_beats", moved["activation_read"] / bus)
    value = np.log2(r) + 2 + MAX_ACTIVATION_BITS
    kept = np.minimum(value, accumulator)
    frozen = of("pruned_sixteenths", 0) + of("locked_sixteenths", 0) > 0
    coded = (of("coded") > 0) | frozen | (of("coats", 1) > 1) | (reads > rows)  # more: a sign plane
    decoded = beats * coded * bus / np.minimum(UNIT, c)  # units
    pattern = generate_row(p, c, sequence.PATTERN_BITS) + 2 * c * p.adder(sequence.PATTERN_BITS)

    levels = np.log2(r)
    adders, gates, registers = (_each(lambda n, i=i: column_tree(n)[i], r) for i in range(3))  # type: ignore[misc]
    column = adders * p.adder(1) + p.gates(2 * r + gates)
    column += p.adder(levels + 2) + p.registers(registers + levels + 2)
    weights = p.registers(9 + levels + 1) + p.adder(levels + 1)
    found = {f"{name}_transfer": p.bus(bits) for name, bits in moved.items()} | {
        "activation_banks": (planes + residual + pooled + stored) * p.read(bank)
        + (of("bank_write_words") + loaded) * p.write(bank),
        "mask_buffer": reads * p.read(mask) + (np.where(coded, 0, beats) + decoded) * p.write(mask),
        "partial_sums": updates * (p.read(psum) + p.write(psum) + c * p.adder(accumulator)
                                   + p.registers(c * (2 * value + 3 * accumulator))),
        "parameter_buffer": of("parameter_reads") / u * p.read(parameters)
        + moved["parameter"] / bus * p.write(parameters),
        "array": planes * (c * column + p.registers(2 * r)) + rows * c * weights,
        "accumulators": planes * c * (p.adder(kept) + p.registers(kept)),
        "sign_generation": rows * generate_row(p, c),
        "mask_decoding": decoded * decode_unit(p, bus) + beats * p.registers(bus)
        + beats * frozen * bus / c * pattern,
        "requantisation": of("requantised") * requantise(p, accumulator, c, u)
        + residual * p.registers(MAX_ACTIVATION_BITS * c),
        "pooling": pooled * (p.gates(POOL_GATES * c) + p.registers(POOL_REGISTERS * c)),
    }  # fmt: skip
    if "clock_mhz" in table:
        leaks = [(BANKS, bank), (1, mask), (1, psum), (1, parameters)]
        power = sum((n * p.sram(memory, "leak_mW") for n, memory in leaks), Energy())
        found["leakage"] = of("cycles") / of("clock_mhz") * 1e3 * power  # us * mW: nJ
    return found


def energy(table: dict, dram=None, node=None, adders=None) -> dict[str, np.ndarray]:
    """`energy_low_uj` and `energy_high_uj` of a run, and of every component the like, named
    `<component>_energy_low_uj`..., of which they are the sums. Arguments and errors: `components`.
    """
    parts = components(table, dram, node, adders)
    total = {"energy": sum(parts.values(), Energy())}
    named = total | {f"{name}_energy": part for name, part in parts.items()}
    return {f"{name}_{end}_uj": np.asarray(getattr(part, end)) / 1e6
            for name, part in named.items() for end in ("low", "high")}  # fmt: skip


# ---- regenerate against fetch


def coded_bits(density: float) -> float:
    """Expected bits a weight of a coded mask: the best table for bytes, or raw.

    HfnError for a density outside 0...1.
    """
    if not 0 < density < 1:
        raise HfnError(f"density must be between 0 and 1, not {density!r}")
    return min(1.0, *(table.mean_bits(density) / UNIT for table in huffman.TABLES.values()))


def weight_energy(config: Config, density: float = 0.3, dram=None, node=None,
                  adders=None) -> dict[str, np.ndarray]:  # fmt: skip
    """What it takes to bring one weight to the array once, by the way in which it is held.

    Columns: `weight`, `place` (where it comes from: "generated", "on chip", "off chip"),
    `off_chip_bits`, `energy_low_pj`, `energy_high_pj`, `tables` (the rows used). All weights lie in
    the mask buffer, packed, and are read in rows of C weights, each in whole words, as masks are in
    the RTL; what comes from off chip is written there and read once. Masks are of `density`. Other
    arguments and errors as of `components`.
    """
    p, c, bus = Prices(dram, node, adders), config.columns, config.axi_data_width
    buffer, unit = Sram(config.mask_bytes, bus), min(UNIT, c)

    def kept(bits):
        return math.ceil(bits * c / bus) / c * p.read(buffer)

    def fetched(bits):
        return kept(bits) + bits / bus * p.write(buffer) + p.bus(bits)

    sign = 1 / c * generate_row(p, c)
    bits = coded_bits(density) if unit == UNIT else 1
    coded = kept(1) + 1 / unit * (p.write(buffer) + decode_unit(p, bus)) + p.bus(bits)
    rows = [
        ("random sign, no mask", "generated", 0, sign),
        ("random sign and mask", "on chip", 0, sign + kept(1)),
        ("random sign and coded mask", "off chip", bits, sign + coded),
        ("random sign and raw mask", "off chip", 1, sign + fetched(1)),
    ]
    for name, bits in FORMATS.items():
        rows += [(name, "on chip", 0, kept(bits)), (name, "off chip", bits, fetched(bits))]
    names, places, off_chip, found = zip(*rows, strict=True)
    return {
        "weight": np.array(names),
        "place": np.array(places),
        "off_chip_bits": np.array(off_chip, float),
        "energy_low_pj": np.array([float(e.low) for e in found]),
        "energy_high_pj": np.array([float(e.high) for e in found]),
        "tables": np.array([sources(e.rows) for e in found]),
    }


def sources(rows: Iterable[str]) -> str:
    """Rows of tables as one text, each table named once."""
    tables: dict[str, list[str]] = {}
    for table, row in sorted(row.split(" ", 1) for row in rows):
        tables.setdefault(table, []).append(row)
    return "; ".join(f"{table}: {', '.join(found)}" for table, found in tables.items())


def _text(table: dict[str, np.ndarray]) -> str:
    """`weight_energy` and all constants, each figure with its source."""
    lines = [f"{'a weight held as':28}{'from':11}{'off-chip bits':>13}{'low pJ':>10}"
             f"{'high pJ':>10}"]  # fmt: skip
    notes: dict[str, int] = {}  # rows of tables: number
    for name, place, bits, low, high, rows in zip(*table.values(), strict=True):
        note = notes.setdefault(rows, len(notes) + 1)
        lines.append(f"{name:28}{place:11}{bits:13.3f}{low:10.3f}{high:10.3f}  [{note}]")
    lines += ["", *(f"[{note}] {rows}" for rows, note in notes.items())]
    lines += ["", *(f"{c.item:14}{c.value:10g} {c.unit:7} {c.node or '-':12}{c.source}"
                    for c in constants().values())]  # fmt: skip
    return "\n".join(lines)


def main():
    p = cli.parser("energy", "Regenerating a weight against fetching it, from cited tables.")
    cli.add_config(p)
    p.add_argument("--density", type=float, default=0.3, help="of the coded mask (default 0.3)")
    p.add_argument("--dram", metavar="KIND", help=f"one of {', '.join(DRAMS)} (default: all)")
    p.add_argument("--node", type=int, metavar="NM", help="of the SRAM: 22 or 45 (default: both)")
    p.add_argument("--adders", metavar="TABLE", help=f"{' or '.join(ADDERS)} (default: both)")
    p.add_argument("--plot", metavar="F.png", help="also draw the weights' energies")
    cli.add_json(p)
    args = p.parse_args()
    config, tables = cli.config(args), (args.dram, args.node, args.adders)
    table = weight_energy(config, args.density, *tables)
    if args.json != "-":
        print(_text(table))
    if args.json:
        columns = [column.tolist() for column in table.values()]
        write_json(args.json, {
            "config": config.to_dict(), "density": args.density,
            "dram": args.dram, "node": args.node, "adders": args.adders,
            "weights": [dict(zip(table, row, strict=True)) for row in zip(*columns, strict=True)],
            "constants": [c._asdict() for c in constants().values()],
        })  # fmt: skip
    if args.plot:
        from . import energy_plots, plots  # matplotlib takes a second to import

        plots.save(energy_plots.regenerate_or_store(config, args.density), args.plot)


if __name__ == "__main__":
    cli.run(main)
