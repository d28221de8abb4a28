"""A step curve a network: the least traffic with each buffer, and where folded masks fit."""

import numpy as np
import pytest

from hfn_accel import plots
from hfn_accel.config import Config
from hfn_accel.design_report import report
from hfn_accel.errors import HfnError
from hfn_accel.network import Architecture
from hfn_accel.workload import Workload
from tests.tickets import random_ticket

from .points import overlaps, point, table_of

SIZES = [1 << n for n in range(8, 13)]


@pytest.fixture(scope="module")
def tickets():
    architectures = [Architecture.parse(text, classes=5, image_size=8)
                     for text in ("8x1,16x4f", "8x1,12x2")]  # fmt: skip
    return [random_ticket(np.random.default_rng(0), arch) for arch in architectures]


@pytest.fixture(scope="module")
def table(tickets):
    configs = [Config(rows=8, columns=8, mask_bytes=size, activation_bytes=banks)
               for size in SIZES for banks in (512, 8192)]  # fmt: skip
    return table_of([point(ticket, config, 16) for ticket in tickets for config in configs])


def test_curves_are_least_traffic(table):
    (axes,) = plots.buffer_plot(table).axes
    curves = {line.get_label(): line for line in axes.lines if len(line.get_xdata()) > 2}
    assert set(curves) == set(table["network"])
    for network, line in curves.items():
        assert line.get_drawstyle() == "steps-post"
        for size, traffic in zip(*line.get_data(), strict=True):
            here = (table["network"] == network) & (table["mask_buffer_bytes"] == size)
            assert traffic == np.nanmin(table["total_moved_bytes"][here])
            assert traffic < np.nanmax(table["total_moved_bytes"][here])  # small banks spill
    assert axes.get_xlabel() == "mask buffer (bytes)"
    assert axes.get_ylabel() == "total (bytes moved)"


def test_folded_masks_are_the_streams(tickets):
    config = Config(rows=8, columns=8)
    folded, plain = (report(Workload.of_ticket(ticket), config, coded=False) for ticket in tickets)
    weights = 2 * 16 * 16 * 3 * 3  # two convolutions of 16 channels
    assert plots.folded_masks(folded) == {"stage2": weights // 8}
    assert plots.folded_masks(plain) == {}


def test_marks_stand_where_masks_fit(table, tickets):
    network = str(tickets[0].arch)
    masks = plots.folded_masks(report(Workload.of_ticket(tickets[0]), Config(rows=8, columns=8)))
    figure = plots.buffer_plot(table, masks={network: masks})
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert any(text.startswith("stage2's folded masks: ") for text in texts)
    assert sum(text.startswith("least from ") for text in texts) == 2
    assert overlaps(figure) == []
    size = masks["stage2"]
    here = (table["network"] == network) & ~np.isnan(table["total_moved_bytes"])
    before, after = (table["mask_moved_bytes"][here & side].min() for side in (
        table["mask_buffer_bytes"] < size, table["mask_buffer_bytes"] >= 2 * size))  # fmt: skip
    assert after < before  # the step that the mark stands at


def test_compulsory_bound_is_drawn(table):
    bounded = table | {"compulsory_bytes": np.full(len(table["cycles"]), 1024.0)}
    texts = [text.get_text() for text in plots.buffer_plot(bounded).axes[0].texts]
    assert any(text == "compulsory: 1 KiB" for text in texts)


def test_nothing_fits(table):
    unfit = {name: values.copy() for name, values in table.items()}
    unfit["total_moved_bytes"] = np.full(len(table["cycles"]), np.nan)
    with pytest.raises(HfnError, match="no point fits"):
        plots.buffer_plot(unfit)
