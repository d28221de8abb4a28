"""Files, labels, and texts that do not meet."""

import numpy as np
import pytest

from hfn_accel import plots
from hfn_accel.errors import HfnError
from hfn_accel.exploration.columns import COLUMNS, TEXT
from hfn_accel.plots import labels, style

from .points import box_of, overlaps


def test_save_is_all_or_nothing(tmp_path, result):
    paths = plots.save_all(result, tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    names = ("cycles", "bytes", "traffic", "roofline")
    assert {p.name for p in paths} == {f"{n}.{kind}" for n in names for kind in ("png", "svg")}
    with pytest.raises(HfnError, match="cannot write"):
        plots.save(plots.cycles_plot(result), tmp_path / "absent" / "a.png")


def test_endings(tmp_path, result):
    figure = plots.cycles_plot(result)
    plots.save(figure, tmp_path / "a.SVG")
    assert b"<svg" in (tmp_path / "a.SVG").read_bytes()
    with pytest.raises(HfnError, match="must end in .png or .svg"):
        plots.save(figure, tmp_path / "a.pdf")
    assert [p.name for p in tmp_path.iterdir()] == ["a.SVG"]


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_same_picture_is_the_same_file(tmp_path, result, ending):
    for name in ("a", "b"):
        plots.save(plots.bytes_plot(result), tmp_path / f"{name}.{ending}")
    data = (tmp_path / f"a.{ending}").read_bytes()
    assert data == (tmp_path / f"b.{ending}").read_bytes()
    assert b"date" not in data.lower().split(b"<defs>")[0]


def test_every_column_has_a_label_of_its_own():
    texts = [labels.label(name) for name in COLUMNS]
    assert len(set(texts)) == len(texts)
    assert not any("_" in text for text in texts)


def test_every_number_has_a_unit():
    for name in COLUMNS:
        if name not in TEXT:
            assert labels.unit(name) and f"({labels.unit(name)})" in labels.label(name), name


@pytest.mark.parametrize("column, text", [
    ("mask_buffer_bytes", "mask buffer (bytes)"),
    ("mask_moved_bytes", "mask (bytes moved)"),
    ("stall_cycles", "stall (clock cycles)"),
    ("energy_low_uj", "energy, lower end (µJ)"),
    ("area_bram_18kib", "area (18 Kibit block RAMs)"),
    ("network", "network"),
    ("something_else", "something else"),
])  # fmt: skip
def test_labels(column, text):
    assert labels.label(column) == text


@pytest.mark.parametrize("value, text", [
    (0, "0 B"), (512, "512 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (98304, "96 KiB"),
    (1 << 20, "1 MiB"), (3 << 30, "3 GiB"),
])  # fmt: skip
def test_bytes_text(value, text):
    assert style.bytes_text(value) == text


def test_annotated_texts_do_not_meet():
    rng = np.random.default_rng(0)
    for _ in range(5):
        figure, axes = style.new(7, 5)
        points = rng.random((25, 2)) * (0.3, 1)
        axes.plot(*points.T, "o", linestyle="none")
        axes.set_xlim(0, 1)
        style.annotate(figure, axes, [(f"text {n}", *at) for n, at in enumerate(points)])
        assert len(axes.texts) > 15 and overlaps(figure) == []


def test_annotated_texts_avoid_lines():
    figure, axes = style.new(7, 5)
    axes.plot([0.5, 0.5], [0, 1])
    axes.set_xlim(0, 1)
    style.annotate(figure, axes, [("on the line", 0.5, 0.5)])
    figure.draw_without_rendering()
    box, line = box_of(axes.texts[0]), axes.transData.transform((0.5, 0.5))[0]
    assert box.x0 > line or box.x1 < line


def test_scale_chooses_logarithms_and_units():
    axes = style.new(4, 3)[1]
    style.scale(axes, "x", "mask_buffer_bytes", np.array([1024, 65536]))
    style.scale(axes, "y", "cycles", np.array([1000, 5000]))
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert axes.xaxis.get_major_formatter()(4096) == "4 KiB"
    assert axes.yaxis.get_major_formatter()(4000) == "4,000"
    assert axes.get_xlabel() == "mask buffer (bytes)"
