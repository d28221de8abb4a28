"""What a plan moves, keeps, says and refuses."""

from collections import Counter, defaultdict

import pytest

from hfn_accel import networks
from hfn_accel.config import Config
from hfn_accel.engine import limits
from hfn_accel.engine.messages import error
from hfn_accel.engine.records import FIELD, FITS, JOB, Design, table
from hfn_accel.errors import HfnError
from hfn_accel.network import Architecture
from hfn_accel.program import FIELDS, PARAMETER_BYTES, Opcode, Origin
from hfn_accel.streams import RawStreams
from tests.hfn_accel.engine.hazards import conflicts
from tests.hfn_accel.engine.plans import (
    KIB,
    bytes_of,
    count,
    descriptors,
    fitting,
    lowered,
    make,
    moved,
)


def test_bytes_are_counted_as_planned():
    for _, _, config, _, p in fitting(seed=1, number=25):
        assert moved(p, config) == p.moved


def test_large_buffers_keep_everything():
    arch = Architecture.parse("16x1,32x3f,24x2", classes=10, image_size=16)
    p = make(arch, Config(activation_bytes=64 * KIB, mask_bytes=64 * KIB))
    assert count(p) == {Opcode.BEGIN: 1, Opcode.IMAGE: 1, Opcode.CONV: len(arch.layers),
                        Opcode.END: 1}  # fmt: skip
    assert p.spilled == () and p.items[0].fields["workspace_bytes"] == 0
    fetched = Counter()
    for conv, item in zip(arch.layers, p.items[2:-1], strict=True):
        fetched[conv.tensor] += item.fields["fetch_mask"]
    assert set(fetched.values()) == {1} and len(fetched) == len(arch.tensors)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_a_batch_fetches_masks_once(batch):
    arch, config = Architecture.parse("16x1,32x3f", classes=10, image_size=8), Config()
    b, one = (bytes_of(make(arch, config, 8, n), config) for n in (batch, 1))
    assert (b["mask"], b["parameter"]) == (one["mask"], one["parameter"])
    assert b["activation"] == batch * one["activation"]


def test_second_slots_let_transfers_overlap():
    """Bands of operands without halo alternate between the halves of a bank."""
    arch = Architecture.parse("64x2b", classes=10, image_size=16)
    begins = defaultdict(set)
    for opcode, f in descriptors(make(arch, Config(activation_bytes=16 * KIB))):
        if opcode == Opcode.STORE:
            begins[f["bank"]].add(f["bank_beat"])
    assert any(len(beats) == 2 for beats in begins.values())


def test_regions_of_the_image_follow_each_other():
    for arch, _, config, _, p in fitting(seed=8, number=10):
        header = p.items[0].fields
        assert header["descriptors"] == len(p.items)
        regions = [(0, 112 * len(p.items))]
        for (tensor, first, tiles), address in p.masks.items():
            beats = RawStreams(arch, config).beats(tensor, first, tiles)
            regions.append((address, address + beats * config.bus_bytes))
        for layer, address in p.parameters.items():
            regions.append((address, address + arch.layers[layer].cout * PARAMETER_BYTES))
        assert len(p.parameters) == len(arch.layers) - 1
        for (_, end), (begin, _) in zip(regions, regions[1:], strict=False):
            assert begin % 64 == 0 and end <= begin < end + 64
        assert 0 <= header["image_bytes"] - regions[-1][1] < 64
        for item in p.items:
            if item.opcode == Opcode.CONV:
                f, origin = item.fields, item.origin
                first = origin.channel // config.columns
                tensor = arch.layers[origin.layer].tensor
                assert f["mask_address"] == p.masks[tensor, first, f["out_tiles"]]
                if not f["raw"]:
                    inside = f["parameter_address"] - p.parameters[origin.layer]
                    assert inside == origin.channel * PARAMETER_BYTES


def test_iterations_cut_masks_that_pass_as_they_like():
    """The image has a stream for every cut."""
    arch = Architecture.parse("38x3f", classes=5, image_size=18)
    config = Config(rows=32, columns=32, activation_bytes=16 * KIB, mask_bytes=4 * KIB,
                    psum_depth=128, parameter_channels=256)  # fmt: skip
    p = make(arch, config, [8, 7, 5, 6, 8, 7, 4])
    assert {(3, 0, 1), (3, 0, 2)} <= set(p.masks)
    convs = [item for item in p.items if item.opcode == Opcode.CONV]
    keys = {(arch.layers[c.origin.layer].tensor, c.origin.channel // 32, c.fields["out_tiles"])
            for c in convs}  # fmt: skip
    assert len({c.fields["mask_address"] for c in convs}) == len(keys) == len(p.masks)


def test_what_a_plan_says():
    arch = Architecture.parse("imagenet:20x1", classes=10, image_size=20)
    config = Config(rows=8, columns=8, activation_bytes=2 * KIB, mask_bytes=KIB, psum_depth=64,
                    parameter_channels=64)  # fmt: skip
    p = make(arch, config, batch=2)
    assert p.spilled == ("stem",)
    origins = {item.note: item.origin for item in p.items}
    for note, origin in (
        ("spilled to memory: stem", None),
        ("stem: image image 0 rows 0-5,", None),
        ("stem: image 0 rows 1-1, mask still on chip", Origin(0, row=1)),
        ("stem: stem image 1 rows 9-9,", None),
        ("stem.pool: image 0 rows 3-4,", Origin(0, pooled=True, row=3)),
        ("stage1.block1.conv2: image 0 channels 16-19, mask fetched, passes",
         Origin(2, channel=16)),
        ("classifier: image 0 mask fetched, stays", Origin(3)),
        ("classifier: image 1 mask still on chip", Origin(3, image=1)),
        ("", None),
    ):  # fmt: skip
        assert origins[note] == origin
    for item in p.items:
        assert {f.name for f in FIELDS[item.opcode]} >= set(item.fields)
        assert all(type(value) is int for value in item.fields.values())
    assert make(arch, config.replace(activation_bytes=64 * KIB)).items[0].note == (
        "all maps stay in the banks")  # fmt: skip


@pytest.mark.parametrize("message, arch, size, config", [
    ("stem: activation bytes 384, the limit is 256: enlarge activation_bytes",
     "16x1", 8, {"activation_bytes": 256}),
    ("stem: partial sums 17, the limit is 16: enlarge psum_depth", "4x1", 17, {"psum_depth": 16}),
    ("stage1.block1.conv1: mask bytes 288, the limit is 256: enlarge mask_bytes",
     "16x1", 4, {"mask_bytes": 256}),
    ("stage1.block1.conv1: descriptor field in_tiles must be 0 to 4095, not 4096",
     "4096x1", 1, {"rows": 1, "columns": 64, "mask_bytes": 1 << 22}),
])  # fmt: skip
def test_refusals(message, arch, size, config):
    with pytest.raises(HfnError) as refused:
        make(Architecture.parse(arch, classes=10, image_size=size), Config(**config))
    assert str(refused.value) == message


def test_refuses_a_batch():
    arch = Architecture.parse("4x1", classes=2, image_size=4)
    assert make(arch, Config(), batch=300).items[0].fields["batch"] == 300
    for batch in (0, 1 << 16):
        with pytest.raises(HfnError, match=f"^batch must be from 1 to 65535, not {batch}$"):
            make(arch, Config(), batch=batch)


@pytest.mark.parametrize("pruned, largest, what", [
    (0, (1 << 20) - 1, "fan-in"), (3, 1 << 18, "fan-in under a frozen pattern"),
])  # fmt: skip
def test_refuses_a_fan_in(pruned, largest, what):
    arch, config = Architecture.parse("4x1", classes=2, image_size=4), Config()
    network = lowered(arch, [8] * 3, config, RawStreams(arch, config))
    tensor, design = network.tensors[2], Design.of(config, latency=0)
    tensor.pruned, tensor.fan_in = pruned, largest
    assert limits.check(network, design).reason == FITS
    tensor.fan_in += 1
    assert str(error(limits.check(network, design), arch)) == (
        f"stage1.block1.conv2: {what} {largest + 1}, the limit is {largest}")  # fmt: skip


def test_every_field_is_checked():
    """The first value beyond its field, of any field of any opcode; of BEGIN without a layer."""
    arch = Architecture.parse("4x1", classes=2, image_size=4)
    for opcode, fields in FIELDS.items():
        for f in fields:
            if f.bits == 64 or f.name == "opcode":
                continue
            jobs = table(JOB, 3)
            jobs.opcode, jobs.step[:] = opcode, -1
            jobs[f.name][1] = (1 << f.bits) - 1
            assert limits.check_fields(jobs).reason == FITS
            for value in (1 << f.bits, -1):
                jobs[f.name][2] = value
                refusal = limits.check_fields(jobs)
                assert refusal.reason == FIELD
                assert str(error(refusal, arch)) == (
                    f"BEGIN: descriptor field {f.name} must be 0 to {(1 << f.bits) - 1}, "
                    f"not {value}")  # fmt: skip


def test_resnet50_at_224():
    arch = networks.named("hfn-resnet50", "imagenet")
    for size in (64, 1024):
        config = Config(rows=32, columns=32, activation_bytes=size * KIB, mask_bytes=64 * KIB,
                        parameter_channels=2048)  # fmt: skip
        p = make(arch, config)
        assert moved(p, config) == p.moved
        assert bool(p.spilled) == (size < 1024)
        assert not conflicts(descriptors(p), config)
