"""Fields of the descriptors that follow from a layer's shape and from where its operands lie."""

from ..codec import tile_beats
from ..config import Config
from ..errors import exceeded
from ..modes import Mode
from .steps import Map, Step

_WORDS = 1 << 24
_ROWS = 1 << 16


def image(m: Map, step: Step, config: Config, rows: tuple[int, int], bank, base, stride, address):
    """IMAGE of pixel rows (first, end) of an image at `address`."""
    conv = step.conv
    return {
        "bank": bank, "channels": conv.cin, "taps": conv.kernel, "stride": conv.stride,
        "pad": conv.pad, "address": address + rows[0] * m.memory_row, "width": m.height,
        "rows": rows[1] - rows[0], "out_width": m.width,
        "granules": -(-m.channels // config.columns), "base": base, "group_stride": stride,
    }  # fmt: skip


def transfer(m: Map, config: Config, rows: tuple[int, int], groups: tuple[int, int], bank, base,
             stride, address):  # fmt: skip
    """LOAD or STORE of a map's rows and groups (each first, end); `address`: of the image's map,
    `base`: word of the first row of the first group."""
    beats = m.beats(m.height)
    first = groups[0] * beats + rows[0] * m.memory_row // m.memory_beat
    return {
        "bank": bank, "address": address + first * config.bus_bytes,
        "bank_beat": base // m.beat_words, "groups": groups[1] - groups[0],
        "beats": m.beats(rows[1] - rows[0]), "bank_stride": stride // m.beat_words,
        "memory_stride": beats * config.bus_bytes,
    }  # fmt: skip


def source(m: Map, step: Step, in_height: int, stride: int, y_first: int, base, group_stride):
    """What CONV and POOL say of their source, whose row 0 in the bank is at word `base`.
    `y_first`: row of the first tap."""
    pad_x = 0 if m.image else step.pad
    return {
        "stride": stride, "pad_x": pad_x, "y_first": y_first % _ROWS, "in_height": in_height,
        "in_width": m.width, "row_stride": m.row_words, "in_group_stride": group_stride,
        "src_base": (base + y_first * m.row_words - pad_x * m.bits) % _WORDS,
    }  # fmt: skip


def pool(m: Map, step: Step, config: Config, rows: tuple[int, int]):
    return {
        "bits": m.bits, "kernel": step.kernel, "out_height": rows[1] - rows[0],
        "out_width": step.conv.map_size, "granules": -(-m.channels // config.columns),
    }  # fmt: skip


def conv(m: Map, step: Step, config: Config, rows: tuple[int, int], stride: int, first_tile: int,
         tiles: int, mode: Mode, codes: tuple[int, int]):  # fmt: skip
    """A CONV's weights, tiles and strips; `stride`: as in `source`. Raises HfnError if a row
    exceeds the partial sums."""
    layer, height = step.conv, rows[1] - rows[0]
    width = layer.out_size
    if layer.classifier:
        strip_rows = height  # all pixels add to one partial sum
    else:
        most = config.psum_depth // width
        if most == 0:
            raise exceeded(step.name, "partial sums", width, config.psum_depth, "psum_depth")
        strip_rows = -(-height // -(-height // most))
    strips = -(-height // strip_rows)
    in_tiles = -(-m.channels // config.rows)
    return {
        "in_bits": m.bits, "kernel_height": layer.kernel,
        "kernel_width": 1 if m.image else layer.kernel,
        "stride_x": 1 if m.image else layer.stride, "out_width": width,
        "in_tiles": in_tiles, "last_rows": m.channels - (in_tiles - 1) * config.rows,
        "out_tiles": tiles,
        "out_channels": min(tiles * config.columns, layer.cout - first_tile * config.columns),
        "strips": strips, "strip_rows": strip_rows,
        "last_strip_rows": height - (strips - 1) * strip_rows,
        "strip_stride": strip_rows * stride * m.row_words,
        "first_part": first_tile % (config.group // config.columns),
        "raw": int(layer.classifier), "pool": int(layer.classifier), "fan_in": layer.fan_in,
        "plane_beats": tiles * tile_beats(layer.fan_in, config),
        "coats": mode.coats, "signs": int(mode.signs), "pruned": mode.pruned,
        "locked": mode.locked, "code": codes[0], "sign_code": codes[1],
    }  # fmt: skip
