"""The functional simulator on compiled networks; test_machine.py has programs made by hand."""

import numpy as np
import pytest

from hfn_accel import functional
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.functional import execute, layers, macs, work
from hfn_accel.network import Architecture
from hfn_accel.program import DESCRIPTOR_BYTES, Opcode, Origin, Program
from tests.hfn_accel.descriptors import Builder, random_conv, rebuilt
from tests.tickets import random_images, random_mode, random_ticket, reference

ARCH = Architecture.parse("6x1,12x3f", classes=5, image_size=7)
SMALL = Config(rows=4, columns=2, psum_depth=16)
SHAPES = [(1 << r, 1 << c) for r in range(7) for c in range(7)]


def network(seed=1, arch=ARCH, count=3, **options):
    rng = np.random.default_rng(seed)
    ticket = random_ticket(rng, arch, **options)
    return ticket, random_images(rng, ticket.arch, count)


def assert_equal(program, result, ticket, known):
    """Logits, and every layer's map as the layers behind it read it."""
    logits, maps = known
    assert (result.logits == logits).all()
    found = layers(program, result.activations)
    assert {layer for layer, _ in found} == set(range(len(maps)))
    for conv, want in zip(ticket.arch.layers, maps, strict=False):
        got = found[conv.norm, conv.max_pool][: len(logits)]
        assert got.dtype == np.uint8 and (got == want.transpose(0, 3, 1, 2)).all(), conv.name


@pytest.fixture(scope="module")
def known():
    ticket, images = network()
    return ticket, images, reference(ticket, images)


@pytest.mark.parametrize("rows, columns", SHAPES)
def test_every_array_shape_gives_the_same(known, rows, columns):
    ticket, images, want = known
    config = Config(rows=rows, columns=columns)
    program = compile(ticket, config)
    assert_equal(program, execute(program, config, images), ticket, want)


@pytest.mark.parametrize("seed", range(30))
def test_random_networks_and_buffers_equal_the_reference(seed):
    """Bottlenecks, ImageNet stems, modes, bipolar layers, batches, and buffers that hold little."""
    rng = np.random.default_rng(seed)
    ticket, images = network(
        seed, None, count=int(rng.integers(1, 4)), wild=seed % 3 == 2, bottlenecks=True,
        imagenet=True, bipolar=True, modes=random_mode if seed % 2 else None,
    )  # fmt: skip
    rows, columns = SHAPES[rng.integers(len(SHAPES))]
    config = Config(rows=rows, columns=columns, psum_depth=int(rng.choice([16, 32, 256])),
                    axi_data_width=int(rng.choice([64, 128])),
                    mask_bytes=int(rng.choice([16384, 65536])),
                    activation_bytes=int(rng.choice([4096, 65536])))  # fmt: skip
    program = compile(ticket, config, batch=int(rng.integers(1, 4)))
    assert_equal(program, execute(program, config, images), ticket, reference(ticket, images))


def test_the_reference_itself_on_a_layer_done_by_hand():
    """A 1x1 image: the stem sees its centre tap alone."""
    ticket, images = network(4, Architecture.parse("2x1", classes=2, in_channels=3, image_size=1))
    w = ticket.weights(0).reshape(2, 3, 3, 3)[:, 1, 1].astype(int)
    acc = images[:, 0, 0].astype(int) @ w.T
    n = ticket.norms[0]
    y = (acc * n.multiplier + n.bias + (1 << n.shift >> 1)) >> n.shift
    _, activations = reference(ticket, images)
    assert (activations[0][:, 0, 0] == y.clip(0, 2**n.bits - 1)).all()


def test_spilled_activations_change_traffic_but_no_result():
    ticket, images = network(
        6, Architecture.parse("8x1,8x2f", classes=5, image_size=16), bits=(8, 8)
    )
    want = reference(ticket, images)
    large = Config(rows=4, columns=4)
    results = []
    for config in (large, large.replace(activation_bytes=1024)):
        program = compile(ticket, config)
        results.append(execute(program, config, images))
        assert_equal(program, results[-1], ticket, want)
    assert program.header["workspace_bytes"] > 0
    assert Opcode.STORE in [opcode for opcode, _ in program.descriptors]
    assert results[0].bytes["activation"] < results[1].bytes["activation"]
    assert results[0].macs == results[1].macs == sum(c.macs for c in ticket.arch.layers)


def test_small_mask_buffer_fetches_folded_masks_again(known):
    ticket, images, (logits, _) = known
    config = SMALL.replace(mask_bytes=256)
    moved = []
    for c in (SMALL, config):
        result = execute(compile(ticket, c), c, images)
        assert (result.logits == logits).all()
        moved.append(result.bytes)
    assert moved[0]["mask"] < moved[1]["mask"]
    assert moved[0]["parameter"] == moved[1]["parameter"]


def test_counted_events(known):
    ticket, images, _ = known
    config = SMALL.replace(psum_depth=256)
    program = compile(ticket, config)
    result = execute(program, config, images)
    assert result.bytes["descriptor"] == DESCRIPTOR_BYTES * program.header["descriptors"]
    assert result.bytes["parameter"] == sum(8 * c.cout for c in ARCH.layers[:-1])
    # 49 pixels of 4 bytes in whole beats; five logits
    assert (result.bytes["activation_read"], result.bytes["activation_write"]) == (200, 20)
    assert result.bytes["activation"] == 220 and result.bytes["weight"] == 0
    assert result.macs == macs(program) == sum(c.macs for c in ARCH.layers)
    bits = {-1: 8} | {i: n.bits for i, n in enumerate(ticket.norms)}
    assert work(program) == sum(c.macs * bits[c.source] for c in ARCH.layers)
    assert (
        result.planes
        == sum(
            -(-c.cout // 2) * -(-c.cin // 4) * c.kernel**2 * c.out_size**2 * bits[c.source]
            for c in ARCH.layers[1:]
        )
        + 3 * -(-9 // 4) * 3 * 49 * 8
    )  # the stem: three taps of a row in nine lanes


def test_groups_of_runs_do_not_matter(known, monkeypatch):
    ticket, images, (logits, _) = known
    program = compile(ticket, SMALL)
    whole = execute(program, SMALL, images)
    monkeypatch.setattr(functional, "_GROUP_BITS", 1)
    result = execute(program, SMALL, images)
    assert (result.logits == logits).all()
    for got, want in zip(result.activations, whole.activations, strict=True):
        assert (got == want).all()
    assert execute(program, SMALL, images, keep=False).activations == []


def test_masks_come_from_the_buffer_and_signs_from_the_state(known):
    """It runs the program, not the network: what a descriptor says happens."""
    ticket, images, (logits, _) = known
    program = compile(ticket, SMALL)
    index, f = next((i, f) for i, (_, f) in enumerate(program.descriptors)
                    if f.get("fetch_mask") == 0)  # fmt: skip
    same = rebuilt(program, {index: {"mask_address": 0}})
    assert (execute(same, SMALL, images).logits == logits).all()
    other = next(f for _, f in program.descriptors[2:] if f.get("fetch_parameters"))
    for change in ({"mask_base": f["mask_base"] + 1}, {"sign_state": f["sign_state"] ^ 1 << 40},
                   {"shift": f["shift"] + 1},
                   {"parameter_address": other["parameter_address"]}):  # fmt: skip
        assert (execute(rebuilt(program, {index: change}), SMALL, images).logits != logits).any()


def test_maps_are_put_together_from_their_parts():
    rng = np.random.default_rng(2)
    case = random_conv(rng, SMALL, cout=3)
    builder = Builder(SMALL)
    places = [
        (1, 0, 0),
        (0, 0, 0),
        (0, 4, 0),
        (1, 4, 0),
        (0, 0, 3),
        (0, 4, 3),
        (1, 0, 3),
        (1, 4, 3),
    ]
    for _ in places:
        case.add_to(builder)
    origins = [Origin(layer=5, image=i, row=r, channel=c) for i, r, c in places]
    program = builder.program(batch=2)
    program = Program(program.image, origins=(None, *origins, None))
    parts = [rng.integers(0, 9, (4, 3, 4, 2)).astype(np.uint8) for _ in places]
    ((key, whole),) = layers(program, parts).items()
    assert key == (5, False) and whole.shape == (8, 6, 8, 2)
    for (image, row, channel), part in zip(places, parts, strict=True):
        assert (whole[image::2, channel : channel + 3, row : row + 4] == part).all()
    with pytest.raises(AssertionError, match="parts of layer 5 are missing"):
        layers(program, [part[:, :, 1:] for part in parts])


def test_refuses_foreign_images_and_configurations(known):
    ticket, images, _ = known
    program = compile(ticket, SMALL)
    for bad in (images[:, :6], images[:, :, :6], images[..., :2]):
        with pytest.raises(HfnError, match=r"images must be \(7, 7, 3\)"):
            execute(program, SMALL, bad)
    with pytest.raises(HfnError, match="images must be uint8"):
        execute(program, SMALL, images.astype(int))
    with pytest.raises(HfnError, match="there must be at least one image"):
        execute(program, SMALL, images[:0])
    with pytest.raises(HfnError, match="compiled for --pe 4x2, not 2x4"):
        execute(program, Config(rows=2, columns=4), images)
    with pytest.raises(HfnError, match="program needs bank_words"):
        execute(program, SMALL.replace(activation_bytes=256), images)
