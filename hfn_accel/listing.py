"""Programs for human readers: the listing, and the field tables of docs/program.md."""

from .config import Config
from .functional import count_bytes, macs
from .program import CRC_BYTES, DESCRIPTOR_BYTES, FIELDS, PARAMETER_BYTES, Opcode, Program
from .shape import LayerShape

_SIGNS = ("", ", signs with exceptions", ", explicit signs")


def listing(program: Program) -> str:
    """One line a descriptor, then what the program needs and moves; ends with a newline.

    Everything but layer names and remarks, which are the compiler's notes, comes from the image.
    """
    h = program.header
    bus = 1 << h["log2_bus_bytes"]
    config = Config(rows=1 << h["log2_rows"], columns=1 << h["log2_columns"],
                    axi_data_width=8 * bus)  # fmt: skip
    lines = [f"program for a {config.name} array, {8 * bus}-bit bus, {h['image_bytes']} bytes, "
             f"{h['batch']} images a run"]  # fmt: skip
    stored, parameters, again = {}, set(), 0
    notes = program.notes or ("",) * h["descriptors"]
    texts = {Opcode.IMAGE: _image, Opcode.LOAD: _transfer, Opcode.STORE: _transfer,
             Opcode.POOL: _pool}  # fmt: skip
    for index, ((opcode, f), note) in enumerate(zip(program.descriptors, notes, strict=True)):
        name, _, remark = note.partition(":")
        if opcode in texts:
            text = texts[opcode](f)
        elif opcode == Opcode.CONV:
            text = _conv(f, LayerShape.of(h, f), bus)
            stored[f["mask_address"]] = f["mask_beats"] * bus
            again += f["mask_beats"] * bus * (1 - f["fetch_mask"])
            if not f["raw"]:
                first = f["parameter_address"]
                parameters |= set(range(first, first + f["out_channels"] * PARAMETER_BYTES,
                                        PARAMETER_BYTES))  # fmt: skip
        else:
            name, text, remark = "", note, ""
        lines.append(f"{index:4} {opcode.name:5} {name:<24} {text} {remark}".rstrip())
    moved = count_bytes(program, config)
    lines += [
        f"needs: {h['bank_words']} words a bank, {h['mask_words']} mask beats, "
        f"{h['psum_depth']} partial sums, {h['parameter_channels']} parameter channels, "
        f"{h['result_words']} results, {h['accumulator_bits']}-bit accumulators, "
        f"{h['workspace_bytes']} bytes of workspace",
        f"stored bytes: {h['descriptors'] * DESCRIPTOR_BYTES} descriptors, "
        f"{sum(stored.values())} masks, {len(parameters) * PARAMETER_BYTES} parameters",
        f"moved bytes a run: {moved['descriptor']} descriptors, {moved['mask']} masks "
        f"({again} more stay on chip), {moved['weight']} explicit weights, "
        f"{moved['parameter']} parameters, {moved['activation_read']} activations in, "
        f"{moved['activation_write']} out",
        f"multiply-accumulates a run: {macs(program)}",
    ]
    return "\n".join(lines) + "\n"


def _image(f: dict[str, int]) -> str:
    return (f"{f['rows']} rows of {f['width']} pixels of {f['channels']} channels, {f['taps']} "
            f"taps -> bank {f['bank']}")  # fmt: skip


def _transfer(f: dict[str, int]) -> str:
    arrow = "->" if f["opcode"] == Opcode.LOAD else "<-"
    return f"{f['groups']} groups of {f['beats']} beats at {f['address']} {arrow} bank {f['bank']}"


def _pool(f: dict[str, int]) -> str:
    return (f"{f['in_height']}x{f['in_width']}:{f['bits']} -> {f['out_height']}x{f['out_width']} "
            f"max {f['kernel']}x{f['kernel']}/{f['stride']}, bank {f['src_bank']}->"
            f"{f['dst_bank']}")  # fmt: skip


def _conv(f: dict[str, int], s: LayerShape, bus: int) -> str:
    """A CONV: shapes, tiles, strips, banks, mask."""
    source = f"{s.cin}x{s.in_height}x{s.in_width}:{s.in_bits}{'b' if f['bipolar'] else ''}"
    if f["raw"]:
        target, banks = f"{s.cout} logits", f"bank {f['src_bank']}"
    else:
        target = f"{s.cout}x{s.out_height}x{s.out_width}:{f['out_bits']}"
        banks = f"bank {f['src_bank']}->{f['dst_bank']}"
    if f["residual"]:
        banks += f" + {f['res_bank']}:{f['res_bits']}"
    kernel = "pool, 1x1" if s.pool else f"{s.kernel_height}x{s.kernel_width}/{f['stride']}"
    mode = f", {s.coats} coats" if s.coats > 1 else ""
    if f["pruned"] + f["locked"]:
        mode += f", {f['pruned']}/16 pruned, {f['locked']}/16 locked"
    mode += _SIGNS[f["signs"]]
    if f["code"] or f["sign_code"]:
        mode += f", code {f['code']}" + (f" and {f['sign_code']}" if f["sign_code"] else "")
    return (
        f"{source:>13} -> {target:<13} {kernel:<9} "
        f"tiles {s.in_tiles}x{s.out_tiles}, strips {f['strips']}, {banks:<15} "
        f"mask {f['mask_beats'] * bus} @{f['mask_base'] * bus}{mode};"
    )


def field_tables() -> str:
    """The descriptors' fields as Markdown, one table an opcode, from `program.FIELDS`."""
    text = []
    for opcode, fields in FIELDS.items():
        text += [f"### {opcode.name}", "", "| bits | field | meaning |", "|---|---|---|"]
        bit = 0
        for f in fields:
            text.append(f"| {bit + f.bits - 1}:{bit} | `{f.name}` | {f.doc} |")
            bit += f.bits
        end = 8 * DESCRIPTOR_BYTES
        text.append(f"| {end - 1}:{end - 8 * CRC_BYTES} | `crc32` | CRC-32 of the bytes before |")
        text.append("")
    return "\n".join(text)
