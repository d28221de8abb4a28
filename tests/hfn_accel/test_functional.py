import zlib

import numpy as np
import pytest

from hfn_accel import functional
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.functional import Banks, execute
from hfn_accel.network import Architecture
from hfn_accel.program import DESCRIPTOR_BYTES, FIELDS, Opcode, Program, encode
from tests.tickets import random_images, random_ticket, reference

ARCH = Architecture.parse("6x1,12x3f", classes=5, image_size=7)
SMALL = Config(rows=4, columns=2, psum_depth=16)
SHAPES = [(1 << r, 1 << c) for r in range(7) for c in range(7)]


def network(seed=1, arch=ARCH, count=3, **options):
    rng = np.random.default_rng(seed)
    ticket = random_ticket(rng, arch, **options)
    return ticket, random_images(rng, ticket.arch, count)


def assert_equal(result, ticket, images):
    logits, activations = reference(ticket, images)
    assert (result.logits == logits).all()
    assert len(result.activations) == len(activations)
    for got, want in zip(result.activations, activations, strict=True):
        assert got.dtype == np.uint8 and (got == want.transpose(0, 3, 1, 2)).all()


@pytest.fixture(scope="module")
def known():
    ticket, images = network()
    return ticket, images, reference(ticket, images)


@pytest.mark.parametrize("rows, columns", SHAPES)
def test_every_array_shape_gives_the_same(known, rows, columns):
    ticket, images, (logits, activations) = known
    config = Config(rows=rows, columns=columns)
    result = execute(compile(ticket, config), config, images)
    assert (result.logits == logits).all()
    for got, want in zip(result.activations, activations, strict=True):
        assert (got == want.transpose(0, 3, 1, 2)).all()


@pytest.mark.parametrize("seed", range(30))
def test_random_networks_and_buffers_equal_the_reference(seed):
    rng = np.random.default_rng(seed)
    ticket, images = network(seed, None, count=2, wild=seed % 3 == 2)
    rows, columns = SHAPES[rng.integers(len(SHAPES))]
    config = Config(rows=rows, columns=columns, psum_depth=int(rng.choice([16, 32, 256])),
                    axi_data_width=int(rng.choice([64, 128])),
                    mask_bytes=int(rng.choice([4096, 65536])))  # fmt: skip
    assert_equal(execute(compile(ticket, config), config, images), ticket, images)


def test_the_reference_itself_on_a_layer_done_by_hand():
    """A 1x1 image: the stem sees its centre tap alone."""
    ticket, images = network(4, Architecture.parse("2x1", classes=2, in_channels=3, image_size=1))
    w = ticket.weights(0).reshape(2, 3, 3, 3)[:, 1, 1].astype(int)
    acc = images[:, 0, 0].astype(int) @ w.T
    n = ticket.norms[0]
    y = (acc * n.multiplier + n.bias + (1 << n.shift >> 1)) >> n.shift
    _, activations = reference(ticket, images)
    assert (activations[0][:, 0, 0] == y.clip(0, 2**n.bits - 1)).all()


def test_buffers_do_not_change_results_but_traffic(known):
    ticket, images, (logits, _) = known
    large, small = SMALL.replace(psum_depth=256), SMALL.replace(mask_bytes=256)
    results = [execute(compile(ticket, c), c, images) for c in (large, SMALL, small)]
    assert all((r.logits == logits).all() for r in results)
    assert results[0].bytes == results[1].bytes
    folded = 2 * 8 * (12 // 2) * -(-9 * 12 * 2 // 64)  # the block's masks, once more
    assert results[2].bytes["mask"] - results[0].bytes["mask"] == folded
    assert results[2].planes == results[0].planes


def test_counted_events(known):
    ticket, images, _ = known
    program = compile(ticket, SMALL)
    result = execute(program, SMALL, images)
    layers = len(ARCH.layers)
    beats = sum(-(-c.cout // 2) * -(-c.fan_in * 2 // 64) for c in ARCH.tensors)
    assert result.bytes == {
        "descriptor": 64 * (layers + 3),
        "mask": 8 * beats,
        "parameter": sum(8 * c.cout for c in ARCH.layers[:-1]),
        "activation": 200 + 20,  # 49 pixels of 4 bytes in whole beats; five logits
        "weight": 0,
    }
    assert result.macs == sum(c.macs for c in ARCH.layers)
    bits = {-1: 8} | {i: n.bits for i, n in enumerate(ticket.norms)}
    assert result.planes == sum(
        -(-c.cout // 2) * -(-c.cin // 4) * c.kernel**2 * c.out_size**2 * bits[c.source]
        for c in ARCH.layers
    )
    assert program.header["input_bytes"] + program.header["output_bytes"] == 220


def test_wide_bus_counts_whole_beats(known):
    ticket, images, _ = known
    config = SMALL.replace(axi_data_width=128)
    result = execute(compile(ticket, config), config, images)
    assert result.bytes["activation"] == 208 + 20
    assert result.bytes["parameter"] == sum(-(-c.cout * 8 // 16) * 16 for c in ARCH.layers[:-1])


def test_groups_of_images_do_not_matter(known, monkeypatch):
    ticket, images, (logits, _) = known
    monkeypatch.setattr(functional, "_CHUNK_BYTES", 1)
    result = execute(compile(ticket, SMALL), SMALL, images)
    assert (result.logits == logits).all()
    assert all(len(a) == len(images) for a in result.activations)
    assert execute(compile(ticket, SMALL), SMALL, images, keep=False).activations == []


def test_double_precision_where_single_is_not_exact():
    """More than 2^24 in an accumulator, odd numbers included."""
    arch = Architecture.parse("64x1", classes=2, image_size=64)
    rng = np.random.default_rng(0)
    ticket = random_ticket(rng, arch, bits=(8, 8), density=1.0)
    ticket.masks[-1][:] = ticket.weights(len(ticket.masks) - 1) > 0
    for norm in ticket.norms:
        norm.multiplier[:], norm.residual[:] = norm.multiplier // 16, 0
        norm.bias[:] = 235 << norm.shift  # bright, and never quite the same
    images = random_images(rng, arch, 1)
    config = Config(accumulator_bits=32, activation_bytes=1 << 19)
    result = execute(compile(ticket, config), config, images)
    assert result.logits.max() > 1 << 24 and (result.logits % 2).any()
    assert_equal(result, ticket, images)


def test_banks_hold_planes_where_the_architecture_says():
    rng = np.random.default_rng(2)
    group, pixels, channels, bits = 4, 5, 10, 3
    values = rng.integers(0, 1 << bits, (2, pixels, channels)).astype(np.uint8)
    banks = Banks(2, 64, group)
    banks.write(1, values, bits, pixels * bits)
    for n, p, c, b in np.ndindex(2, pixels, channels, bits):
        word = c // group * pixels * bits + p * bits + b
        want = values[n, p, c] >> (bits - 1 - b) & 1  # plane 0 is the most significant
        assert banks.bits[1, n, word, c % group] == want
    again = banks.read(1, np.arange(pixels) * bits, bits, pixels * bits, channels)
    assert (again == values).all()


def encoded(opcode: Opcode, fields: dict[str, int]) -> bytes:
    """A descriptor from what `decode` returned."""
    return encode(opcode, **{k: v for k, v in fields.items() if k != "opcode"})


def rebuilt(program: Program, changes: dict[int, dict[str, int]]) -> Program:
    """The program with descriptor fields changed, and a CRC that fits."""
    image = bytearray(program.image)
    for index, fields in changes.items():
        opcode, old = program.descriptors[index]
        at = slice(index * DESCRIPTOR_BYTES, (index + 1) * DESCRIPTOR_BYTES)
        image[at] = encoded(opcode, old | fields)
    header = program.header | changes.get(0, {}) | {"crc32": zlib.crc32(image[DESCRIPTOR_BYTES:])}
    image[:DESCRIPTOR_BYTES] = encoded(Opcode.BEGIN, header)
    return Program.parse(bytes(image))


def test_masks_come_from_the_buffer_and_signs_from_the_state(known):
    """It runs the program, not the network: what a descriptor says happens."""
    ticket, images, (logits, _) = known
    program = compile(ticket, SMALL)
    index = [i for i, (_, f) in enumerate(program.descriptors) if f.get("fetch_mask") == 0][0]
    f = program.descriptors[index][1]
    same = rebuilt(program, {index: {"mask_address": 0}})
    assert (execute(same, SMALL, images).logits == logits).all()
    for change in ({"mask_address": 0, "fetch_mask": 1}, {"sign_state": f["sign_state"] ^ 1 << 40},
                   {"shift": f["shift"] + 1}, {"parameter_address": 0}):  # fmt: skip
        assert (execute(rebuilt(program, {index: change}), SMALL, images).logits != logits).any()


@pytest.mark.parametrize(
    "index, change, name",
    [
        (1, {"channels": 5}, "channels"),
        (1, {"pixels": 48, "group_stride": 384}, "pixels"),
        (2, {"stride": 3}, "stride"),
        (2, {"in_bits": 9}, "in_bits"),
        (2, {"in_bits": 0}, "in_bits"),
        (2, {"out_bits": 9}, "out_bits"),
        (2, {"shift": 0}, "shift"),
        (2, {"dst_bank": 0}, "dst_bank"),
        (2, {"dst_bank": 3}, "dst_bank"),
        (2, {"src_bank": 3}, "src_bank"),
        (2, {"sign_state": 0}, "sign_state"),
        (2, {"in_tiles": 0}, "in_tiles"),
        (2, {"last_rows": 5}, "last_rows"),
        (2, {"out_tiles": 2}, "out_tiles"),
        (2, {"origin": 0}, "origin"),
        (2, {"out_width": 8}, "out_width"),
        (2, {"strip_rows": 7}, "strips"),
        (2, {"mask_base": 1 << 19}, "mask_base"),
        (2, {"mask_beats": 1}, "mask_beats"),
        (2, {"mask_address": 1 << 30}, "mask_address"),
        (2, {"mask_address": 12}, "mask_address"),
        (2, {"parameter_address": 1 << 30}, "parameter_address"),
        (2, {"raw": 1}, "pool"),
        (4, {"res_bits": 0}, "res_bits"),
        (4, {"res_bank": 3}, "res_bank"),
        (4, {"res_bank": 0}, "res_bank"),
        (-2, {"kernel": 2}, "kernel"),
        (-2, {"stride": 2}, "stride"),
        (0, {"output_bytes": 0}, "output_bytes"),
        (0, {"input_bytes": 8}, "input_bytes"),
        (0, {"result_words": 1}, "result_words"),
        (2, {"mask_address": 8}, "mask_address"),
        (4, {"res_group_stride": 1}, "res_group_stride"),
    ],
)
def test_refuses_descriptors_that_contradict_themselves(known, index, change, name):
    ticket, images, _ = known
    program = compile(ticket, SMALL)
    index %= len(program.descriptors)
    program = rebuilt(program, {index: change})
    with pytest.raises(HfnError, match=f"illegal program: descriptor {index}: {name} must not"):
        execute(program, SMALL, images)


def test_any_field_value_is_executed_or_refused(known):
    ticket, images, _ = known
    program = compile(ticket, SMALL)
    rng = np.random.default_rng(9)
    refused = 0
    for _ in range(300):
        index = int(rng.integers(1, len(program.descriptors) - 1))
        opcode, old = program.descriptors[index]
        field = FIELDS[opcode][int(rng.integers(3, len(FIELDS[opcode])))]
        value = int.from_bytes(rng.bytes(8), "little") % (1 << field.bits)
        try:
            execute(rebuilt(program, {index: {field.name: value}}), SMALL, images[:1])
        except HfnError:
            refused += 1
    assert refused > 150


def test_refuses_other_orders_of_descriptors(known):
    ticket, images, _ = known
    program = compile(ticket, SMALL)
    count = program.header["descriptors"]
    image = bytearray(program.image)
    image[(count - 1) * 64 : count * 64] = image[64:128]
    with pytest.raises(HfnError, match="BEGIN, LOAD, CONV..., END"):
        execute(Program(bytes(image)), SMALL, images)


def test_refuses_foreign_images_and_configurations(known):
    ticket, images, _ = known
    program = compile(ticket, SMALL)
    for bad in (images[:, :6], images[:, :, :6], images[..., :2]):
        with pytest.raises(HfnError, match=r"images must be \(7, 7, 3\)"):
            execute(program, SMALL, bad)
    with pytest.raises(HfnError, match="images must be uint8"):
        execute(program, SMALL, images.astype(int))
    with pytest.raises(HfnError, match="compiled for --pe 4x2, not 2x4"):
        execute(program, Config(rows=2, columns=4), images)
    with pytest.raises(HfnError, match="program needs bank_words"):
        execute(program, SMALL.replace(activation_bytes=256), images)
