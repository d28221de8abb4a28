"""Legality of decoded descriptors: fields that agree with each other and stay within buffers."""

from .arithmetic import MAX_SHIFT
from .compiler import BANKS, REGION_ALIGNMENT, tile_beats
from .config import Config
from .errors import HfnError
from .images import PIXEL_BYTES
from .program import PARAMETER_BYTES, Opcode
from .shape import LayerShape
from .ticket import IMAGE_BITS


def check(descriptors: list[tuple[Opcode, dict[str, int]]], config: Config):
    """Raise HfnError, naming descriptor and field, for a program that means nothing."""
    codes = [code for code, _ in descriptors]
    if codes[:2] != [Opcode.BEGIN, Opcode.LOAD] or codes[-1] != Opcode.END or set(
        codes[2:-1]) != {Opcode.CONV}:  # fmt: skip
        raise HfnError("illegal program: it must be BEGIN, LOAD, CONV..., END")
    header, load = descriptors[0][1], descriptors[1][1]
    _demand(1, load, _load(load, header, config))
    for index, (_, f) in enumerate(descriptors[2:-1], 2):
        # what the shape is made of, before it is used
        _demand(index, f, _ranges(f, config))
        shape = LayerShape.of(header, f)
        _demand(index, f, _shape(f, shape, header, config))
        _demand(index, f, {"raw": f["raw"] == (index == len(descriptors) - 2)})
        if not f["raw"]:
            _demand(index, f, _output(f, shape, header, config))
        if f["residual"]:
            _demand(index, f, _residual(f, shape, header, config))
    first = descriptors[2][1]
    _demand(1, load, {"pixels": load["pixels"] == first["in_height"] * first["in_width"]})
    _demand(0, header, {
        "input_bytes": header["input_bytes"] == -(-load["pixels"] * PIXEL_BYTES
                                                  // config.bus_bytes) * config.bus_bytes,
        "output_bytes": header["output_bytes"] == 4 * shape.cout,
        "result_words": header["result_words"] >= shape.cout,
    })  # fmt: skip


def _demand(index: int, fields: dict[str, int], good: dict[str, bool]):
    for name, ok in good.items():
        if not ok:
            raise HfnError(f"illegal program: descriptor {index}: {name} must not be "
                           f"{fields[name]} there")  # fmt: skip


def _load(f, header, config: Config) -> dict[str, bool]:
    words = -(-f["channels"] // config.group) * f["pixels"] * IMAGE_BITS
    return {
        "dst_bank": f["dst_bank"] < BANKS,
        "channels": 1 <= f["channels"] <= PIXEL_BYTES,
        "granules": f["granules"] == -(-f["channels"] // config.columns),
        "group_stride": f["group_stride"] == f["pixels"] * IMAGE_BITS,
        "pixels": 1 <= f["pixels"] and words <= header["bank_words"],
    }


def _ranges(f, config: Config) -> dict[str, bool]:
    return {
        "kernel": f["kernel"] == 1 if f["pool"] else f["kernel"] >= 1,
        "stride": f["stride"] == 1 if f["pool"] else f["stride"] in (1, 2),
        "pad": f["pad"] == 0 or not f["pool"],
        "in_bits": 1 <= f["in_bits"] <= 8,
        "src_bank": f["src_bank"] < BANKS,
        "sign_state": f["sign_state"] != 0,
        "in_height": f["in_height"] >= 1,
        "in_width": f["in_width"] >= 1,
        "in_tiles": f["in_tiles"] >= 1,
        "last_rows": 1 <= f["last_rows"] <= config.rows,
        "out_channels": f["out_channels"] >= 1,
        "strips": f["strips"] >= 1,
        "strip_rows": f["strip_rows"] >= 1,
        "last_strip_rows": 1 <= f["last_strip_rows"] <= f["strip_rows"],
        "pool": f["pool"] == f["raw"],
    }


def _shape(f, s: LayerShape, header, config: Config) -> dict[str, bool]:
    groups = -(-s.cin // config.group)

    def out(size):
        return (size + 2 * f["pad"] - s.kernel) // f["stride"] + 1

    return {
        "out_tiles": f["out_tiles"] == s.out_tiles,
        "out_width": s.out_width == out(s.in_width) >= 1,
        "strips": s.out_height == out(s.in_height),
        "strip_rows": s.pool or f["strip_rows"] * f["out_width"] <= header["psum_depth"],
        "row_stride": f["row_stride"] == s.in_width * f["in_bits"],
        "in_group_stride": f["in_group_stride"] == s.in_height * f["row_stride"]
        and groups * f["in_group_stride"] <= header["bank_words"],
        "origin": f["origin"] == f["pad"] * (f["row_stride"] + f["in_bits"]),
        "strip_stride": f["strip_stride"] == f["strip_rows"] * f["stride"] * f["row_stride"],
        "mask_beats": f["mask_beats"] == s.out_tiles * tile_beats(s.fan_in, config),
        "mask_base": f["mask_base"] + f["mask_beats"] <= header["mask_words"],
        "mask_address": f["mask_address"] % REGION_ALIGNMENT == 0
        and f["mask_address"] + f["mask_beats"] * config.bus_bytes <= header["image_bytes"],
    }


def _output(f, s: LayerShape, header, config: Config) -> dict[str, bool]:
    groups = -(-s.cout // config.group)
    end = f["parameter_address"] + s.cout * PARAMETER_BYTES
    return {
        "out_channels": s.cout <= header["parameter_channels"],
        "dst_bank": f["dst_bank"] < BANKS and f["dst_bank"] != f["src_bank"],
        "shift": 1 <= f["shift"] <= MAX_SHIFT,
        "out_bits": 1 <= f["out_bits"] <= 8,
        "out_group_stride": f["out_group_stride"] == s.pixels * f["out_bits"]
        and groups * f["out_group_stride"] <= header["bank_words"],
        "parameter_address": f["parameter_address"] % REGION_ALIGNMENT == 0
        and end <= header["image_bytes"],
    }


def _residual(f, s: LayerShape, header, config: Config) -> dict[str, bool]:
    groups = -(-s.cout // config.group)
    return {
        "residual": not f["raw"],
        "res_bits": 1 <= f["res_bits"] <= 8,
        "res_bank": f["res_bank"] < BANKS and f["res_bank"] not in (f["src_bank"], f["dst_bank"]),
        "res_group_stride": f["res_group_stride"] == s.pixels * f["res_bits"]
        and groups * f["res_group_stride"] <= header["bank_words"],
    }
