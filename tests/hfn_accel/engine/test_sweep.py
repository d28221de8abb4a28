"""Many designs at once against each alone, and what is true of every run."""

import numpy as np
import pytest

from hfn_accel.config import Config
from hfn_accel.engine import lower, sweep
from hfn_accel.engine.messages import error
from hfn_accel.engine.records import DESIGN, FITS, Design, Network, Refusal, table
from hfn_accel.errors import HfnError
from hfn_accel.estimator import (
    ACTIVITY,
    CAUSES,
    CLASSES,
    OCCUPANCY,
    compulsory_bytes,
    estimate_network,
)
from hfn_accel.expected_streams import ExpectedStreams
from hfn_accel.images import LOGIT_BYTES
from hfn_accel.streams import RawStreams, TicketStreams
from tests.tickets import random_architecture, random_mode, random_ticket


def power(rng, low, high):
    return 1 << int(rng.integers(low, high + 1))


def random_design(rng, base: Config) -> tuple[Config, int, int]:
    """Anything with the columns and the bus of `base`, a latency and a batch."""
    config = base.replace(
        rows=power(rng, 0, 6), requantisers=power(rng, 0, 6), psum_depth=power(rng, 4, 8),
        activation_bytes=power(rng, 9, 15), mask_bytes=power(rng, 9, 15),
        parameter_channels=power(rng, 6, 8), result_words=power(rng, 6, 8),
    )  # fmt: skip
    return config, int(rng.integers(1, 513)), int(rng.integers(1, 4))


def random_base(rng) -> Config:
    return Config(columns=power(rng, 0, 6), axi_data_width=power(rng, 6, 7))


def network_of(arch, bits, streams, config) -> Network:
    return Network(*lower.lower(arch, bits), *lower.tensor_table(streams, arch.tensors, config))


def run(network, designs):
    rows = [tuple(Design.of(*design)) for design in designs]
    return sweep.run(network, np.array(rows, DESIGN).view(np.recarray))


@pytest.mark.parametrize("seed", range(15))
def test_every_design_equals_itself_alone(seed):
    """Figures of each are the sums of its single estimate, or it is refused in the same words."""
    rng = np.random.default_rng(seed)
    arch = random_architecture(rng, widths=(1, 40), bottlenecks=True, imagenet=True, blocks=(1, 3))
    ticket, base = random_ticket(rng, arch, modes=random_mode), random_base(rng)
    streams, bits = TicketStreams(ticket, base), [norm.bits for norm in ticket.norms]
    network = network_of(arch, bits, streams, base)
    designs = [random_design(rng, base) for _ in range(20)]
    figures, refusals = run(network, designs)
    for row, why, (config, latency, batch) in zip(figures, refusals, designs, strict=True):
        try:
            e = estimate_network(arch, bits, config, latency, batch, streams)
        except HfnError as refused:
            assert str(error(Refusal(*map(int, why)), arch)) == str(refused)
            assert not any(row)
            continue
        assert why.reason == FITS
        cycles, moved = e.cycles_by_cause, e.bytes_by_class
        found = {f"{cause}_cycles": cycles[cause] for cause in CAUSES}
        found |= {f"{name}_moved_bytes": moved[name] for name in CLASSES}
        found |= {name: counts.sum() for name, counts in e.activity.items()} | e.occupancy
        found |= {
            "cycles": e.total_cycles, "macs": e.macs.sum(), "work": e.work.sum(),
            "descriptors": len(e.names), "planned_bytes": row.planned_bytes,
            "compulsory_bytes": compulsory_bytes(arch, config, batch, streams),
        }  # fmt: skip
        assert {name: row[name] for name in row.dtype.names} == found


@pytest.mark.parametrize("seed", range(15))
def test_sums_and_bounds(seed):
    """Parts sum to the total; what is moved is at least the compulsory, and what the plan was
    chosen by; nothing uses more than there is."""
    rng = np.random.default_rng(seed)
    arch = random_architecture(rng, widths=(1, 40), bottlenecks=True, blocks=(1, 4))
    base = random_base(rng)
    bits = rng.integers(1, 9, len(arch.layers) - 1).tolist()
    designs = [random_design(rng, base) for _ in range(40)]
    roomy = base.replace(activation_bytes=1 << 18, mask_bytes=1 << 20, parameter_channels=4096)
    designs.append((roomy, 16, 1))
    network = network_of(arch, bits, RawStreams(arch, base), base)
    f, refusals = run(network, designs)
    fits = refusals.reason == FITS
    assert fits[-1]
    np.testing.assert_array_equal(f.cycles, sum(f[f"{cause}_cycles"] for cause in CAUSES))
    total = sum(f[f"{name}_moved_bytes"] for name in CLASSES)
    batch = np.array([batch for *_, batch in designs])
    logits = np.where(fits, batch * arch.classes * LOGIT_BYTES, 0)
    np.testing.assert_array_equal(total - f.descriptor_moved_bytes, f.planned_bytes + logits)
    assert (f.planned_bytes + logits >= f.compulsory_bytes).all()
    assert f.planned_bytes[-1] + logits[-1] == f.compulsory_bytes[-1]  # all of it fits
    assert (f.macs == np.where(fits, batch * sum(c.macs for c in arch.layers), 0)).all()
    have = {"bank_used_bytes": "activation_bytes", "mask_used_bytes": "mask_bytes",
            "psum_used_pixels": "psum_depth", "parameter_used_channels": "parameter_channels",
            "result_used_words": "result_words"}  # fmt: skip
    assert tuple(have) == OCCUPANCY
    for used, field in have.items():
        assert (f[used] <= [getattr(config, field) for config, *_ in designs]).all(), used
        assert (f[used][fits] > 0).all()
    for name in ACTIVITY:
        assert (f[name] >= 0).all()
    assert (f.psum_updates <= f.array_planes).all() and (f.tile_rows <= f.mask_read_rows).all()


@pytest.mark.parametrize("field, sizes", [
    ("activation_bytes", range(8, 19)), ("mask_bytes", range(8, 19)),
    ("parameter_channels", range(6, 12)), ("psum_depth", range(4, 12)),
    ("result_words", range(6, 10)),
])  # fmt: skip
def test_a_larger_buffer_never_moves_more(field, sizes):
    """Nor does it refuse what a smaller one holds. Descriptors apart."""
    fitting = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        arch = random_architecture(rng, widths=(1, 64), bottlenecks=True, imagenet=True,
                                   sizes=(4, 16))  # fmt: skip
        base = random_base(rng)
        bits = rng.integers(1, 9, len(arch.layers) - 1).tolist()
        config, latency, batch = random_design(rng, base)
        modes = [random_mode(rng) for _ in arch.tensors]
        streams = RawStreams(arch, base) if seed % 2 else ExpectedStreams(
            arch.tensors, modes, base, 1.0)  # fmt: skip
        network = network_of(arch, bits, streams, base)
        designs = [(config.replace(**{field: 1 << n}), latency, batch) for n in sizes]
        figures, refusals = run(network, designs)
        fits = refusals.reason == FITS
        assert (fits == np.maximum.accumulate(fits)).all(), seed
        moved = figures.planned_bytes[fits]
        assert (moved == np.minimum.accumulate(moved)).all(), (seed, moved)
        fitting += fits.sum()
    assert fitting > 100


def test_no_designs():
    arch = random_architecture(np.random.default_rng(0))
    network = network_of(arch, [4] * (len(arch.layers) - 1), RawStreams(arch, Config()), Config())
    figures, refusals = sweep.run(network, table(DESIGN, 0))
    assert len(figures) == len(refusals) == 0
