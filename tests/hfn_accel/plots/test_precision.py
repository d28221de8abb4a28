"""Points of a precision search, and what each layer's bits cost."""

import numpy as np
import pytest

from hfn_accel import plots

from .points import overlaps


def point(bits, cycles, accuracy, step=None):
    return {"act_bits": bits, "cycles": cycles, "accuracy": accuracy, "loss": 1.0, "step": step,
            "front": False}  # fmt: skip


@pytest.fixture
def result():
    points = [
        point("8,b,8", 30_000, 0.75, 0), point("4,b,8", 26_000, 0.74), point("2,b,8", 24_000, 0.6),
        point("8,b,2", 25_000, 0.76, 1), point("4,b,2", 21_000, 0.745, 2),
        point("4,b,4", 23_000, 0.735),
    ]  # fmt: skip
    return {"dataset": "digits", "arch": "8x1", "pe": "8x8", "images": 1000, "points": points,
            "which": "held-out training images", "layers": ["stem", "conv1", "conv2"],
            "trained": points[-1], "chosen": points[4]}  # fmt: skip


def test_every_point_is_drawn_once_and_the_way_in_order(result):
    figure = plots.precision_plot(result)
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    assert lines["taken"].get_xydata().tolist() == [[30_000, 0.75], [25_000, 0.76], [21_000, 0.745]]
    assert len(lines["measured, not taken"].get_xdata()) == 3
    assert lines["chosen"].get_xydata().tolist() == [[21_000, 0.745]]
    assert lines["bits of the training"].get_xydata().tolist() == [[23_000, 0.735]]
    assert "30% fewer cycles" in axes._left_title.get_text()
    assert overlaps(figure) == []


def test_sensitivities_are_of_one_layer(result):
    (axes,) = plots.sensitivity_plot(result).axes
    cells = {text.get_position(): float(text.get_text()) for text in axes.texts}
    widths = [int(label.get_text()) for label in axes.get_xticklabels()]
    assert widths == [2, 4, 8]
    assert cells == {(1, 0): 1.0, (0, 0): 15.0, (0, 2): -1.0}
    frames = [(round(p.get_x() + 0.46), round(p.get_y() + 0.43)) for p in axes.patches]
    assert frames == [(1, 0), (0, 2)]  # not of the bipolar layer
    image = axes.images[0].get_array()
    assert np.ma.count_masked(image) == 6


@pytest.mark.filterwarnings("error")
def test_nothing_but_bipolar_layers(result, tmp_path):
    only = point("b,b,b", 9_000, 0.5, 0)
    result |= {"points": [only], "trained": only, "chosen": only}
    figure = plots.sensitivity_plot(result)
    plots.save_figures({"sensitivity": figure}, tmp_path)
    (axes,) = figure.axes
    assert not axes.texts and not axes.patches
