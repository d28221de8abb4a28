"""No point lies above the roof, and points are where cycles and bytes say."""

import numpy as np
import pytest

from hfn_accel import plots
from hfn_accel.config import Config
from hfn_accel.design_report import report
from hfn_accel.errors import HfnError
from hfn_accel.network import Architecture
from hfn_accel.plots import roofline
from hfn_accel.plots.where import bars
from hfn_accel.workload import Workload
from tests.tickets import random_mode, random_ticket

from .points import overlaps, point, random_config, random_table, table_of

ROUNDING = 1 + 1e-9


@pytest.fixture(scope="module")
def table():
    return random_table(np.random.default_rng(1), 150)


def test_no_design_is_above_its_roof(table):
    points = roofline.of_table(table)
    assert len(points.work) == (table["infeasible_reason"] == "").sum() > 60
    assert np.all(points.attained <= points.roof * ROUNDING)
    assert np.any(points.attained > 0.9 * points.peak)  # a roof no higher than it must be


def test_points_are_counted_figures():
    rng = np.random.default_rng(2)
    for _ in range(20):
        ticket, config = random_ticket(rng, modes=random_mode), random_config(rng)
        row = point(ticket, config, 16)
        if row["infeasible_reason"]:
            continue
        e, points = (
            Workload.of_ticket(ticket).estimate(config, 16),
            roofline.of_table(table_of([row])),
        )
        moved = e.bytes_by_class
        reads = sum(moved[c] for c in ("descriptor", "mask", "parameter", "activation_read",
                                       "weight"))  # fmt: skip
        assert points.work[0] == e.work.sum()
        assert points.cycles[0] == e.total_cycles
        assert points.moved[0] == max(reads, moved["activation_write"])
        assert points.intensity[0] == e.work.sum() / points.moved[0]
        assert points.roof[0] == min(config.rows * config.columns,
                                     points.intensity[0] * config.axi_data_width / 8)  # fmt: skip


def limited_by_the_bus(rng) -> dict:
    """A report: uncoded masks of layers with few pixels, for an array that takes them at once."""
    arch = Architecture.parse("64x1,64x1,64x3,64x2", classes=5, image_size=int(rng.choice([4, 8])))
    ticket = random_ticket(rng, arch, bits=(1, 8), density=0.5)
    return report(
        Workload.of_ticket(ticket),
        Config(rows=64, columns=64),
        int(rng.integers(1, 50)),
        coded=False,
    )


def any_report(rng) -> dict | None:
    try:
        return report(Workload.of_ticket(random_ticket(rng, modes=random_mode)), random_config(rng),
                      int(rng.integers(1, 200)))  # fmt: skip
    except HfnError:
        return None


def test_no_part_of_a_run_is_above_the_roof():
    rng = np.random.default_rng(3)
    hollow, nearest = 0, 0
    for result in filter(None, [*(any_report(rng) for _ in range(15)),
                                *(limited_by_the_bus(rng) for _ in range(5))]):  # fmt: skip
        rows = [row for part in ("layers", "blocks", "stages") for row in result[part]
                if row["utilisation"]]  # fmt: skip
        points, whole = roofline.of_rows(result, rows), roofline.of_rows(result, [result])
        assert np.all(points.attained <= points.peak * ROUNDING)
        assert np.all(points.work / points.waited <= points.roof * ROUNDING)
        assert whole.attained <= whole.roof * ROUNDING
        hollow += np.sum(points.waited > points.cycles)
        nearest = max(nearest, (whole.attained / whole.intensity / whole.bandwidth)[0])
    assert hollow and nearest > 0.5  # else the slope was not tested


def test_what_was_fetched_ahead_is_hollow(result):
    rng = np.random.default_rng(0)
    limited = next(r for r in iter(lambda: limited_by_the_bus(rng), None) if ahead(r).any())
    for shown, names in ((result, []), (limited, ["fetched ahead, while others computed"])):
        axes = plots.roofline_of_report(shown).axes[0]
        assert [n for n in legend_texts(axes) if "ahead" in n] == names
        hollow = [p.get_offsets() for p in axes.collections if not len(p.get_facecolor())]
        assert sum(map(len, hollow)) == ahead(shown).sum()


def ahead(result: dict) -> np.ndarray:
    """Which of the bars of a report were fetched ahead."""
    points = roofline.of_rows(result, [row for row in bars(result) if row["utilisation"]])
    return points.waited > points.cycles


def legend_texts(axes) -> list[str]:
    return axes.get_legend_handles_labels()[1]


def test_the_busier_direction_counts():
    total, written = np.array([1000, 1000]), np.array([300, 800])
    table = {"cycles": np.full(2, 500), "utilisation_ratio": np.full(2, 0.5),
             "rows_lanes": np.full(2, 4), "columns_channels": np.full(2, 4),
             "bus_bits": np.full(2, 128), "total_moved_bytes": total,
             "activation_write_moved_bytes": written}  # fmt: skip
    np.testing.assert_array_equal(roofline.of_table(table).moved, [700, 800])


def test_mask_buffer_level():
    table = {"cycles": np.array([1000, np.nan, 500]), "utilisation_ratio": np.array([0.5, 0, 1]),
             "rows_lanes": np.array([8, 8, 4]), "columns_channels": np.array([16, 16, 32]),
             "tile_rows": np.array([800, 0, 500])}  # fmt: skip
    points = roofline.of_table(table, "mask buffer")
    np.testing.assert_array_equal(points.work, [64_000, 64_000])
    np.testing.assert_array_equal(points.moved, [1600, 2000])  # rows of C bits
    np.testing.assert_array_equal(points.roof, [min(128, 40 * 2), min(128, 32 * 4)])


def test_pictures(table, result):
    figure = plots.roofline_of_report(result)
    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert "bit operations a byte at the bus" in axes.get_xlabel()
    assert "bit operations a clock" in axes.get_ylabel()
    assert [text.get_text() for text in axes.texts] == ["knee: 8 a byte"]
    with pytest.raises(HfnError, match="a picture tells 16 apart"):
        plots.roofline_plot(table)


def designs() -> dict[str, np.ndarray]:
    """Designs of two arrays and both buses."""
    ticket = random_ticket(np.random.default_rng(0))
    return table_of([point(ticket, Config(rows=n, columns=n, axi_data_width=bus), 16)
                     for n in (4, 16) for bus in (64, 128)])  # fmt: skip


def test_every_roof_has_its_knee():
    figure = plots.roofline_plot(designs())
    (axes,) = figure.axes
    knees = {text.get_text() for text in axes.texts}
    assert knees == {f"knee: {n * n * 8 / bus:g} a byte" for n in (4, 16) for bus in (64, 128)}
    assert len(legend_texts(axes)) == 4 and overlaps(figure) == []


def test_bad_input(table):
    with pytest.raises(HfnError, match="the level of a roofline is one of bus, mask buffer"):
        plots.roofline_plot(table, "cache")
    with pytest.raises(HfnError, match="needs the column tile_rows"):
        plots.roofline_plot(table, "mask buffer")
    unfit = {name: values[table["infeasible_reason"] != ""] for name, values in table.items()}
    with pytest.raises(HfnError, match="no point fits"):
        plots.roofline_plot(unfit)
