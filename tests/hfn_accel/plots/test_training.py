"""The pictures of a search show its rows and its densities."""

import numpy as np
import pytest

from hfn_accel.plots import save_figures, training_plots
from hfn_accel.recipe import Recipe

RECIPE = Recipe(dataset="digits", arch="4x1", epochs=8)
NAMES = ("stem", "stage1.block1.conv1", "classifier")


@pytest.fixture
def search():
    rng = np.random.default_rng(0)
    rows = [{"epoch": e, "loss": rng.uniform(0, 3), "train_accuracy": rng.uniform(),
             "validation_accuracy": rng.uniform()} for e in range(1, 9)]  # fmt: skip
    kept = [{"epoch": str(e)} | {n: f"{rng.uniform():.6f}" for n in NAMES} for e in range(1, 9)]
    return rows, kept


def test_learning_plot(search):
    rows, kept = search
    figure = training_plots(rows, kept, RECIPE)["learning"]
    left, right = figure.axes
    drawn = {line.get_label(): line for axes in (left, right) for line in axes.lines}
    for label, column in (("loss", "loss"), ("accuracy, training images", "train_accuracy"),
                          ("accuracy, held-out images", "validation_accuracy")):  # fmt: skip
        x, y = drawn[label].get_data()
        assert list(x) == [row["epoch"] for row in rows] and list(y) == [r[column] for r in rows]
    start = drawn["activations become integers"].get_xdata()
    assert set(start) == {RECIPE.quantise_from + 0.5}  # between the last real and the first epoch
    assert left.get_xlabel() == "epoch" and "loss" in left.get_ylabel()
    assert right.get_ylabel() == "accuracy" and "4x1" in left.get_title("left")
    looks = {(line.get_linestyle(), line.get_marker()) for line in drawn.values()}
    assert len(looks) == len(drawn)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(texts) == sorted(drawn)


@pytest.mark.parametrize("start", [0, 8])
def test_what_is_not_there_is_not_drawn(search, start):
    rows, kept = search
    rows = [row | {"validation_accuracy": None} for row in rows]
    recipe = Recipe(dataset="digits", arch="4x1", epochs=8, quantise_from=start)
    figure = training_plots(rows, kept, recipe)["learning"]
    labels = {line.get_label() for axes in figure.axes for line in axes.lines}
    assert labels == {"loss", "accuracy, training images"}


@pytest.mark.parametrize("epochs", [1, 8])
def test_density_plot(search, epochs):
    rows, kept = search
    figure = training_plots(rows[:epochs], kept[:epochs], RECIPE)["density"]
    axes = figure.axes[0]
    (mesh,) = axes.collections
    want = np.array([[float(row[name]) for row in kept[:epochs]] for name in NAMES])
    np.testing.assert_array_equal(np.asarray(mesh.get_array()).reshape(want.shape), want)
    assert [text.get_text() for text in axes.get_yticklabels()] == list(NAMES)
    assert axes.yaxis_inverted() and axes.get_xlim() == (0.5, epochs + 0.5)
    assert [text.get_text() for text in axes.texts] == [f"{v:.1%}" for v in want[:, -1]]
    assert [text.xy[1] for text in axes.texts] == [0, 1, 2]


def test_files(search, tmp_path):
    paths = save_figures(training_plots(*search, RECIPE), tmp_path)
    assert {path.name for path in paths} == {
        "learning.png", "learning.svg", "density.png", "density.svg"}  # fmt: skip
