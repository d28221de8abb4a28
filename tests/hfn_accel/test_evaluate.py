"""Columns of a table of points: against single estimates, and against each other."""

import numpy as np
import pytest

from hfn_accel import evaluate, ticket
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.estimator import CAUSES, CLASSES, OCCUPANCY
from hfn_accel.exploration.columns import FIGURES
from hfn_accel.workload import Workload, resolve

TICKET = "cifar10-32x1-64x2f-128x3f"
NETWORKS = (
    {"network": "hfn-resnet18", "dataset": "cifar10", "coats": 2},
    {"network": "hfn-resnet50", "dataset": "cifar100", "activation_bits": 3, "folding": "all"},
    {"network": "hfn-resnet34", "dataset": "imagenet", "pruned": 4, "locked": 2},
    {"ticket": TICKET},
)  # fmt: skip


def random_designs(rng, count: int) -> dict[str, np.ndarray]:
    def power(low, high):
        return 1 << rng.integers(low, high + 1, count)

    return {
        "rows_lanes": power(1, 6), "columns_channels": power(1, 6),
        "activation_bank_bytes": power(12, 20), "mask_buffer_bytes": power(12, 20),
        "parameter_channels": power(7, 11), "psum_depth_pixels": power(5, 12),
        "bus_bits": power(6, 7), "requantisers": power(0, 4), "coded": rng.integers(0, 2, count),
        "result_words": power(7, 11), "latency_cycles": rng.integers(1, 200, count),
        "batch_images": rng.integers(1, 4, count),
    }  # fmt: skip


@pytest.mark.parametrize("number", range(len(NETWORKS)))
def test_points_are_single_estimates(number):
    """Cycles by cause, bytes by class, occupancy, and the reason where nothing fits."""
    workload = resolve(NETWORKS[number])
    designs = random_designs(np.random.default_rng(number), 24)
    found = evaluate.figures(workload, designs)
    fitting = 0
    for i in range(24):
        config = evaluate.configuration(designs, i)
        latency, batch, coded = (int(designs[n][i]) for n in evaluate.RUN_COLUMNS)
        try:
            e = workload.estimate(config, latency, batch, bool(coded))
        except HfnError as error:
            assert found["infeasible_reason"][i] == str(error)
            assert np.isnan(found["cycles"][i]) and np.isnan(found["energy_low_uj"][i])
            continue
        fitting += 1
        row = {name: values[i] for name, values in found.items()}
        assert row["infeasible_reason"] == ""
        assert row["cycles"] == e.total_cycles and row["macs"] == e.macs.sum()
        for cause in CAUSES:
            assert row[f"{cause}_cycles"] == e.cycles_by_cause[cause]
        for name in (*CLASSES, "activation", "total"):
            assert row[f"{name}_moved_bytes"] == e.bytes_by_class[name]
        for name in OCCUPANCY:
            assert row[name] == e.occupancy[name]
        assert row["full_array_cycles"] == e.ideal_cycles
        assert row["full_bus_cycles"] == e.bandwidth_cycles
        assert row["utilisation_ratio"] == pytest.approx(e.utilisation)
    assert fitting > 4


def test_bounds_and_sums():
    """What must hold of every point, whatever its design."""
    workload = resolve({"network": "hfn-resnet50"})
    designs = random_designs(np.random.default_rng(9), 300)
    found = evaluate.figures(workload, designs)
    fits = found["infeasible_reason"] == ""
    f = {name: values[fits] for name, values in found.items()}
    batch = designs["batch_images"][fits]
    assert 100 < fits.sum() < 300 and not set(FIGURES) - set(f)
    assert (f["cycles"] == sum(f[f"{cause}_cycles"] for cause in CAUSES)).all()
    assert (f["total_moved_bytes"] == sum(f[f"{name}_moved_bytes"] for name in CLASSES)).all()
    assert (f["total_moved_bytes"] - f["descriptor_moved_bytes"] >= f["compulsory_bytes"]).all()
    assert (f["cycles"] >= np.maximum(f["full_array_cycles"], f["full_bus_cycles"])).all()
    assert (f["macs"] == batch * sum(c.macs for c in workload.arch.layers)).all()
    assert (f["energy_low_uj"] > 0).all() and (f["energy_low_uj"] < f["energy_high_uj"]).all()
    assert np.allclose(f["time_ms"], f["cycles"] / f["clock_mhz"] / 1e3)
    assert (f["bank_used_bytes"] <= designs["activation_bank_bytes"][fits]).all()
    assert (f["mask_used_bytes"] <= designs["mask_buffer_bytes"][fits]).all()
    parameters = 8 * sum(c.cout for c in workload.arch.layers[:-1])
    assert (f["model_bytes"] > parameters).all() and np.isnan(f["accuracy_ratio"]).all()


def test_tickets():
    """Exact streams, accuracy, and the accumulators that a ticket needs."""
    workload = resolve({"ticket": TICKET})
    found = evaluate.figures(workload, {"accumulator_bits": np.array([24, 12])})
    assert found["accuracy_ratio"][0] == 0.8797 and found["cycles"][0] == 1_719_655
    assert found["total_moved_bytes"][0] == 91_680
    assert "bits of accumulator" in found["infeasible_reason"][1]
    assert np.isnan(found["cycles"][1])
    assert found["model_bytes"][0] == 74_920 + 8 * workload.parameters


def test_a_point_is_a_configuration():
    config = Config(rows=8, mask_bytes=1 << 15)
    one = evaluate.point(config, 7, 2, False)
    workload = Workload.of_ticket(ticket.load(TICKET))
    found = evaluate.figures(workload, one)
    assert found["cycles"][0] == workload.estimate(config, 7, 2, False).total_cycles
