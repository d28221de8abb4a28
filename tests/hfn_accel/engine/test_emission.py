"""Descriptors: that each finds what it needs, and that none gets into another's way."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from hfn_accel.config import Config
from hfn_accel.engine import places
from hfn_accel.engine.records import FITS, JOB, Design, table
from hfn_accel.engine.sweep import plan as best_plan
from hfn_accel.network import Architecture
from hfn_accel.program import Opcode
from hfn_accel.streams import TicketStreams
from tests.hfn_accel.engine.cases import random_case
from tests.hfn_accel.engine.hazards import conflicts, loose, use
from tests.hfn_accel.engine.plans import KIB, descriptors, lowered, make, random_network
from tests.hfn_accel.engine.tags import TagMachine
from tests.tickets import random_mode, random_ticket


def random_networks(rng, kind: str):
    """(network, config, batch) without end: of random tickets, or of any shape."""
    while True:
        arch, _, config, batch = random_case(rng)
        if kind == "any shape":
            yield random_network(rng, config), config, batch
        else:
            ticket = random_ticket(rng, arch, modes=random_mode)
            bits = [norm.bits for norm in ticket.norms]
            yield lowered(arch, bits, config, TicketStreams(ticket, config)), config, batch


def planned(kind: str, seed: int, number: int):
    """(network, config, design, jobs) of so many that fit."""
    for network, config, batch in random_networks(np.random.default_rng(seed), kind):
        design = Design.of(config, latency=0, batch=batch)
        jobs, _, refusal = best_plan(network, design)
        if refusal.reason == FITS:
            yield network, config, design, jobs.view(np.recarray)
            number -= 1
            if number == 0:
                return


def fields_of(jobs):
    """As `descriptors` of a plan."""
    return [(Opcode(row[0]), dict(zip(JOB.names, row, strict=True))) for row in jobs.tolist()]


@pytest.mark.parametrize("kind", ["tickets", "any shape"])
def test_everything_is_where_it_is_looked_for(kind):
    seen = Counter()
    for network, _, design, jobs in planned(kind, seed=1, number=25):
        machine = TagMachine(network, design)
        machine.run(jobs)
        kinds = jobs.opcode.tolist()
        assert kinds[0] == Opcode.BEGIN and kinds[-1] == Opcode.END
        seen.update(map(Opcode, kinds))
        for image in range(design.batch):
            raw = [job[1:] for job in machine.raw if job[0] == image]
            for first in {first for first, *_ in raw}:
                pixels, opens, closes = zip(*(job[1:] for job in raw if job[0] == first),
                                            strict=True)  # fmt: skip
                step = network.steps[-1]
                assert sum(pixels) == step.rows * step.width
                assert opens == (1, *[0] * (len(opens) - 1)) and closes == opens[::-1]
    assert min(seen.values()) > 4 and len(seen) == len(Opcode)


@pytest.mark.parametrize("kind", ["tickets", "any shape"])
def test_no_hazards_and_no_needless_waits(kind):
    stored = 0
    for _, config, _, jobs in planned(kind, seed=2, number=25):
        found = fields_of(jobs)
        assert not conflicts(found, config)
        stored += Opcode.STORE in jobs.opcode
        if len(found) < 100:
            assert not loose(found, config)
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


def test_needs_are_what_is_used():
    for _, config, _, jobs in planned("tickets", seed=6, number=15):
        header, found = jobs[0], fields_of(jobs)[1:]
        uses = [use(i, opcode, f, config) for i, (opcode, f) in enumerate(found)]
        ends = [end for u in uses for parts in (u.bank_reads, u.bank_writes)
                for part in parts.values() for _, end in part]  # fmt: skip
        beat = config.axi_data_width // config.group  # a group's last words fill it
        assert max(ends) <= header.bank_words < max(ends) + beat
        for name, unit in ("masks", 1), ("parameters", max(8, config.columns)):
            end = max(u.buffers[name][1] for u in uses if name in u.buffers)
            field = {"masks": "mask_words", "parameters": "parameter_channels"}[name]
            assert header[field] == -(-end // unit) * unit
        convs = [f for opcode, f in found if opcode == Opcode.CONV]
        sums = [f["out_tiles"] if f["raw"] else f["strip_rows"] * f["out_width"] for f in convs]
        assert header.psum_depth == max(sums)
        tiles = max(f["out_tiles"] for f in convs if f["raw"])
        assert header.result_words == tiles * config.columns


def test_ring_takes_places_in_turn():
    ring = table(places.RING, 1)[0]
    places.open_ring(ring, 4, 20, 4)
    assert [places.take(ring, n) for n in (5, 4, 6, 16)] == [4, 12, 4, 4]


def test_workspace_reuses_gaps():
    regions = table(places.REGION, 5)
    ends = [places.settle(regions, n, size) for n, size in enumerate((100, 64, 10))]
    assert regions.address[:3].tolist() == [0, 128, 192] and ends == [128, 192, 256]
    regions.end[0] = 0
    assert places.settle(regions, 3, 129) == 448 and places.settle(regions, 4, 128) == 128
    assert regions.address[3:].tolist() == [256, 0]
