from collections import Counter, defaultdict
from types import SimpleNamespace

import numpy as np
import pytest

from hfn_accel import networks
from hfn_accel.config import Config
from hfn_accel.functional import count_bytes
from hfn_accel.network import Architecture
from hfn_accel.program import Opcode
from tests.hfn_accel.planner.hazards import conflicts, loose, use
from tests.hfn_accel.planner.plans import KIB, count, descriptors, fitting, make, moved


def test_large_buffers_keep_everything():
    arch = Architecture.parse("16x1,32x3f,24x2", classes=10, image_size=16)
    p = make(arch, Config(activation_bytes=64 * KIB, mask_bytes=64 * KIB))
    assert count(p) == {Opcode.BEGIN: 1, Opcode.IMAGE: 1, Opcode.CONV: len(arch.layers),
                        Opcode.END: 1}  # fmt: skip
    assert p.spilled == () and p.items[0].fields["workspace_bytes"] == 0
    convs = [f for opcode, f in descriptors(p) if opcode == Opcode.CONV]
    fetched = Counter()
    for conv, f in zip(arch.layers, convs, strict=True):
        fetched[conv.tensor] += f["fetch_mask"]
        assert f["out_tiles"] == -(-conv.cout // 16)
        assert f["stride_x"] == (1 if conv.source < 0 else conv.stride)
    assert set(fetched.values()) == {1} and len(fetched) == len(arch.tensors)


def test_bytes_are_counted_as_planned():
    for _, _, config, _, p in fitting(seed=1, number=25):
        assert moved(p, config) == p.moved


def test_no_hazards_and_no_needless_waits():
    stored = 0
    for _, _, config, _, p in fitting(seed=2, number=25):
        assert not conflicts(descriptors(p), config)
        stored += count(p)[Opcode.STORE] > 0
        if len(p.items) < 100:
            assert not loose(descriptors(p), config)
    assert stored >= 5


def test_hazards_are_seen():
    """Every token of a spilling plan is needed by something."""
    arch = Architecture.parse("16x2,24x2", classes=4, image_size=12)
    config = Config(activation_bytes=KIB, mask_bytes=4 * KIB)
    found = descriptors(make(arch, config))
    assert not conflicts(found, config)
    for name in ("wait_executed", "wait_stored", "hold_stored"):
        without = [(opcode, defaultdict(int, f | {name: 0})) for opcode, f in found]
        assert conflicts(without, config), name


def test_bytes_never_grow_with_a_buffer():
    rng = np.random.default_rng(3)
    spilling = 0
    for arch, bits, config, batch, p in fitting(seed=3, number=25):
        name = rng.choice(["activation_bytes", "mask_bytes", "parameter_channels"])
        spilling += bool(p.spilled)
        least = p.moved
        for _ in range(3):
            config = config.replace(**{str(name): 2 * getattr(config, name)})
            now = make(arch, config, bits, batch).moved
            assert now <= least, (str(arch), config, batch)
            least = now
    assert spilling >= 4


def test_needs_are_what_is_used():
    for _, _, config, _, p in fitting(seed=6, number=15):
        header, found = p.items[0].fields, descriptors(p)[1:]
        uses = [use(i, opcode, f, config) for i, (opcode, f) in enumerate(found)]
        ends = [end for u in uses for parts in (u.bank_reads, u.bank_writes)
                for part in parts.values() for _, end in part]  # fmt: skip
        beat = config.axi_data_width // config.group  # a group's last words fill it
        assert max(ends) <= header["bank_words"] < max(ends) + beat
        for name, unit in ("masks", 1), ("parameters", max(8, config.columns)):
            end = max(u.buffers[name][1] for u in uses if name in u.buffers)
            field = {"masks": "mask_words", "parameters": "parameter_channels"}[name]
            assert header[field] == -(-end // unit) * unit
        convs = [f for opcode, f in found if opcode == Opcode.CONV]
        sums = [f["out_tiles"] if f["raw"] else f["strip_rows"] * f["out_width"] for f in convs]
        assert header["psum_depth"] == max(sums)
        tiles = max(f["out_tiles"] for f in convs if f["raw"])
        assert header["result_words"] == tiles * config.columns


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_a_batch_fetches_masks_once(batch):
    arch = Architecture.parse("16x1,32x3f", classes=10, image_size=8)
    config = Config(mask_bytes=16 * KIB)
    b = count_bytes(SimpleNamespace(descriptors=descriptors(make(arch, config, 8, batch))), config)
    one = count_bytes(SimpleNamespace(descriptors=descriptors(make(arch, config))), config)
    assert (b["mask"], b["parameter"]) == (one["mask"], one["parameter"])
    assert b["activation"] == batch * one["activation"]


def test_second_slots_let_transfers_overlap():
    """Bands of operands without halo alternate between the halves of a bank."""
    arch = Architecture.parse("64x2b", classes=10, image_size=16)
    p = make(arch, Config(activation_bytes=16 * KIB))
    begins = defaultdict(set)
    for opcode, f in descriptors(p):
        if opcode == Opcode.STORE:
            begins[f["bank"]].add(f["bank_beat"])
    assert any(len(places) == 2 for places in begins.values())


@pytest.mark.parametrize("side", [16, 32])
@pytest.mark.parametrize("size", [64, 256, 1024])
def test_resnet50_at_224(side, size):
    arch = networks.named("hfn-resnet50", "imagenet")
    config = Config(rows=side, columns=side, activation_bytes=size * KIB, mask_bytes=64 * KIB,
                    parameter_channels=2048)  # fmt: skip
    p = make(arch, config)
    assert moved(p, config) == p.moved
    assert bool(p.spilled) == (size < 1024)
    header = p.items[0].fields
    assert header["psum_depth"] <= 256 and header["mask_words"] <= config.mask_words
    tops = {1: 35_000_000, 4: 22_000_000, 16: 4_000_000}
    assert p.moved < tops[size // 64]
