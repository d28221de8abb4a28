import csv
import json
from pathlib import Path

import numpy as np
import pytest

from hfn_accel import networks, scalesim, topology
from hfn_accel.errors import HfnError
from hfn_accel.scalesim import DATAFLOWS, Mapping
from hfn_accel.topology import Layer, Topology

DATA = Path(__file__).parent.parent / "data" / "scalesim"
TOTALS = {"ws": 2_855_031, "os": 2_133_315}  # published, of ResNet-18 on 32x32


def rows_of(name: str) -> list[dict]:
    with open(DATA / name, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def resnet18() -> Topology:
    return topology.read(DATA / "resnet18_topology.csv")


@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_resnet18_equals_scalesim_layer_by_layer(resnet18, dataflow):
    given = rows_of(f"resnet18_{dataflow}_32x32.csv")
    result = scalesim.report(resnet18, 32, 32, dataflow)
    for ours, theirs in zip(result["layers"], given, strict=True):
        assert ours["name"] == theirs["layer"]
        assert ours["macs"] == int(theirs["macs"])
        assert ours["cycles"] == int(theirs["total_cycles"]) == int(theirs["closed_form"])
        assert ours["utilisation_ratio"] * 100 == pytest.approx(
            float(theirs["overall_util_pct"]), abs=0.005
        )
        for tensor, kind in (("ifmap", "rd"), ("filter", "rd"), ("ofmap", "wr")):
            assert ours[f"sram_{tensor}_words"] == int(theirs[f"sram_{tensor}_{kind}"]), tensor
    assert result["total_cycles"] == TOTALS[dataflow]
    assert sum(int(row["total_cycles_incl_prefetch"]) for row in given) > TOTALS[dataflow]


def test_small_layers_equal_scalesim():
    """Arrays that are not square, all dataflows, strides, matrix products."""
    seen = set()
    for row in rows_of("small_layers.csv"):
        shape = [int(value) for value in list(row.values())[3:11]]
        mapping = Mapping(Layer("layer", *shape), int(row["rows"]), int(row["columns"]),
                          row["dataflow"])  # fmt: skip
        assert mapping.cycles == int(row["total_cycles"]), row
        assert row["stall_cycles"] == "0"
        assert mapping.mapping_ratio * 100 == pytest.approx(float(row["mapping_efficiency_pct"]))
        assert mapping.sram_words == {
            "ifmap": int(row["sram_ifmap_rd"]),
            "filter": int(row["sram_filter_rd"]),
            "ofmap": int(row["sram_ofmap_wr"]),
        }, row
        seen.add((row["dataflow"], int(row["rows"]) - int(row["columns"]) > 0))
    assert seen == {(d, wide) for d in DATAFLOWS for wide in (True, False)}


def walk(pixels, fan_in, filters, rows, columns, dataflow) -> tuple[int, dict, float]:
    """(cycles, words at the SRAM ports, mapped share), every position and word by itself.

    In cycle t of a fold the array's row r takes from the left what row 0 took r cycles before;
    column c sees it c cycles later. A word in place is pushed down one row a cycle, the lowest
    row's first. What leaves a column does so one word a cycle.
    """
    words, last, began = {"ifmap": 0, "filter": 0, "ofmap": 0}, 0, 0
    mapped = folds = 0
    along_rows, along_columns, time = {
        "ws": (fan_in, filters, pixels),
        "os": (pixels, filters, fan_in),
        "is": (fan_in, pixels, filters),
    }[dataflow]
    place, left, down = {
        "ws": ("filter", "ifmap", "ofmap"),
        "os": ("ofmap", "ifmap", "filter"),
        "is": ("ifmap", "filter", "ofmap"),
    }[dataflow]
    for column0 in range(0, along_columns, columns):
        for row0 in range(0, along_rows, rows):
            ready = began if dataflow == "os" else began + rows  # the operand is in place
            end = 0
            for r in range(rows):
                words[left] += time * (row0 + r < along_rows)
                for c in range(columns):
                    used = row0 + r < along_rows and column0 + c < along_columns
                    mapped += used
                    words[place] += used
                    for t in range(time):
                        at = ready + t + r + c  # product t at this position
                        end = max(end, at)
                        words[down] += r == 0 and column0 + c < along_columns
            if dataflow == "os":  # sums leave behind the last product of row 0, a row a cycle
                words["ofmap"] += rows + columns  # SCALE-Sim's surplus
            last, began, folds = end, end + 1, folds + 1
    return last, words, mapped / (folds * rows * columns)


def test_closed_form_equals_walk():
    rng = np.random.default_rng(4)
    for _ in range(150):
        pixels, fan_in, filters, rows, columns = rng.integers(1, 8, 5).tolist()
        layer = Layer.gemm("layer", pixels, filters, fan_in)
        for dataflow in DATAFLOWS:
            mapping = Mapping(layer, rows, columns, dataflow)
            spent, words, mapped = walk(pixels, fan_in, filters, rows, columns, dataflow)
            assert mapping.cycles == scalesim.cycles(layer, rows, columns, dataflow) == spent
            assert mapping.sram_words == words
            assert mapping.mapping_ratio == pytest.approx(mapped)


def test_report_adds_up_and_is_json(resnet18):
    for dataflow in DATAFLOWS:
        result = scalesim.report(resnet18, 12, 40, dataflow)
        assert json.loads(json.dumps(result)) == result
        assert (result["model"], result["pe"]) == (f"scalesim-{dataflow}", "12x40")
        for key in ("macs", "folds", "sram_ifmap_words", "sram_filter_words", "sram_ofmap_words",
                    "compulsory_words"):  # fmt: skip
            assert result[key] == sum(row[key] for row in result["layers"]) > 0, key
        assert result["total_cycles"] == sum(row["cycles"] for row in result["layers"])
        assert result["macs"] == resnet18.macs
        busy = sum(row["utilisation_ratio"] * row["cycles"] for row in result["layers"])
        assert result["utilisation_ratio"] == pytest.approx(busy / result["total_cycles"])
        assert result["compulsory_words"] <= sum(
            result[f"sram_{tensor}_words"] for tensor in ("ifmap", "filter", "ofmap")
        )
        printed = scalesim.text(result)
        assert f"{result['total_cycles']:,} cycles of resnet18_topology" in printed
        assert len(printed.splitlines()) == 1 + 21 + 1 + 2


def test_one_product_on_one_position():
    """SCALE-Sim counts no cycle, and divides by zero."""
    one = Topology("one", (Layer.gemm("one", 1, 1, 1),))
    result = scalesim.report(one, 1, 1, "os")
    assert (result["total_cycles"], result["utilisation_ratio"]) == (0, 1.0)


def test_compare(resnet18):
    figures = {x: (2 * x.macs, x.filter_words) for x in resnet18.layers}
    result = scalesim.compare(resnet18, 32, 32, figures.__getitem__)
    assert json.loads(json.dumps(result)) == result
    assert (result["scalesim_ws_cycles"], result["scalesim_os_cycles"]) == (
        TOTALS["ws"], TOTALS["os"],
    )  # fmt: skip
    assert result["ours_cycles"] == 2 * resnet18.macs == 2 * result["macs"]
    assert result["ours_bytes"] == 11_678_912
    assert result["layers"][-1]["compulsory_bytes"] == 512 + 512_000 + 1000
    for row in result["layers"]:
        assert row["full_array_cycles"] <= min(row["scalesim_ws_cycles"], row["scalesim_os_cycles"])
    assert result["compulsory_bytes"] == 16_310_259
    assert scalesim.report(resnet18, 1, 1, "ws")["compulsory_words"] == 16_310_259
    assert "2,855,031" in scalesim.compare_text(result)


def test_compare_keeps_layers_that_ours_refuses():
    network = topology.of_network(networks.named("hfn-resnet18", "cifar10"))

    def ours(layer):
        if layer.name == "classifier":
            raise HfnError("too wide")
        return 7, 5

    result = scalesim.compare(network, 16, 16, ours)
    assert (result["ours_cycles"], result["ours_bytes"]) == (None, None)
    assert result["layers"][-1]["reason"] == "too wide" and result["layers"][0]["ours_cycles"] == 7
    assert scalesim.compare_text(result).endswith("classifier: too wide")


def test_array_shape():
    assert scalesim.array_shape("12x100") == (12, 100)
    for wrong in ("12", "x4", "4x", "-1x4", "4x4x4", "1234567x4"):
        with pytest.raises(HfnError, match="--pe must be RxC"):
            scalesim.array_shape(wrong)


@pytest.mark.parametrize("rows, columns, dataflow, words", [
    (0, 4, "ws", "rows must be an integer from 1 to 65536, not 0"),
    (4, 65537, "ws", "columns must be an integer"),
    (4, 4.0, "ws", "columns must be an integer"),
    (4, 4, "rs", "dataflow must be ws, os, is, not 'rs'"),
])  # fmt: skip
def test_refusals(resnet18, rows, columns, dataflow, words):
    with pytest.raises(HfnError, match=words):
        scalesim.report(resnet18, rows, columns, dataflow)
    if dataflow == "ws":
        with pytest.raises(HfnError, match=words):
            scalesim.compare(resnet18, rows, columns, lambda layer: (1, 1))
