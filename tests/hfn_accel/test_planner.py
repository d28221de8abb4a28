import re
from collections import Counter, defaultdict
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest

from hfn_accel import networks
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.functional import count_bytes
from hfn_accel.network import Architecture
from hfn_accel.places import Ring, Workspace
from hfn_accel.planner import Plan, RawStreams, plan
from hfn_accel.program import Opcode
from hfn_accel.residency import BANKS, last_uses, place
from hfn_accel.steps import steps
from hfn_accel.tiling import Space, Tiler
from hfn_accel.tokens import Access, tokens
from tests.hfn_accel.hazards import conflicts, loose
from tests.tickets import random_architecture

KIB = 1 << 10


def make(arch, config: Config, bits=8, batch=1) -> Plan:
    levels = [bits] * (len(arch.layers) - 1) if isinstance(bits, int) else bits
    return plan(arch, levels, config, streams=RawStreams(arch, config), batch=batch)


def descriptors(p: Plan):
    """Opcodes and fields, 0 where the planner leaves one out."""
    return [(item.opcode, defaultdict(int, item.fields)) for item in p.items]


def count(p: Plan) -> Counter:
    return Counter(item.opcode for item in p.items)


def moved(p: Plan, config: Config) -> int:
    """Bytes that the descriptors move, but for themselves and logits."""
    b = count_bytes(SimpleNamespace(descriptors=descriptors(p)), config)
    logits = 4 * p.items[0].fields["classes"] * p.items[0].fields["batch"]
    return b["mask"] + b["parameter"] + b["activation"] - logits


def random_case(rng, **sizes):
    """A network, its bits, a configuration with small buffers and a batch."""
    arch = random_architecture(rng, bottlenecks=True, imagenet=True, sizes=(4, 24),
                               widths=(1, 40), **sizes)  # fmt: skip

    def power(low, high):
        return 1 << int(rng.integers(low, high + 1))

    config = Config(
        rows=power(0, 5), columns=power(0, 5), axi_data_width=power(6, 7),
        activation_bytes=power(9, 15), mask_bytes=power(10, 14), psum_depth=power(5, 7),
        parameter_channels=power(6, 9), result_words=64,
    )  # fmt: skip
    bits = rng.integers(1, 9, len(arch.layers) - 1).tolist()
    return arch, bits, config, int(rng.integers(1, 4))


def fitting(seed: int, number: int):
    """Cases that are not refused, with their plans."""
    rng = np.random.default_rng(seed)
    while number:
        arch, bits, config, batch = random_case(rng)
        try:
            p = make(arch, config, bits, batch)
        except HfnError:
            continue
        number -= 1
        yield arch, bits, config, batch, p


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


def brute_force(arch, bits, config: Config, batch: int) -> int:
    """Fewest bytes over every choice of maps that stay in a bank, where all masks fit."""
    sequence, maps = steps(arch, bits, config)
    tiler = Tiler(config, batch, maps, RawStreams(arch, config))
    last, best = last_uses(sequence), None
    free = [n for n, m in enumerate(maps) if not m.image
            and batch * m.groups * m.stride(m.height) <= config.bank_words]  # fmt: skip
    for choice in product((False, True), repeat=len(free)):
        stay = {n for n, kept in zip(free, choice, strict=True) if kept}
        total, first = 0, set()
        for index, step in enumerate(sequence):
            operands = (step.source, step.residual, step.output)
            spilled = tuple(n is not None and n not in stay for n in operands)
            living = sum(n <= (step.output or n) and last[n] >= index for n in stay)
            tiling = tiler.best(step, spilled, Space(0 if step.pooled else tiler.tiles(step), 0))
            if living + sum(spilled) > BANKS or tiling is None:
                break
            total += tiling.cost[0]
            if not step.pooled and step.conv.tensor not in first:
                first.add(step.conv.tensor)
                total += tiler.streams.beats(step.conv.tensor, 0, tiler.tiles(step)) * 8
        else:
            best = total if best is None else min(best, total)
    return best


def test_residency_is_optimal():
    rng = np.random.default_rng(4)
    different = set()
    for _ in range(12):
        arch = random_architecture(rng, stages=(1, 2), blocks=(1, 2), sizes=(6, 12),
                                   bottlenecks=True, imagenet=True, widths=(8, 24))  # fmt: skip
        config = Config(activation_bytes=1 << int(rng.integers(11, 14)), mask_bytes=1 << 17)
        bits = rng.integers(1, 9, len(arch.layers) - 1).tolist()
        batch = int(rng.integers(1, 3))
        sequence, maps = steps(arch, bits, config)
        tiler = Tiler(config, batch, maps, RawStreams(arch, config))
        _, least = place(sequence, maps, tiler)
        assert least == brute_force(arch, bits, config, batch)
        different.add(least)
    assert len(different) > 6


def test_what_stays_is_cut_alike():
    """Iterations of a folded block find each other's chunks, however they are tiled."""
    arch = Architecture.parse("64x4f", classes=4, image_size=8)
    config = Config(activation_bytes=2 * KIB, mask_bytes=8 * KIB, parameter_channels=64)
    sequence, maps = steps(arch, [8] * (len(arch.layers) - 1), config)
    step = next(s for s in sequence if s.conv.folded)
    for resident in (2, 3, 4):
        kept = set()
        for batch, spilled in product((1, 3), product((False, True), repeat=2)):
            tiler = Tiler(config, batch, maps, RawStreams(arch, config))
            for area in (144, 288, 576) if resident < 4 else (0,):
                tiling = tiler.best(step, (spilled[0], False, spilled[1]),
                                    Space(resident, area, shared=True))  # fmt: skip
                if tiling:
                    kept.add(tuple(c for c in tiling.chunks if c.stays))
        assert len(kept) == 1


def test_masks_of_a_folded_block():
    """Once if they fit; else what fits stays, and the rest comes for every iteration."""
    arch = Architecture.parse("32x5f", classes=4, image_size=8)
    whole = 2 * 32 * 9 * 32 // 8  # bytes of the block's two masks
    for mask_bytes in (4 * KIB, 2 * KIB, KIB):
        config = Config(mask_bytes=mask_bytes)
        b = count_bytes(SimpleNamespace(descriptors=descriptors(make(arch, config))), config)
        streams = RawStreams(arch, config)
        rest = sum(8 * streams.beats(c.tensor, 0, -(-c.cout // 16)) for c in arch.tensors)
        again = b["mask"] - rest  # what was fetched before
        if mask_bytes >= whole:
            assert again == 0
        else:  # of four iterations; tiles are of 576 bytes, and one or two pass
            assert 3 * (whole - mask_bytes) <= again <= 3 * (whole - mask_bytes + 2 * 576)


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


def refused(message: str, arch: str, size: int, classes=10, bits=8, **config):
    arch = Architecture.parse(arch, classes=classes, image_size=size)
    with pytest.raises(HfnError, match=re.escape(message)):
        make(arch, Config(**config), bits)


def test_refuses_what_cannot_be_cut():
    refused("stem: activation words 192, the limit is 128: enlarge activation_bytes",
            "16x1", 8, activation_bytes=256)  # fmt: skip
    refused("stem: a row of 17 output pixels exceeds the partial sums' psum_depth 16",
            "4x1", 17, psum_depth=16)  # fmt: skip
    refused("stage1.block1.conv1: mask beats 36, the limit is 32: enlarge mask_bytes",
            "16x1", 4, mask_bytes=256)  # fmt: skip


def test_names_the_layer_of_a_field_that_overflows():
    refused("stage1.block1.conv1: descriptor field in_tiles must be 0 to 4095, not 4096",
            "4096x1", 1, rows=1, columns=64, mask_bytes=1 << 22)  # fmt: skip


def test_ring_takes_places_in_turn():
    ring = Ring(4, 20, unit=4)
    assert [ring.take(n) for n in (5, 4, 6, 16)] == [4, 12, 4, 4]


def test_workspace_reuses_gaps():
    w = Workspace()
    assert [w.take(0, 100), w.take(1, 64), w.take(2, 10)] == [0, 128, 192]
    w.free(0)
    assert w.take(3, 129) == 256 and w.take(4, 128) == 0
    assert w.size == 448


def test_tokens_stay_in_range_over_long_runs():
    """Counts are modulo 2^16; a token is never so old that it would look like one to come."""
    job = Opcode.POOL, Access(reads=((0, 0, 1),), writes=((1, 0, 1),))
    found = tokens([job] * 70000)
    for done, token in enumerate(found):
        assert (done - token["wait_executed"]) % (1 << 16) < 1 << 15
