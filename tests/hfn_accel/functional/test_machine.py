"""The functional simulator on programs made by hand: no compiler."""

import numpy as np
import pytest

from hfn_accel.config import Config
from hfn_accel.functional import execute, state_before
from hfn_accel.functional.convolve import convolve, fill
from hfn_accel.modes import Mode
from hfn_accel.program import Opcode, Signs
from hfn_accel.shape import Window
from tests.hfn_accel.descriptors import Builder, put, random_conv

IMAGES = np.zeros((1, 1, 1, 1), np.uint8)
SHAPES = [(1 << r, 1 << c) for r in range(7) for c in range(7)]
MODES = [
    Mode(), Mode(coats=3), Mode(coats=7), Mode(pruned=3, locked=5), Mode(pruned=15),
    Mode(signs=Signs.EXPLICIT), Mode(signs=Signs.EXCEPTIONS, coats=2),
    Mode(signs=Signs.EXPLICIT, locked=4), Mode(signs=Signs.EXCEPTIONS),
]  # fmt: skip


def configuration(rng, rows, columns) -> Config:
    return Config(rows=rows, columns=columns, axi_data_width=int(rng.choice([64, 128])),
                  psum_depth=64, activation_bytes=16384, mask_bytes=1 << 18,
                  result_words=256)  # fmt: skip


def surrounded(case, **changes):
    """LOADs of the banks, the CONV, a STORE of what it wrote; (program, workspace)."""
    builder, size = Builder(case.config), case.config.activation_bytes
    beats = size // case.config.bus_bytes
    for bank in range(3):
        builder.add(Opcode.LOAD, bank=bank, address=bank * size, groups=1, beats=beats)
    case.add_to(builder, **changes)
    builder.add(Opcode.STORE, bank=case.fields["dst_bank"], address=3 * size, groups=1,
                beats=beats, hold_stored=0)  # fmt: skip
    workspace = np.packbits(case.banks, bitorder="little")
    needs = {"workspace_bytes": 4 * size, "output_bytes": 4 * case.config.result_words,
             "classes": case.fields["out_channels"]}  # fmt: skip
    return builder.program(**needs), workspace


def assert_computed(case, seen: dict):
    program, workspace = surrounded(case)
    result = execute(program, case.config, IMAGES, workspace=workspace)
    if case.logits is not None:
        assert (result.logits[0] == case.logits).all() and not result.activations
        return
    assert (result.activations[0][0] == case.outputs).all()
    seen["differ"] += len(np.unique(case.outputs))
    machine = state_before(program, case.config, IMAGES, len(program.descriptors), workspace)
    stored = np.unpackbits(machine.workspace[0, len(workspace) :], bitorder="little")
    assert (stored == case.after)[case.lanes].all()


@pytest.mark.parametrize("seed", range(30))
def test_a_conv_of_any_geometry_shape_and_mode(seed):
    rng = np.random.default_rng(seed)
    seen = {"differ": 0}
    for mode in MODES:
        config = configuration(rng, *SHAPES[rng.integers(len(SHAPES))])
        options = {"raw": rng.random() < 0.2, "bipolar": rng.random() < 0.2}
        assert_computed(random_conv(rng, config, mode=mode, **options), seen)
    assert seen["differ"] > 10


def bank_after(program, config, bank, images=IMAGES, workspace=None, runs=0):
    """Bits of a bank at the end of a run."""
    end = len(program.descriptors)
    return state_before(program, config, images, end, workspace).banks.bits[bank][runs]


@pytest.mark.parametrize("seed", range(20))
def test_image_rows_with_taps_side_by_side(seed):
    rng = np.random.default_rng(seed)
    config = configuration(rng, *SHAPES[rng.integers(len(SHAPES))])
    channels, taps, stride = (int(rng.integers(1, high)) for high in (5, 8, 3))
    height, width = int(rng.integers(4, 9)), 4 * int(rng.integers(1, 4))
    pad = int(rng.integers(taps))
    out_width = (width - 1 + pad) // stride + 1
    first, batch, bank = int(rng.integers(height)), 3, int(rng.integers(3))
    base, gap = int(rng.integers(9)), int(rng.integers(9))
    rows = height - first
    pictures = rng.integers(0, 256, (batch, height, width, channels)).astype(np.uint8)
    stride_bytes = -(-height * width * 4 // 64) * 64
    builder = Builder(config)
    builder.add(
        Opcode.IMAGE, bank=bank, channels=channels, taps=taps, stride=stride, pad=pad, rows=rows,
        width=width, address=2 * stride_bytes + first * width * 4, out_width=out_width, base=base,
        granules=-(-taps * channels // config.columns), group_stride=rows * out_width * 8 + gap,
    )  # fmt: skip
    program = builder.program(batch=batch, input_bytes=3 * stride_bytes, output_bytes=256)
    values = np.zeros((rows, out_width, taps * channels), np.uint8)
    for y, x, t, c in np.ndindex(rows, out_width, taps, channels):
        at = x * stride + t - pad
        if 0 <= at < width:
            values[y, x, t * channels + c] = pictures[2, first + y, at, c]
    want = np.zeros(config.activation_bytes * 8, np.uint8)
    put(want, config.group, values, 8, base, out_width * 8, rows * out_width * 8 + gap)
    assert (bank_after(program, config, bank, pictures) == want).all() and want.any()


@pytest.mark.parametrize("seed", range(20))
def test_max_pool_of_any_geometry(seed):
    rng = np.random.default_rng(seed)
    config = configuration(rng, *SHAPES[rng.integers(len(SHAPES))])
    kernel, stride, bits = (int(rng.integers(1, high)) for high in (4, 3, 9))
    height, width = (int(n) for n in rng.integers(3, 8, 2))
    pad_y, pad_x = (int(n) for n in rng.integers(0, kernel, 2))
    out_width = (width + 2 * pad_x - kernel) // stride + 1
    first = int(rng.integers((height + 2 * pad_y - kernel) // stride + 1))
    out_height = (height + 2 * pad_y - kernel) // stride + 1 - first
    y_first = first * stride - pad_y
    granules, group = int(rng.integers(1, 4)), config.group
    row_stride = width * bits + int(rng.integers(3))
    in_stride, out_stride = height * row_stride, out_height * out_width * bits + 2
    x = rng.integers(0, 1 << bits, (height, width, granules * config.columns))
    banks = rng.integers(0, 2, (3, config.bank_words * group)).astype(np.uint8)
    put(banks[2], group, x, bits, 7, row_stride, in_stride)
    y = np.zeros((out_height, out_width, x.shape[2]), int)
    for oy, ox, ky, kx in np.ndindex(out_height, out_width, kernel, kernel):
        at_y, at_x = y_first + oy * stride + ky, ox * stride + kx - pad_x
        if 0 <= at_y < height and 0 <= at_x < width:
            y[oy, ox] = np.maximum(y[oy, ox], x[at_y, at_x])
    builder, size = Builder(config), config.activation_bytes
    for bank in range(3):
        builder.add(Opcode.LOAD, bank=bank, address=bank * size, groups=1,
                    beats=size // config.bus_bytes)  # fmt: skip
    builder.add(
        Opcode.POOL, src_bank=2, dst_bank=1, bits=bits, kernel=kernel, stride=stride, pad_x=pad_x,
        y_first=y_first % (1 << 16), in_height=height, in_width=width, out_height=out_height,
        out_width=out_width, granules=granules, row_stride=row_stride, dst_base=5,
        src_base=(7 + y_first * row_stride - pad_x * bits) % (1 << 24), in_group_stride=in_stride,
        out_group_stride=out_stride,
    )  # fmt: skip
    program = builder.program(workspace_bytes=3 * size)
    workspace = np.packbits(banks, bitorder="little")
    put(banks[1], group, y, bits, 5, out_width * bits, out_stride)
    assert (bank_after(program, config, 1, workspace=workspace) == banks[1]).all()
    result = execute(program, config, IMAGES, workspace=workspace)
    assert (result.activations[0][0] == y.transpose(2, 0, 1)).all()


@pytest.mark.parametrize("seed", range(10))
def test_loads_and_stores_move_beats_group_by_group(seed):
    rng = np.random.default_rng(seed)
    config = configuration(rng, *SHAPES[rng.integers(len(SHAPES))])
    bus, beats, groups = config.bus_bytes, int(rng.integers(1, 9)), int(rng.integers(1, 5))
    gap = [int(n) for n in rng.integers(0, 5, 6)]
    data = rng.integers(0, 256, 4096).astype(np.uint8)
    builder = Builder(config)
    builder.add(Opcode.LOAD, bank=1, address=gap[0] * bus, bank_beat=gap[1], groups=groups,
                beats=beats, bank_stride=beats + gap[2],
                memory_stride=(beats + gap[3]) * bus)  # fmt: skip
    builder.add(Opcode.STORE, bank=1, address=4096, bank_beat=gap[1], groups=groups, beats=beats,
                bank_stride=beats + gap[2], memory_stride=(beats + gap[4]) * bus)  # fmt: skip
    program = builder.program(workspace_bytes=8192)
    machine = state_before(program, config, IMAGES, 3, data)
    width = config.axi_data_width
    for g in range(groups):
        at = (gap[0] + g * (beats + gap[3])) * bus
        want = data[at : at + beats * bus]
        bits = machine.banks.bits[1, 0, (gap[1] + g * (beats + gap[2])) * width :][: beats * width]
        assert (bits == np.unpackbits(want, bitorder="little")).all()
        assert (
            machine.workspace[0, 4096 + g * (beats + gap[4]) * bus :][: beats * bus] == want
        ).all()


def test_bit_i_of_a_word_is_bit_w_times_g_plus_i_of_the_bank():
    """By hand: channel 3 of pixel 1, plane 0 of 2, in words of 4 lanes, on a 64-bit bus."""
    config = Config(rows=4, columns=2)
    data = np.zeros(8, np.uint8)
    data[1] = 1 << 3  # word 2 = plane 0 of pixel 1 begins at bit 8
    builder = Builder(config)
    builder.add(Opcode.LOAD, bank=0, groups=1, beats=1)
    builder.add(
        Opcode.POOL, dst_bank=1, bits=2, kernel=1, stride=1, in_height=1, in_width=2, out_height=1,
        out_width=2, granules=2, row_stride=4,
    )  # fmt: skip
    program = builder.program(workspace_bytes=8)
    activations = execute(program, config, IMAGES, workspace=data).activations[0][0]
    assert activations[3, 0, 1] == 2 and activations.sum() == 2


def test_pooled_sums_stay_from_open_to_close():
    rng = np.random.default_rng(3)
    config = configuration(rng, 4, 8)
    case = random_conv(rng, config, raw=True, cout=20, height=6, width=5, kernel_height=1,
                       kernel_width=1, stride=1)  # fmt: skip
    f = case.fields
    single, workspace = surrounded(case)
    want = execute(single, config, IMAGES, workspace=workspace).logits
    assert (want == case.logits).all()
    builder, size = Builder(config), config.activation_bytes
    builder.add(Opcode.LOAD, bank=f["src_bank"], address=f["src_bank"] * size, groups=1,
                beats=size // config.bus_bytes)  # fmt: skip
    case.add_to(builder, close=0)
    builder.add(Opcode.CONV, **f | {"open": 0, "close": 0})  # the mask is still in its buffer
    builder.add(Opcode.CONV, **f | {"open": 0, "parameter_address": 64})
    case.add_to(builder)
    program = builder.program(workspace_bytes=3 * size, output_bytes=192, classes=20)
    machine = state_before(program, config, IMAGES, len(program.descriptors), workspace)
    output = machine.output.view("<i4")[0]
    assert (output[16:36] == 3 * want[0])[4:].all() and (output[:16] == want[0, :16]).all()


def test_counts_of_one_conv():
    rng = np.random.default_rng(5)
    config = Config(rows=4, columns=8, activation_bytes=4096)
    for mode in (Mode(), Mode(signs=Signs.EXPLICIT, coats=2)):
        case = random_conv(rng, config, mode=mode, cin=10, cout=9, kernel_height=3, kernel_width=2,
                           in_bits=5, height=6, width=6)  # fmt: skip
        program, workspace = surrounded(case)
        result = execute(program, config, IMAGES, workspace=workspace)
        pixels = case.outputs[0].size
        assert result.macs == pixels * 9 * 10 * 6
        assert result.planes == pixels * 2 * 3 * 6 * 5 * mode.coats
        mask = {"mask": len(case.stream), "weight": 0}
        if mode.signs == Signs.EXPLICIT:
            mask = {"mask": 0, "weight": len(case.stream)}
        assert result.bytes == mask | {
            "descriptor": 7 * 112, "parameter": 72, "activation_read": 3 * 4096,
            "activation_write": 4096, "activation": 4 * 4096,
        }  # fmt: skip


@pytest.mark.parametrize("coats", [1, 7])
def test_exact_where_single_precision_is_not(coats):
    """Sums around 2^24, odd numbers included."""
    rng = np.random.default_rng(coats)
    cin = (1 << 24) // 255 // coats // 9 + 20
    window = Window(
        y_first=-1, x_first=-1, in_height=3, in_width=3, kernel_height=3, kernel_width=3,
        stride=1, stride_x=1, out_height=3, out_width=3, bits=8, row_stride=24, base=-32,
    )  # fmt: skip
    weights = np.full((2, 3, 3, cin), coats, np.int8)
    weights[1, :, :, : cin // 2] *= -1
    x = np.full((1, 3, 3, cin), 255, np.uint8)
    x[..., :9] = rng.integers(0, 255, (1, 3, 3, 9))
    acc = convolve(fill(x, window), weights, window)
    middle = np.einsum("yxi,oyxi->o", x[0].astype(np.int64), weights.astype(np.int64))
    assert middle.max() > 1 << 24 and (acc[0, 1, 1] == middle).all()
    assert (acc[0, 0, 0] == np.einsum("yxi,oyxi->o", x[0, :2, :2].astype(np.int64),
                                      weights[:, 1:, 1:].astype(np.int64))).all()  # fmt: skip
