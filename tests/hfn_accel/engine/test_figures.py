"""What descriptors move and do, against walks and against the models of the RTL's blocks."""

from collections import Counter
from itertools import product
from random import Random

import pytest

from hfn_accel.config import Config
from hfn_accel.engine.figures import FIGURE, figures
from hfn_accel.engine.records import Design, jobs
from hfn_accel.program import Opcode, Signs
from rtl.loader import load_image
from rtl.max_pool import max_pool
from rtl.tile_filler import tile_rows


def counted(opcode: Opcode, fields: dict, config: Config) -> dict[str, int]:
    """Figures of one descriptor, without zeros and what every descriptor has."""
    (row,) = figures(jobs([(opcode, fields)]), Design.of(config, 1))
    found = {name: int(row[name]) for name in FIGURE.names if row[name]}
    assert found.pop("descriptors") == 1 and found.pop("descriptor_moved_bytes") == 112
    return found


def random_conv(rng: Random, config: Config) -> dict[str, int]:
    draw = rng.randint
    f = {
        "in_bits": draw(1, 8), "out_bits": draw(1, 8), "res_bits": draw(1, 8), "raw": draw(0, 1),
        "close": draw(0, 1), "coats": draw(1, 3), "signs": draw(0, 2), "kernel_height": draw(1, 3),
        "kernel_width": draw(1, 3), "in_tiles": draw(1, 3), "last_rows": draw(1, config.rows),
        "strips": draw(1, 3), "strip_rows": draw(2, 4), "last_strip_rows": draw(1, 2),
        "out_width": draw(1, 6), "out_channels": draw(1, 3 * config.columns),
        "mask_base": draw(0, 9), "mask_beats": draw(1, 99), "fetch_mask": draw(0, 1),
    }  # fmt: skip
    f["pool"], f["residual"] = f["raw"], draw(0, 1) * (1 - f["raw"])
    f["fetch_parameters"] = draw(0, 1) * (1 - f["raw"])
    f["out_tiles"] = -(-f["out_channels"] // config.columns)
    channels = (f["in_tiles"] - 1) * config.rows + f["last_rows"]
    f["fan_in"] = f["kernel_height"] * f["kernel_width"] * channels
    beat_rows = config.axi_data_width // config.columns
    f["plane_beats"] = f["out_tiles"] * -(-f["fan_in"] // beat_rows)
    return f


def walk(f: dict, config: Config) -> Counter:
    """A CONV, loop by loop as docs/architecture.md has it, and what it transfers."""
    n = Counter()
    for tile in tile_rows(config, f):
        n["tile_rows"] += len(tile)
        n["mask_read_rows"] += sum(1 + (sign is not None) for *_, sign in tile)
    outputs = 0
    for _, strip in product(range(f["out_tiles"]), range(f["strips"])):
        rows = f["strip_rows"] if strip < f["strips"] - 1 else f["last_strip_rows"]
        pixels = rows * f["out_width"]
        outputs += pixels
        for _ in product(range(f["coats"]), range(f["kernel_height"]), range(f["kernel_width"]),
                         range(f["in_tiles"])):  # fmt: skip
            n["psum_updates"] += pixels
            n["array_planes"] += pixels * f["in_bits"]
    bus = config.bus_bytes
    if f["raw"]:
        n["activation_write_moved_bytes"] = 4 * f["out_channels"] * f["close"]
        sums = f["close"]
    else:
        n["requantised"] = n["parameter_reads"] = outputs * config.columns
        n["residual_words"] = outputs * f["res_bits"] * f["residual"]
        n["bank_write_words"] = outputs * f["out_bits"]
        sums = outputs // f["out_tiles"]
    n["macs"] = f["fan_in"] * f["out_channels"] * sums
    n["work"] = n["macs"] * f["in_bits"] * f["coats"]
    if f["fetch_mask"]:
        kind = "weight" if f["signs"] == Signs.EXPLICIT else "mask"
        n[f"{kind}_moved_bytes"] = f["mask_beats"] * bus
        n["mask_write_beats"] = f["plane_beats"] * (f["coats"] + (f["signs"] != Signs.SEQUENCE))
    if f["fetch_parameters"]:
        n["parameter_moved_bytes"] = -(-8 * f["out_channels"] // bus) * bus
    return +n


@pytest.mark.parametrize("seed", range(100))
def test_conv_equals_walk(seed):
    rng = Random(seed)
    config = Config(rows=1 << rng.randint(0, 5), columns=1 << rng.randint(0, 5),
                    axi_data_width=rng.choice((64, 128)))  # fmt: skip
    f = random_conv(rng, config)
    assert counted(Opcode.CONV, f, config) == walk(f, config)


@pytest.mark.parametrize("seed", range(20))
def test_image_and_pool_write_what_the_blocks_do(seed):
    rng = Random(seed)
    config = Config(rows=1 << rng.randint(0, 4), columns=1 << rng.randint(0, 4))
    draw = rng.randint
    image = {
        "channels": draw(1, 4), "taps": draw(1, 7), "stride": draw(1, 2), "pad": draw(0, 3),
        "width": draw(1, 9), "rows": draw(1, 4), "out_width": draw(1, 6), "base": 0,
        "group_stride": 500,
    }  # fmt: skip
    image["granules"] = -(-image["taps"] * image["channels"] // config.columns)
    pixels = [bytes(4)] * (image["width"] * image["rows"])
    assert counted(Opcode.IMAGE, image, config) == {
        "activation_read_moved_bytes": -(-len(pixels) // 2) * 8,
        "bank_write_words": len(load_image(config, pixels, image)),
    }
    pool = {
        "bits": draw(1, 8), "kernel": draw(1, 3), "stride": draw(1, 2), "pad_x": 0, "y_first": 0,
        "in_height": 9, "in_width": 9, "out_height": draw(1, 4), "out_width": draw(1, 4),
        "granules": draw(1, 5), "row_stride": 0, "src_base": 0, "in_group_stride": 0,
        "dst_base": 0, "out_group_stride": 500,
    }  # fmt: skip
    written = len(max_pool(config, [0] * (config.bank_words * 16), pool))
    read = written * pool["kernel"] ** 2
    assert counted(Opcode.POOL, pool, config) == {"bank_write_words": written, "pool_words": read}


def test_transfers_and_needs():
    config, moved = Config(rows=8, columns=16, axi_data_width=128), {"groups": 3, "beats": 7}
    assert counted(Opcode.LOAD, moved, config) == {
        "activation_read_moved_bytes": 3 * 7 * 16, "load_beats": 21,
    }  # fmt: skip
    assert counted(Opcode.STORE, moved, config) == {
        "activation_write_moved_bytes": 3 * 7 * 16, "store_beats": 21,
    }  # fmt: skip
    assert counted(Opcode.END, {}, config) == {}
    begin = {"bank_words": 101, "mask_words": 9, "psum_depth": 33, "parameter_channels": 16,
             "result_words": 32}  # fmt: skip
    assert counted(Opcode.BEGIN, begin, config) == {
        "bank_used_bytes": 202, "mask_used_bytes": 9 * 16, "psum_used_pixels": 33,
        "parameter_used_channels": 16, "result_used_words": 32,
    }  # fmt: skip
