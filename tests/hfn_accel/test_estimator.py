"""The formulas against a walk over all tiles, and the two entries against each other."""

import numpy as np
import pytest

from hfn_accel import timing
from hfn_accel.baselines import NAMES, OURS, baselines
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.designs import Designs, plan
from hfn_accel.estimator import CAUSES, CLASSES, estimate, estimate_network
from hfn_accel.network import Architecture
from hfn_accel.program import Opcode
from tests.hfn_accel.test_designs import random_config
from tests.tickets import random_architecture, random_ticket


def bits_of(ticket):
    return [n.bits for n in ticket.norms]


def walk(fields: dict, config: Config) -> dict[str, int]:
    """fill, compute and stall of a CONV, tile by tile, as docs/architecture.md says."""
    out_bits = 0 if fields["raw"] else fields["out_bits"]
    res_bits = fields["res_bits"] if fields["residual"] else 0
    period = max(fields["in_bits"], out_bits, res_bits, config.columns // config.units)
    tiles = []
    for _ in range(fields["out_tiles"]):
        for strip in range(fields["strips"]):
            last = strip == fields["strips"] - 1
            rows = fields["last_strip_rows"] if last else fields["strip_rows"]
            for tap in range(fields["kernel"] ** 2):
                for tile in range(fields["in_tiles"]):
                    end = tile == fields["in_tiles"] - 1
                    final = end and tap == fields["kernel"] ** 2 - 1
                    stream = rows * fields["out_width"] * (period if final else fields["in_bits"])
                    tiles.append((stream, fields["last_rows"] if end else config.rows))
    fill = timing.SETUP_CYCLES + tiles[0][1] + timing.FILL_CYCLES
    stall = 0
    for (stream, _), (_, rows) in zip(tiles, tiles[1:], strict=False):
        stall += max(0, rows + timing.FILL_CYCLES + timing.RESTART_CYCLES - stream)
    return {"fill": fill, "compute": sum(s for s, _ in tiles), "stall": stall}


@pytest.mark.parametrize("seed", range(40))
def test_program_equals_network_equals_walk(seed):
    rng = np.random.default_rng(seed)
    ticket, config = random_ticket(rng, widths=(1, 70)), random_config(rng)
    latency = int(rng.integers(1, 200))
    program = compile(ticket, config)
    a = estimate(program, config, latency)
    b = estimate_network(ticket.arch, bits_of(ticket), config, latency)
    for one, other, names in ((a.cycles, b.cycles, CAUSES), (a.bytes, b.bytes, CLASSES)):
        assert tuple(one) == tuple(other) == names
        for name in names:
            np.testing.assert_array_equal(one[name], other[name], name)
    np.testing.assert_array_equal(a.macs, b.macs)
    assert a.macs[2:-1].tolist() == [c.macs for c in ticket.arch.layers]
    for i, (opcode, fields) in enumerate(program.descriptors):
        if opcode == Opcode.CONV:
            counted = {cause: int(a.cycles[cause][i]) for cause in ("fill", "compute", "stall")}
            assert counted == walk(fields, config)


@pytest.mark.parametrize("seed", range(10))
def test_sums(seed):
    rng = np.random.default_rng(seed)
    ticket, config = random_ticket(rng), random_config(rng)
    e = estimate_network(ticket.arch, bits_of(ticket), config, 9)
    causes, classes = e.cycles_by_cause, e.bytes_by_class
    assert causes.pop("total") == sum(causes.values()) == e.total_cycles
    assert classes["activation"] == classes["activation_read"] + classes["activation_write"]
    assert classes["total"] == sum(classes[c] for c in CLASSES)
    assert all((v >= 0).all() for v in (*e.cycles.values(), *e.bytes.values()))
    assert 0 < e.utilisation <= 1


@pytest.mark.parametrize("seed", range(10))
def test_arrays_of_designs_equal_single_designs(seed):
    rng = np.random.default_rng(seed)
    arch = random_architecture(rng)
    configs = [random_config(rng) for _ in range(30)]
    axes = {name: [c.to_dict()[name] for c in configs] for name in configs[0].to_dict()}
    bits = rng.integers(1, 9, (len(configs), len(arch.layers) - 1))
    together = estimate_network(arch, bits, Designs.of(Config(), **axes), 12)
    for i, config in enumerate(configs):
        alone = estimate_network(arch, bits[i], config, 12)
        assert together.total_cycles[i] == alone.total_cycles
        assert together.utilisation[i] == alone.utilisation
        assert together.bytes_by_class["total"][i] == alone.bytes_by_class["total"]


@pytest.mark.parametrize("seed", range(10))
def test_traffic_falls_with_mask_buffer_to_the_compulsory(seed):
    """A larger mask buffer never moves more; the masks of the ticket are moved at least once."""
    rng = np.random.default_rng(seed)
    arch = random_architecture(rng, widths=(8, 40), blocks=(2, 5))
    bits = [4] * (len(arch.layers) - 1)
    designs = Designs.of(random_config(rng), mask_bytes=[1 << i for i in range(8, 20)])
    moved = estimate_network(arch, bits, designs, 10).bytes_by_class
    assert (np.diff(moved["total"]) <= 0).all()
    assert (moved["mask"] >= sum(-(-c.weights // 8) for c in arch.tensors)).all()
    assert (moved["activation"] >= arch.image_size**2 * 4 + 4 * arch.classes).all()
    assert (moved["parameter"] >= 8 * sum(c.cout for c in arch.layers[:-1])).all()
    assert (moved["descriptor"] == 64 * (len(arch.layers) + 3)).all()


def test_many_activation_bits_on_one_design():
    arch = Architecture.parse("8x2f,16x1", classes=4, image_size=8)
    bits = np.arange(1, 9)[:, None] * np.ones(len(arch.layers) - 1, int)
    together = estimate_network(arch, bits, Config(), 10)
    alone = [estimate_network(arch, b, Config(), 10) for b in bits]
    assert together.total_cycles.tolist() == [int(e.total_cycles) for e in alone]


def test_latency_costs_one_clock_a_burst():
    """A 64-byte descriptor is one burst, so its fetch grows with the latency clock by clock."""
    arch = Architecture.parse("8x2f", classes=4, image_size=8)
    bits = [3] * (len(arch.layers) - 1)
    a, b = (estimate_network(arch, bits, Config(), latency) for latency in (10, 11))
    np.testing.assert_array_equal(b.cycles["descriptor"] - a.cycles["descriptor"], 1)
    for cause in ("fill", "compute", "stall", "drain"):
        np.testing.assert_array_equal(a.cycles[cause], b.cycles[cause])


@pytest.mark.parametrize("seed", range(10))
def test_baselines(seed):
    rng = np.random.default_rng(seed)
    arch = random_architecture(rng, blocks=(2, 5))
    config = random_config(rng)
    bits = [4] * (len(arch.layers) - 1)

    def run(network, config):
        planned = plan(network, bits, config)
        e = estimate_network(network, bits, config, 10, planned)
        return e.bytes_by_class, baselines(network, planned, e, config)

    moved, rows = run(arch, config)
    assert list(rows) == list(NAMES)
    assert rows[OURS].moved == moved["mask"] and rows[OURS].total == moved["total"]
    assert rows["dense 8-bit"].moved == sum(c.weights for c in arch.layers)
    unfolded, other = run(arch.unfolded(), config)
    assert rows["masks, unfolded"].moved == unfolded["mask"]
    assert rows["masks, unfolded"].total == unfolded["total"]
    assert rows["masks, unfolded"].stored == other[OURS].stored == unfolded["mask"]
    refetched, _ = run(arch, config.replace(mask_bytes=256))
    if all((plan(arch, bits, config.replace(mask_bytes=256)).fields["fetch_mask"] == 1)[2:-1]):
        assert rows["masks, refetched"].moved == refetched["mask"]
    assert rows["masks, refetched"].stored == rows[OURS].stored
