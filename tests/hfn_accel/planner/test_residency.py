"""Where maps and masks stay, and into what they are cut: against every other choice."""

import math
from collections import Counter
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest

from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.functional import count_bytes
from hfn_accel.network import Architecture
from hfn_accel.planner import RawStreams
from hfn_accel.planner.residency import candidates, last_uses, place, runs
from hfn_accel.planner.steps import steps
from hfn_accel.planner.tiling import Space, Tiler
from hfn_accel.program import BANKS, Opcode
from tests.hfn_accel.planner.hazards import conflicts
from tests.hfn_accel.planner.plans import KIB, descriptors, make
from tests.tickets import random_architecture


def every_choice(sequence, maps, tiler: Tiler) -> list[int]:
    """Bytes of every choice of maps that stay in a bank, each with the best space for masks."""
    last, totals = last_uses(sequence), []
    free = [n for n, m in enumerate(maps) if not m.image
            and tiler.batch * m.groups * m.stride(m.height) <= tiler.config.bank_words]  # fmt: skip
    for choice in product((False, True), repeat=len(free)):
        stay = {n for n, kept in zip(free, choice, strict=True) if kept}
        total, index = 0, 0
        for run in runs(sequence):
            flags = [tuple(n is not None and n not in stay for n in s.operands) for s in run]
            for step, spilled in zip(run, flags, strict=True):
                living = sum(n <= (step.output or n) and last[n] >= index for n in stay)
                total += math.inf if living + sum(spilled) > BANKS else 0
                index += 1
            total += min(bytes_of(run, flags, *c, tiler) for c in candidates(run, flags, tiler))
        totals += [total] if total < math.inf else []
    return totals


def bytes_of(run, flags, spaces, cost, tiler) -> float:
    tilings = [tiler.best(s, spilled, spaces[s.conv.tensor])
               for s, spilled in zip(run, flags, strict=True)]  # fmt: skip
    return cost[0] + sum(t.cost[0] for t in tilings) if all(tilings) else math.inf


def test_residency_is_optimal():
    """Against every choice, of networks that must spill something and may keep something."""
    rng, looked = np.random.default_rng(4), Counter()
    while looked["plans"] < 60:
        arch = random_architecture(rng, stages=(1, 2), blocks=(1, 3), sizes=(6, 14),
                                   bottlenecks=True, imagenet=True, widths=(4, 24))  # fmt: skip
        config = Config(
            rows=1 << int(rng.integers(1, 5)), columns=1 << int(rng.integers(1, 5)),
            activation_bytes=1 << int(rng.integers(8, 12)),
            mask_bytes=1 << int(rng.integers(9, 14)),
        )  # fmt: skip
        bits = rng.integers(1, 9, len(arch.layers) - 1).tolist()
        sequence, maps = steps(arch, bits, config)
        tiler = Tiler(config, int(rng.integers(1, 3)), maps, RawStreams(arch, config))
        if len(maps) > 9:
            continue
        totals = every_choice(sequence, maps, tiler)
        if not totals:
            looked["refusals"] += 1
            with pytest.raises(HfnError, match="enlarge (activation|mask)_bytes"):
                place(sequence, tiler)
            continue
        placed, moved = place(sequence, tiler)
        assert moved == min(totals)
        looked["plans"] += any(p.spilled[2] for p in placed) and len(set(totals)) >= 4
    assert looked["refusals"] > 10


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
                                    Space(resident, area, chunk=2))  # fmt: skip
                if tiling:
                    kept.add(tuple(c for c in tiling.chunks if c.stays))
        assert len(kept) == 1


def test_what_stays_is_cut_as_small_as_a_bank_asks():
    """All masks of a folded block fit, but not a band of all that a large chunk writes."""
    arch = Architecture.parse("20x3f", classes=8, image_size=7, in_channels=2)
    config = Config(rows=2, columns=8, activation_bytes=KIB, mask_bytes=8 * KIB, psum_depth=16)
    p = make(arch, config, [4, 8, 8, 2, 3, 5, 8], batch=3)
    assert not conflicts(descriptors(p), config)
    fetched = Counter()
    for item in p.items:
        if item.opcode == Opcode.CONV:
            fetched[arch.layers[item.origin.layer].name] += item.fields["fetch_mask"]
    assert fetched["stage1.folded.conv2[1]"] == 2 and fetched["stage1.folded.conv2[2]"] == 0


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
