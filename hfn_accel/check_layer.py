"""Legality of a CONV and of a POOL; see check.py."""

from . import codec
from .arithmetic import MAX_ACTIVATION_BITS, MAX_SHIFT
from .config import Config
from .errors import HfnError
from .images import LOGIT_BYTES
from .modes import FROZEN_PARTS, MAX_COATS
from .program import BANKS, DESCRIPTOR_BYTES, PARAMETER_BYTES, Opcode, Signs
from .sequence import MAX_FAN_IN, MAX_PATTERN_FAN_IN
from .shape import LayerShape, Window, mode, plane_beats


def demand(index: int, fields: dict[str, int], good: dict[str, bool]):
    """Raise HfnError for the first field of descriptor `index` that is not good."""
    for name, ok in good.items():
        if not ok:
            raise HfnError(f"illegal program: descriptor {index}: {name} must not be "
                           f"{fields[name]} there")  # fmt: skip


def pool(index: int, f: dict[str, int], header: dict[str, int], config: Config):
    """Raise HfnError for a POOL that is not legal."""
    demand(index, f, {
        "bits": 1 <= f["bits"] <= MAX_ACTIVATION_BITS,
        "kernel": f["kernel"] >= 1,
        "stride": f["stride"] in (1, 2),
        "out_height": f["out_height"] >= 1,
        "granules": f["granules"] >= 1,
    })  # fmt: skip
    window = Window.of(Opcode.POOL, f)
    demand(index, f, _window(window))
    demand(index, f, _source(f, window, f["granules"] * config.columns, header, config))
    demand(index, f, _output(f, window, 0, f["granules"], f["bits"], header, config))


def conv(index: int, f: dict[str, int], header: dict[str, int], config: Config):
    """Raise HfnError for a CONV that is not legal."""
    demand(index, f, _ranges(f, config))
    window, shape = Window.of(Opcode.CONV, f), LayerShape.of(header, f)
    demand(index, f, _window(window))
    demand(index, f, _shape(f, shape, header))
    demand(index, f, _source(f, window, shape.cin, header, config))
    demand(index, f, _mode(f, config))
    demand(index, f, _masks(f, header, config))
    if f["raw"]:
        demand(index, f, _results(f, header, config))
        return
    demand(index, f, {
        "shift": 1 <= f["shift"] <= MAX_SHIFT,
        "out_bits": 1 <= f["out_bits"] <= MAX_ACTIVATION_BITS,
        "first_part": f["first_part"] < config.group // config.columns,
    })  # fmt: skip
    part, tiles = f["first_part"], f["out_tiles"]
    demand(index, f, _output(f, window, part, tiles, f["out_bits"], header, config))
    demand(index, f, _parameters(f, header, config))
    if f["residual"]:
        demand(index, f, _residual(f, window, header, config))


def _window(w: Window) -> dict[str, bool]:
    """Rows and columns of the map are read, by the last output pixel's first tap too."""
    last_row = w.y_first + (w.out_height - 1) * w.stride
    last_column = w.x_first + (w.out_width - 1) * w.stride_x
    return {
        "in_height": w.in_height >= 1,
        "in_width": w.in_width >= 1,
        "y_first": -w.kernel_height < w.y_first and last_row < w.in_height,
        "pad_x": -w.kernel_width < w.x_first,
        "out_width": w.out_width >= 1 and last_column < w.in_width,
        "row_stride": len(w.rows) == 1 or w.row_stride >= len(w.columns) * w.bits,
    }


def _source(f, window: Window, channels: int, header, config: Config) -> dict[str, bool]:
    groups = -(-channels // config.group)
    end = window.first_word + (groups - 1) * f["in_group_stride"] + window.size
    return {
        "src_bank": f["src_bank"] < BANKS,
        "src_base": end <= header["bank_words"],
    }


def _tiles_end(f, prefix: str, stride: str, part: int, tiles: int, size: int, config: Config):
    """The word behind the last group of `size` words in which column tiles lie."""
    groups = -(-(part + tiles) // (config.group // config.columns))
    return f[prefix] + (groups - 1) * f[stride] + size


def _output(f, window: Window, part, tiles, bits, header, config: Config) -> dict[str, bool]:
    size = window.out_height * window.out_width * bits
    end = _tiles_end(f, "dst_base", "out_group_stride", part, tiles, size, config)
    return {
        "dst_bank": f["dst_bank"] < BANKS and f["dst_bank"] != f["src_bank"],
        "out_group_stride": part + tiles <= config.group // config.columns
        or f["out_group_stride"] >= size,
        "dst_base": end <= header["bank_words"],
    }


def _residual(f, window: Window, header, config: Config) -> dict[str, bool]:
    size = window.out_height * window.out_width * f["res_bits"]
    end = _tiles_end(f, "res_base", "res_group_stride", f["first_part"], f["out_tiles"], size,
                     config)  # fmt: skip
    return {
        "res_bits": 1 <= f["res_bits"] <= MAX_ACTIVATION_BITS,
        "res_bank": f["res_bank"] < BANKS and f["res_bank"] not in (f["src_bank"], f["dst_bank"]),
        "res_base": end <= header["bank_words"],
    }


def _ranges(f, config: Config) -> dict[str, bool]:
    return {
        "kernel_height": f["kernel_height"] >= 1,
        "kernel_width": f["kernel_width"] >= 1,
        "stride": f["stride"] in (1, 2),
        "stride_x": f["stride_x"] in (1, 2),
        "in_bits": 1 <= f["in_bits"] <= MAX_ACTIVATION_BITS,
        "bipolar": not f["bipolar"] or f["in_bits"] == 1,
        "in_tiles": f["in_tiles"] >= 1,
        "last_rows": 1 <= f["last_rows"] <= config.rows,
        "out_channels": f["out_channels"] >= 1,
        "strips": f["strips"] >= 1,
        "strip_rows": f["strip_rows"] >= 1,
        "last_strip_rows": 1 <= f["last_strip_rows"] <= f["strip_rows"],
        "pool": f["pool"] == f["raw"],
    }


def _shape(f, s: LayerShape, header) -> dict[str, bool]:
    psums = f["out_tiles"] if s.pool else f["strip_rows"] * f["out_width"]
    return {
        "out_tiles": f["out_tiles"] == s.out_tiles,
        "fan_in": f["fan_in"] == s.fan_in <= MAX_FAN_IN,
        "strip_rows": psums <= header["psum_depth"],
        "strip_stride": f["strips"] == 1
        or f["strip_stride"] == f["strip_rows"] * f["stride"] * f["row_stride"],
    }


def _mode(f, config: Config) -> dict[str, bool]:
    frozen = f["pruned"] + f["locked"]
    codes = len(codec.TABLES) if config.columns >= 8 else 0  # tables code whole bytes of a row
    return {
        "signs": f["signs"] <= Signs.EXPLICIT,
        "coats": 1 <= f["coats"] <= (1 if frozen else MAX_COATS),
        "pruned": frozen < FROZEN_PARTS,
        "sign_state": f["sign_state"] != 0 or f["signs"] == Signs.EXPLICIT,
        "pattern_state": f["pattern_state"] != 0 or not frozen,
        "fan_in": not frozen or f["fan_in"] <= MAX_PATTERN_FAN_IN,
        "code": f["code"] <= (0 if frozen else codes),
        "sign_code": f["sign_code"] <= (codes if f["signs"] != Signs.SEQUENCE else 0),
    }


def _masks(f, header, config: Config) -> dict[str, bool]:
    beats, planes = plane_beats(f, config), mode(f).planes
    end = f["mask_base"] + (planes - 1) * f["plane_beats"] + beats
    good = {
        "plane_beats": planes == 1 or f["plane_beats"] >= beats,
        "mask_base": end <= header["mask_words"],
    }
    if f["fetch_mask"]:
        size = f["mask_beats"] * config.bus_bytes
        plain = codec.is_plain(mode(f), f["code"])
        good |= {
            "mask_beats": f["mask_beats"] == beats if plain else f["mask_beats"] >= 1,
            "mask_address": _region(f["mask_address"], size, header, config),
        }
    return good


def _parameters(f, header, config: Config) -> dict[str, bool]:
    base, channels = f["parameter_base"], f["out_tiles"] * config.columns
    good = {
        "parameter_base": base % config.columns == 0
        and base * PARAMETER_BYTES % config.bus_bytes == 0
        and base + channels <= header["parameter_channels"],
    }
    if f["fetch_parameters"]:
        size = f["out_channels"] * PARAMETER_BYTES
        good["parameter_address"] = _region(f["parameter_address"], size, header, config)
    return good


def _region(address: int, size: int, header, config: Config) -> bool:
    """Whether bytes of the image lie behind the descriptors, from a whole beat on."""
    first = header["descriptors"] * DESCRIPTOR_BYTES
    end = address + size
    return address % config.bus_bytes == 0 and first <= address and end <= header["image_bytes"]


def _results(f, header, config: Config) -> dict[str, bool]:
    end = f["parameter_address"] + f["out_channels"] * LOGIT_BYTES
    return {
        "residual": not f["residual"],
        "fetch_parameters": not f["fetch_parameters"],
        "out_tiles": f["out_tiles"] * config.columns <= header["result_words"],
        "parameter_address": f["parameter_address"] % config.bus_bytes == 0
        and end <= header["output_bytes"],
    }
