import numpy as np
import pytest

from hfn_accel.check import check
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.functional import execute
from hfn_accel.modes import Mode
from hfn_accel.program import FIELDS, Opcode, Program
from tests.hfn_accel.descriptors import Builder, random_conv, rebuilt

CONFIG = Config(rows=4, columns=8, activation_bytes=2048, mask_bytes=4096, psum_depth=32,
                parameter_channels=64, result_words=64)  # fmt: skip
PICTURE = np.zeros((1, 6, 6, 3), np.uint8)


def everything() -> Program:
    """A legal program with every kind of descriptor: BEGIN, 1 IMAGE, 2 LOAD, 3 CONV with a
    residual, 4 POOL, 5 STORE, 6 CONV with coats and sign plane, 7 and 8 pooled CONVs, 9 END."""
    rng = np.random.default_rng(11)
    shape = {"cin": 12, "cout": 12, "kernel_height": 3, "kernel_width": 3, "stride": 1,
             "in_bits": 3, "out_bits": 2, "res_bits": 4, "height": 6, "width": 6}  # fmt: skip
    case = random_conv(rng, CONFIG, coded=False, **shape)
    coats = random_conv(rng, CONFIG, coded=False, mode=Mode(coats=2, signs=1), **shape)
    pooled = random_conv(rng, CONFIG, coded=False, raw=True, **shape)
    f, builder = case.fields, Builder(CONFIG)
    builder.add(Opcode.IMAGE, bank=0, channels=3, taps=3, stride=1, pad=1, rows=6, width=6,
                out_width=6, granules=2, base=3, group_stride=288)  # fmt: skip
    builder.add(Opcode.LOAD, bank=0, groups=2, beats=10, bank_stride=12, memory_stride=80)
    case.add_to(builder)
    builder.add(
        Opcode.POOL, wait_executed=1, src_bank=f["dst_bank"], dst_bank=f["src_bank"], bits=2,
        kernel=3, stride=2, pad_x=1, y_first=0xFFFF, in_height=6, in_width=6, out_height=3,
        out_width=3, granules=2, row_stride=12, src_base=26 - 14, in_group_stride=99,
        out_group_stride=18,
    )  # fmt: skip
    builder.add(Opcode.STORE, bank=1, wait_executed=2, groups=2, beats=4, bank_stride=5,
                memory_stride=32, address=512)  # fmt: skip
    coats.add_to(builder, wait_stored=1, wait_executed=2, hold_stored=1)
    pooled.add_to(builder, close=0)
    pooled.add_to(builder, open=0)
    return builder.program(workspace_bytes=1024, input_bytes=144, output_bytes=64, classes=12)


def test_everything_is_legal():
    program = everything()
    check(program.descriptors, CONFIG)
    execute(program, CONFIG, PICTURE)


@pytest.mark.parametrize(
    "index, change, name",
    [
        (0, {"batch": 0}, "batch"),
        (0, {"batch": 2}, "output_bytes"),
        (0, {"output_bytes": 47}, "output_bytes"),
        (0, {"classes": 0}, "classes"),
        (1, {"bank": 3}, "bank"),
        (1, {"channels": 5}, "channels"),
        (1, {"taps": 0}, "taps"),
        (1, {"stride": 3}, "stride"),
        (1, {"pad": 3}, "pad"),
        (1, {"granules": 1}, "granules"),
        (1, {"out_width": 9}, "out_width"),
        (1, {"rows": 7}, "address"),
        (1, {"address": 4}, "address"),
        (1, {"group_stride": 287}, "group_stride"),
        (1, {"base": 1 << 23}, "base"),
        (1, {"wait_executed": 1}, "wait_executed"),
        (2, {"bank": 3}, "bank"),
        (2, {"groups": 0}, "groups"),
        (2, {"beats": 0}, "beats"),
        (2, {"bank_beat": 250}, "bank_beat"),
        (2, {"bank_stride": 250}, "bank_beat"),
        (2, {"address": 4}, "address"),
        (2, {"address": 1024}, "address"),
        (2, {"memory_stride": 81}, "memory_stride"),
        (2, {"memory_stride": 960}, "address"),
        (5, {"address": 992}, "address"),
        (2, {"wait_stored": 1}, "wait_stored"),
        (3, {"src_bank": 3}, "src_bank"),
        (3, {"dst_bank": 3}, "dst_bank"),
        (3, {"res_bank": 3}, "res_bank"),
        (3, {"in_bits": 9}, "in_bits"),
        (3, {"in_bits": 0}, "in_bits"),
        (3, {"out_bits": 9}, "out_bits"),
        (3, {"res_bits": 0}, "res_bits"),
        (3, {"bipolar": 1}, "bipolar"),
        (3, {"shift": 0}, "shift"),
        (3, {"shift": 48}, "shift"),
        (3, {"kernel_height": 0}, "kernel_height"),
        (3, {"kernel_width": 2}, "fan_in"),
        (3, {"stride": 0}, "stride"),
        (3, {"stride_x": 3}, "stride_x"),
        (3, {"y_first": 6}, "y_first"),
        (3, {"y_first": 0xFFFD}, "y_first"),
        (3, {"pad_x": 3}, "pad_x"),
        (3, {"in_height": 0}, "in_height"),
        (3, {"in_width": 0}, "in_width"),
        (3, {"out_width": 0}, "out_width"),
        (3, {"out_width": 13}, "out_width"),
        (3, {"in_tiles": 0}, "in_tiles"),
        (3, {"last_rows": 5}, "last_rows"),
        (3, {"last_rows": 1}, "fan_in"),
        (3, {"fan_in": 107}, "fan_in"),
        (3, {"out_tiles": 1}, "out_tiles"),
        (3, {"out_channels": 0}, "out_channels"),
        (3, {"out_channels": 17}, "out_tiles"),
        (3, {"strips": 0}, "strips"),
        (3, {"last_strip_rows": 0}, "last_strip_rows"),
        (3, {"row_stride": 1}, "row_stride"),
        (3, {"src_base": 1 << 23}, "src_base"),
        (3, {"in_group_stride": 1 << 23}, "src_base"),
        (3, {"dst_base": 1 << 23}, "dst_base"),
        (3, {"out_group_stride": 1}, "out_group_stride"),
        (3, {"out_group_stride": 1 << 23}, "dst_base"),
        (3, {"res_base": 1 << 23}, "res_base"),
        (3, {"first_part": 1}, "first_part"),
        (3, {"raw": 1}, "pool"),
        (3, {"sign_state": 0}, "sign_state"),
        (3, {"signs": 3}, "signs"),
        (3, {"coats": 0}, "coats"),
        (3, {"coats": 2, "pruned": 1}, "coats"),
        (3, {"pruned": 9, "locked": 7}, "pruned"),
        (3, {"pruned": 1, "pattern_state": 0}, "pattern_state"),
        (3, {"pruned": 1, "code": 1}, "code"),
        (3, {"sign_code": 1}, "sign_code"),
        (3, {"mask_base": 1 << 19}, "mask_base"),
        (3, {"mask_beats": 1}, "mask_beats"),
        (3, {"mask_address": 64}, "mask_address"),
        (3, {"mask_address": 1 << 30}, "mask_address"),
        (3, {"mask_address": (1 << 13) + 4}, "mask_address"),
        (6, {"plane_beats": 1}, "plane_beats"),
        (6, {"plane_beats": 1 << 19}, "mask_base"),
        (3, {"parameter_base": 4}, "parameter_base"),
        (3, {"parameter_base": 56}, "parameter_base"),
        (3, {"parameter_address": 1 << 30}, "parameter_address"),
        (4, {"bits": 0}, "bits"),
        (4, {"kernel": 0}, "kernel"),
        (4, {"stride": 3}, "stride"),
        (4, {"granules": 0}, "granules"),
        (4, {"out_height": 0}, "out_height"),
        (4, {"out_height": 5}, "y_first"),
        (4, {"src_base": 1 << 23}, "src_base"),
        (4, {"dst_base": 1 << 23}, "dst_base"),
        (4, {"out_group_stride": 17}, "out_group_stride"),
        (4, {"wait_executed": 2}, "wait_executed"),
        (4, {"wait_executed": 0x4000}, "wait_executed"),
        (4, {"hold_stored": 1}, "hold_stored"),
        (7, {"residual": 1}, "residual"),
        (7, {"fetch_parameters": 1}, "fetch_parameters"),
        (7, {"parameter_address": 20}, "parameter_address"),
        (7, {"parameter_address": 24}, "parameter_address"),
        (7, {"open": 0}, "open"),
        (7, {"close": 1}, "8: open"),  # the next cannot go on
    ],
)  # fmt: skip
def test_refuses_descriptors_that_contradict_themselves(index, change, name):
    program = rebuilt(everything(), {index: change})
    where = name if ":" in name else f"{index}: {name}"
    with pytest.raises(HfnError, match=f"illegal program: descriptor {where} must not be"):
        check(program.descriptors, CONFIG)


def test_any_field_value_is_executed_or_refused():
    rng = np.random.default_rng(9)
    program, refused = everything(), 0
    for _ in range(400):
        index = int(rng.integers(1, 9))
        opcode, _ = program.descriptors[index]
        field = FIELDS[opcode][int(rng.integers(3, len(FIELDS[opcode])))]
        value = int.from_bytes(rng.bytes(8), "little") % (1 << field.bits)
        if rng.integers(2):
            value %= 8  # small values are more often legal
        try:
            execute(rebuilt(program, {index: {field.name: value}}), CONFIG, PICTURE)
        except HfnError:
            refused += 1
    assert 150 < refused < 350


def test_refuses_other_orders_of_descriptors():
    good = everything().descriptors
    for wrong in (good[1:], good[:-1], [*good, good[3]], [*good[:3], good[-1], *good[3:]],
                  [good[0], *good], []):  # fmt: skip
        with pytest.raises(HfnError, match="it must be BEGIN, ..., END"):
            check(wrong, CONFIG)
