"""Programs for human readers: the listing, and the field tables of docs/program.md."""

from .program import DESCRIPTOR_BYTES, FIELDS, PARAMETER_BYTES, Opcode, Program
from .shape import LayerShape


def listing(program: Program) -> str:
    """One line a descriptor, then what the program needs and moves; ends with a newline.

    Everything but layer names and remarks, which are the compiler's notes, comes from the image.
    """
    h = program.header
    bus = 1 << h["log2_bus_bytes"]
    lines = [f"program for a {1 << h['log2_rows']}x{1 << h['log2_columns']} array, "
             f"{8 * bus}-bit bus, {h['image_bytes']} bytes"]  # fmt: skip
    fetched = stored = again = parameters = macs = 0
    seen = set()
    notes = program.notes or ("",) * h["descriptors"]
    for index, ((opcode, f), note) in enumerate(zip(program.descriptors, notes, strict=True)):
        name, _, remark = note.removeprefix("CONV ").partition(": ")
        if opcode == Opcode.LOAD:
            text = f"{f['pixels']} pixels of {f['channels']} channels -> bank {f['dst_bank']}"
        elif opcode == Opcode.CONV:
            text = _conv(name, f, LayerShape.of(h, f), bus) + (f"  {remark}" if remark else "")
            macs += LayerShape.of(h, f).macs
            size = f["mask_beats"] * bus
            fetched += size * f["fetch_mask"]
            again += size * (1 - f["fetch_mask"])
            stored += size * (f["mask_address"] not in seen)
            seen.add(f["mask_address"])
            parameters += 0 if f["raw"] else f["out_channels"] * PARAMETER_BYTES
        else:
            text = ""
        lines.append(f"{index:3} {opcode.name:5} {text}".rstrip())
    lines += [
        f"needs: {h['bank_words']} words a bank, {h['mask_words']} mask beats, "
        f"{h['psum_depth']} partial sums, {h['parameter_channels']} parameter channels, "
        f"{h['result_words']} results, {h['accumulator_bits']}-bit accumulators",
        f"stored bytes: {h['descriptors'] * DESCRIPTOR_BYTES} descriptors, {stored} masks, "
        f"{parameters} parameters",
        f"moved bytes an image: {fetched} masks ({again} more stay on chip), "
        f"{h['input_bytes']} input, {h['output_bytes']} output",
        f"multiply-accumulates an image: {macs}",
    ]
    return "\n".join(lines) + "\n"


def _conv(name: str, f: dict[str, int], s: LayerShape, bus: int) -> str:
    """A layer: shapes, tiles, strips, banks, mask."""
    source = f"{s.cin}x{s.in_height}x{s.in_width}:{s.in_bits}"
    if f["raw"]:
        target, banks = f"{s.cout} logits", f"bank {f['src_bank']}"
    else:
        target = f"{s.cout}x{s.out_height}x{s.out_width}:{f['out_bits']}"
        banks = f"bank {f['src_bank']}->{f['dst_bank']}"
    if f["residual"]:
        banks += f" + {f['res_bank']}:{f['res_bits']}"
    kernel = "pool, 1x1" if s.pool else f"{s.kernel}x{s.kernel}/{f['stride']}"
    return (
        f"{name:<24} {source:>13} -> {target:<13} {kernel:<9} "
        f"tiles {s.in_tiles}x{s.out_tiles}, strips {f['strips']}, {banks:<15} "
        f"mask {f['mask_beats'] * bus} @{f['mask_base'] * bus}"
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
        text.append("")
    return "\n".join(text)
