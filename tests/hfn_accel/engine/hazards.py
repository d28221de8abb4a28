"""What may run at the same time under a program's tokens, and whether it gets in its own way.

Works from the descriptors and docs/architecture.md alone; shares nothing with the compiler. Fetches
come one after the other, so do executions, so do stores; whatever else no token orders may overlap.
"""

from dataclasses import dataclass, field

from hfn_accel.config import Config
from hfn_accel.program import Opcode

Intervals = list[tuple[int, int]]  # (first, end)


@dataclass
class Use:
    """What one descriptor touches. banks: bank -> words; the rest in units of its own."""

    index: int
    opcode: Opcode
    bank_reads: dict[int, Intervals] = field(default_factory=dict)
    bank_writes: dict[int, Intervals] = field(default_factory=dict)
    memory: Intervals = field(default_factory=list)  # bytes of the workspace
    buffers: dict[str, tuple[int, int]] = field(default_factory=dict)
    fetched: set[str] = field(default_factory=set)


def meet(a: Intervals, b: Intervals) -> bool:
    return any(x < v and u < y for x, y in a for u, v in b)


def spread(base: int, stride: int, count: int, size: int) -> Intervals:
    return [(base + g * stride, base + g * stride + size) for g in range(count)]


def use(index: int, opcode: Opcode, f: dict[str, int], config: Config) -> Use:
    """The parts of a descriptor's banks, buffers and memory."""
    u, group, columns = Use(index, opcode), config.group, config.columns
    parts = group // columns
    if opcode == Opcode.IMAGE:
        size = f["rows"] * f["out_width"] * 8
        groups = -(-f["taps"] * f["channels"] // group)
        u.bank_writes[f["bank"]] = spread(f["base"], f["group_stride"], groups, size)
    elif opcode in (Opcode.LOAD, Opcode.STORE):
        beat = config.axi_data_width // group
        inside = spread(f["bank_beat"] * beat, f["bank_stride"] * beat, f["groups"],
                        f["beats"] * beat)  # fmt: skip
        (u.bank_writes if opcode == Opcode.LOAD else u.bank_reads)[f["bank"]] = inside
        u.memory = spread(f["address"], f["memory_stride"], f["groups"],
                          f["beats"] * config.bus_bytes)  # fmt: skip
    elif opcode in (Opcode.CONV, Opcode.POOL):
        conv = opcode == Opcode.CONV
        kernel = f["kernel_height"] if conv else f["kernel"]
        rows = ((f["strips"] - 1) * f["strip_rows"] + f["last_strip_rows"] if conv
                else f["out_height"])  # fmt: skip
        bits = f["in_bits"] if conv else f["bits"]
        channels = (f["in_tiles"] - 1) * config.rows + f["last_rows"] if conv else (
            f["granules"] * columns)  # fmt: skip
        y = f["y_first"] - (f["y_first"] >> 15 << 16)
        first, end = max(0, y), min(f["in_height"], y + (rows - 1) * f["stride"] + kernel)
        zero = (f["src_base"] - y * f["row_stride"] + f["pad_x"] * bits) % (1 << 24)
        u.bank_reads[f["src_bank"]] = spread(
            zero + first * f["row_stride"], f["in_group_stride"], -(-channels // group),
            (end - first) * f["row_stride"])  # fmt: skip
        part, tiles = (f["first_part"], f["out_tiles"]) if conv else (0, f["granules"])
        groups, pixels = -(-(part + tiles) // parts), rows * f["out_width"]
        if not (conv and f["raw"]):
            out = f["out_bits"] if conv else bits
            u.bank_writes[f["dst_bank"]] = spread(f["dst_base"], f["out_group_stride"], groups,
                                                  pixels * out)  # fmt: skip
        if conv:
            planes = f["coats"] + (f["signs"] != 0)
            u.buffers["masks"] = f["mask_base"], f["mask_base"] + planes * f["plane_beats"]
            if f["fetch_mask"]:
                u.fetched.add("masks")
            if not f["raw"]:
                u.buffers["parameters"] = (f["parameter_base"],
                                           f["parameter_base"] + tiles * columns)  # fmt: skip
            if f["fetch_parameters"]:
                u.fetched.add("parameters")
            if f["residual"]:
                assert len({f["src_bank"], f["dst_bank"], f["res_bank"]}) == 3
                u.bank_reads[f["res_bank"]] = spread(
                    f["res_base"], f["res_group_stride"], groups,
                    pixels * f["res_bits"])  # fmt: skip
        assert not set(u.bank_reads) & set(u.bank_writes)
    return u


def fetch_against(new: Use, old: Use) -> str | None:
    """Why the fetch of a later descriptor must not overlap an earlier one's execution or store."""
    for bank, words in new.bank_writes.items() if new.opcode in (Opcode.IMAGE, Opcode.LOAD) else ():
        if bank in old.bank_writes:
            return f"write port of bank {bank}"
        if meet(words, old.bank_reads.get(bank, [])):
            return f"words of bank {bank} that are still read"
    if new.opcode == Opcode.LOAD and old.opcode == Opcode.STORE and meet(new.memory, old.memory):
        return "memory that is not yet stored"
    for name in new.fetched:
        if name in old.buffers and meet([new.buffers[name]], [old.buffers[name]]):
            return f"{name} that are in use"
    return None


def execution_against_store(new: Use, old: Use) -> str | None:
    for bank, words in old.bank_reads.items():
        if bank in new.bank_reads:
            return f"read port of bank {bank}"
        if meet(words, new.bank_writes.get(bank, [])):
            return f"words of bank {bank} that are not yet stored"
    return None


def conflicts(descriptors: list[tuple[Opcode, dict[str, int]]], config: Config) -> list[str]:
    """Every pair of jobs that may overlap and must not."""
    executed, stored = [], []  # uses so far
    waited = gone = held = 0
    found = []

    def unwrap(token: int, count: int) -> int:
        return count - ((count - token) & 0xFFFF)

    for index, (opcode, f) in enumerate(descriptors[1:], 1):
        new = use(index, opcode, f, config)
        waited = max(waited, unwrap(f["wait_executed"], len(executed)))
        gone = max(gone, unwrap(f["wait_stored"], len(stored)))
        held = max(held, gone)
        for old in executed[waited:] + stored[gone:]:
            if reason := fetch_against(new, old):
                found.append(f"fetch of {index} and {old.opcode.name} {old.index}: {reason}")
        if opcode in (Opcode.CONV, Opcode.POOL, Opcode.END):
            held = max(held, unwrap(f["hold_stored"], len(stored)))
        if opcode in (Opcode.CONV, Opcode.POOL):
            for old in stored[held:]:
                if reason := execution_against_store(new, old):
                    found.append(f"{opcode.name} {index} and STORE {old.index}: {reason}")
            executed.append(new)
        elif opcode == Opcode.STORE:
            stored.append(new)
        elif opcode == Opcode.END and held < len(stored):
            found.append("END before the last STORE")
    return found


def loose(descriptors: list[tuple[Opcode, dict[str, int]]], config: Config) -> list[str]:
    """Tokens that rise above all before them, though one less would do as well."""
    found, top = [], {"wait_executed": 0, "wait_stored": 0, "hold_stored": 0}
    for index, (opcode, f) in enumerate(descriptors[1:-1], 1):
        top["hold_stored"] = max(top["hold_stored"], f["wait_stored"])
        for name in top:
            if f[name] > top[name]:
                top[name] = f[name]
                less = list(descriptors)
                less[index] = opcode, f | {name: f[name] - 1}
                if name == "wait_stored" and less[index][1]["hold_stored"] >= f[name]:
                    less[index][1]["hold_stored"] = f[name] - 1
                if not conflicts(less, config):
                    found.append(f"{name} of {opcode.name} {index}")
    return found
