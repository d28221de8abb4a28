"""The formulas against walks over tiles and over the plan, and the entries against each other."""

import numpy as np
import pytest

from hfn_accel.baselines import NAMES, OURS, baselines
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.engine.plan import plan
from hfn_accel.errors import HfnError
from hfn_accel.estimator import (
    ACTIVITY,
    CAUSES,
    CLASSES,
    OCCUPANCY,
    compulsory_bytes,
    estimate,
    estimate_network,
    estimate_plan,
)
from hfn_accel.functional import count_bytes
from hfn_accel.network import Architecture
from hfn_accel.program import Opcode
from hfn_accel.streams import RawStreams, TicketStreams
from hfn_accel.ticket import Ticket
from hfn_accel.workload import Workload
from tests.tickets import random_architecture, random_mode, random_ticket


def random_config(rng, *, tight: bool = False) -> Config:
    """Any shape; `tight`: buffers so small that most networks are cut and spilled, or refused."""

    def power(low, high):
        return 1 << int(rng.integers(low, high + 1))

    small = {"activation_bytes": power(8, 13), "mask_bytes": power(8, 12),
             "parameter_channels": 64, "result_words": 64}  # fmt: skip
    return Config(rows=power(0, 6), columns=power(0, 6), axi_data_width=int(rng.choice([64, 128])),
                  requantisers=power(0, 6), psum_depth=power(4, 7),
                  **(small if tight else {}))  # fmt: skip


def any_ticket(rng) -> Ticket:
    """A ticket of any kind: stems, blocks, modes, bipolar activations."""
    arch = random_architecture(rng, widths=(1, 40), bottlenecks=True, imagenet=True, blocks=(1, 3))
    return random_ticket(rng, arch, modes=random_mode, bipolar=True)


@pytest.mark.parametrize("seed", range(40))
def test_program_equals_plan(seed):
    """Of any ticket on any design, and the bytes are the functional simulator's."""
    rng = np.random.default_rng(seed)
    ticket, config = any_ticket(rng), random_config(rng, tight=seed % 2 == 0)
    latency, batch = int(rng.integers(1, 513)), int(rng.integers(1, 4))
    try:
        program = compile(ticket, config, batch=batch)
    except HfnError as refused:
        with pytest.raises(HfnError) as error:
            Workload.of_ticket(ticket).estimate(config, latency, batch)
        assert str(error.value) == str(refused)
        return
    a = estimate(program, config, latency, ticket.arch)
    b = Workload.of_ticket(ticket).estimate(config, latency, batch)
    assert a.names == b.names
    for one, other, names in ((a.cycles, b.cycles, CAUSES), (a.bytes, b.bytes, CLASSES)):
        assert tuple(one) == tuple(other) == names
        for name in names:
            np.testing.assert_array_equal(one[name], other[name], name)
    np.testing.assert_array_equal(a.figures, b.figures)
    header = program.header
    assert b.occupancy == {
        "bank_used_bytes": -(-header["bank_words"] * config.group // 8),
        "mask_used_bytes": header["mask_words"] * config.bus_bytes,
        "psum_used_pixels": header["psum_depth"],
        "parameter_used_channels": header["parameter_channels"],
        "result_used_words": header["result_words"],
    }
    counted = count_bytes(program, config)
    assert counted == {name: a.bytes_by_class[name] for name in counted}
    layers = a.parts(a.names)
    names = [
        name for c in ticket.arch.layers for name in [c.name] + [f"{c.name}.pool"] * c.max_pool
    ]
    assert list(layers) == ["begin", *names, "end"]
    for conv, mode in ((c, ticket.modes[c.tensor]) for c in ticket.arch.layers):
        assert layers[conv.name].macs.sum() == batch * conv.macs, conv.name
        work = batch * conv.macs * ticket.bits_of(conv.source) * mode.coats
        assert layers[conv.name].work.sum() == work


def test_bands_and_transfers_belong_to_their_layers():
    """A network that spills all it has, down to a classifier that sums over bands of its map."""
    arch = Architecture.parse("32x2", classes=5, image_size=16)
    config = Config(rows=4, columns=4, activation_bytes=2048)
    bits = [8] * (len(arch.layers) - 1)
    planned = plan(arch, bits, config, streams=RawStreams(arch, config), batch=2)
    e = estimate_plan(planned, config, 20, arch)
    layers = e.parts(e.names)
    for conv in arch.layers:
        assert layers[conv.name].macs.sum() == 2 * conv.macs, conv.name
        assert layers[conv.name].bytes_by_class["activation_read"] > 0
    last = [item.fields for item in planned.items if item.opcode == Opcode.CONV][-1]
    assert last["pool"] and not last["open"] and last["close"]  # the second band or a later one
    classifier = layers["classifier"].bytes_by_class
    assert classifier["activation_write"] == 2 * 4 * arch.classes
    assert classifier["activation_read"] >= 2 * 32 * 16**2
    name = None
    for item, owner in zip(planned.items, e.names, strict=True):
        if item.origin:
            name = arch.layers[item.origin.layer].name
            assert owner == name
        elif item.opcode == Opcode.STORE:
            assert owner == name
    name = None
    for item, owner in reversed(list(zip(planned.items, e.names, strict=True))):
        if item.origin:
            name = arch.layers[item.origin.layer].name
        elif item.opcode in (Opcode.IMAGE, Opcode.LOAD):
            assert owner == name


@pytest.mark.parametrize("seed", range(10))
def test_sums(seed):
    rng = np.random.default_rng(seed)
    e = Workload.of_ticket(random_ticket(rng)).estimate(random_config(rng), 9)
    causes, classes = e.cycles_by_cause, e.bytes_by_class
    assert causes.pop("total") == sum(causes.values()) == e.total_cycles
    assert classes["activation"] == classes["activation_read"] + classes["activation_write"]
    assert classes["total"] == sum(classes[c] for c in CLASSES)
    assert tuple(e.activity) == ACTIVITY and tuple(e.occupancy) == OCCUPANCY
    assert all((v >= 0).all() for v in (*e.cycles.values(), *e.bytes.values()))
    assert all((v >= 0).all() and v.any() for n, v in e.activity.items()
               if n not in ("pool_words", "load_beats", "store_beats"))  # fmt: skip
    assert 0 < e.utilisation <= 1
    assert e.total_cycles >= max(e.ideal_cycles, e.bandwidth_cycles)
    parts = e.parts(e.names).values()
    assert sum(part.total_cycles for part in parts) == e.total_cycles
    assert sum(part.bytes_by_class["total"] for part in parts) == classes["total"]


@pytest.mark.parametrize("seed", range(10))
def test_traffic_falls_with_mask_buffer_to_the_compulsory(seed):
    """A larger mask buffer never moves more; everything of the ticket is moved at least once."""
    rng = np.random.default_rng(seed)
    arch = random_architecture(rng, widths=(8, 40), blocks=(2, 5))
    bits, config = [4] * (len(arch.layers) - 1), random_config(rng)
    moved = [estimate_network(arch, bits, config.replace(mask_bytes=1 << i), 10).bytes_by_class
             for i in range(12, 20)]  # fmt: skip
    totals = [m["mask"] + m["activation"] for m in moved]
    assert totals == sorted(totals, reverse=True)
    for m in moved:
        assert m["mask"] >= sum(-(-c.weights // 8) for c in arch.tensors)
        assert m["activation"] >= arch.image_size**2 * 4 + 4 * arch.classes
        assert m["parameter"] >= 8 * sum(c.cout for c in arch.layers[:-1])
        assert m["descriptor"] >= 112 * (len(arch.layers) + 3)
    streams = RawStreams(arch, config)
    tiles = [-(-c.cout // config.columns) for c in arch.tensors]
    once = sum(streams.beats(t, 0, n) * config.bus_bytes for t, n in enumerate(tiles))
    assert moved[-1]["mask"] == once


@pytest.mark.parametrize("seed", range(10))
def test_compulsory_counts_everything_once(seed):
    """Against sums over layers, of which no run moves less but for its descriptors."""
    rng = np.random.default_rng(seed)
    ticket, config, batch = any_ticket(rng), random_config(rng), int(rng.integers(1, 4))
    arch, streams, bus = ticket.arch, TicketStreams(ticket, config), config.bus_bytes
    masks = sum(len(streams.encode(t, 0, -(-c.cout // config.columns)))
                for t, c in enumerate(arch.tensors))  # fmt: skip
    parameters = sum(-(-8 * c.cout // bus) * bus for c in arch.layers[:-1])
    images = batch * (-(-4 * arch.image_size**2 // bus) * bus + 4 * arch.classes)
    least = compulsory_bytes(arch, config, batch, streams)
    assert least == masks + parameters + images
    moved = Workload.of_ticket(ticket).estimate(config, 9, batch).bytes_by_class
    assert moved["total"] - moved["descriptor"] >= least


@pytest.mark.parametrize("latency", [0, 513, -1])
def test_latency_has_limits(latency):
    arch = Architecture.parse("8x1", classes=4, image_size=8)
    with pytest.raises(HfnError, match="latency must be 1 to 512"):
        estimate_network(arch, [4] * (len(arch.layers) - 1), Config(), latency)


def test_latency_never_saves():
    arch = Architecture.parse("8x2f", classes=4, image_size=8)
    bits = [3] * (len(arch.layers) - 1)
    runs = [estimate_network(arch, bits, Config(), latency) for latency in (1, 10, 100, 512)]
    totals = [e.total_cycles for e in runs]
    assert totals == sorted(set(totals))
    for cause in ("compute", "stall", "drain"):
        assert len({e.cycles_by_cause[cause] for e in runs}) == 1, cause


@pytest.mark.parametrize("seed", range(10))
def test_baselines(seed):
    rng = np.random.default_rng(seed)
    arch = random_architecture(rng, blocks=(2, 5))
    config = random_config(rng)
    bits = [4] * (len(arch.layers) - 1)

    def run(network):
        e = estimate_network(network, bits, config, 10)
        return e.bytes_by_class, baselines(network, RawStreams(network, config), e)

    moved, rows = run(arch)
    assert list(rows) == list(NAMES)
    assert rows[OURS].moved == moved["mask"] and rows[OURS].total == moved["total"]
    assert rows["dense 8-bit"].moved == sum(c.weights for c in arch.layers)
    unfolded, other = run(arch.unfolded())
    assert rows["masks, unfolded"].moved == unfolded["mask"] == other[OURS].stored
    assert rows["masks, unfolded"].stored == other[OURS].stored
    assert rows["masks, refetched"].moved == unfolded["mask"]
    assert rows["masks, refetched"].stored == rows[OURS].stored <= rows[OURS].moved


def test_a_network_that_the_bus_limits_keeps_it_busy():
    """Small maps, 1-bit activations: masks arrive at a beat a clock, 5 % lost at most."""
    arch = Architecture.parse("512x4", classes=10, image_size=4)
    config = Config(rows=64, columns=64, requantisers=64, mask_bytes=131072)
    found = estimate_network(arch, [1] * (len(arch.layers) - 1), config, 16)
    assert found.ideal_cycles < found.bandwidth_cycles
    assert found.total_cycles <= 1.05 * found.bandwidth_cycles
