import re
from pathlib import Path

import numpy as np
import pytest

from hfn_accel import networks, topology
from hfn_accel.errors import HfnError
from hfn_accel.topology import MAX_SIZE, Layer, Topology
from tests.tickets import random_architecture

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "topology.md"
DATA = Path(__file__).parent.parent / "data" / "scalesim"
HEADER = ("Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, "
          "Num Filter, Strides,\n")  # fmt: skip
TWO = HEADER.replace("Strides", "Stride Height, Stride Width")


def test_example_of_the_documentation(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall("```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    exec(example, {})
    assert len(topology.read("hfn-resnet50.csv").layers) == 54


def random_layer(rng, square: bool) -> Layer:
    """Small; half of the names repeat."""
    kernel = rng.integers(1, 5, 2)
    size = kernel + rng.integers(0, 8, 2)
    channels, filters, *strides = rng.integers(1, 6, 4).tolist()
    strides = strides[:1] * 2 if square else strides
    return Layer(f"conv {rng.integers(3)}", *size.tolist(), *kernel.tolist(), channels, filters,
                 *strides)  # fmt: skip


def read(tmp_path, text: str) -> Topology:
    path = tmp_path / "net.csv"
    path.write_bytes(text.encode())
    return topology.read(path)


def test_resnet18():
    """The given file has the layers of our own ResNet-18, in another order within a block."""
    given = topology.read(DATA / "resnet18_topology.csv")
    assert (given.name, len(given.layers)) == ("resnet18_topology", 21)
    assert given.layers[0] == Layer("Conv1", 229, 229, 7, 7, 3, 64, 2, 2)
    assert given.macs == 1_814_073_344
    ours = topology.of_network(networks.named("hfn-resnet18", "imagenet"))
    assert sorted(x.sizes for x in ours.layers) == sorted(x.sizes for x in given.layers)


def test_derived_figures_by_enumeration():
    rng = np.random.default_rng(1)
    for _ in range(100):
        layer = random_layer(rng, square=False)
        corners = [(y, x) for y in range(0, 99, layer.stride_height)
                   for x in range(0, 99, layer.stride_width)
                   if y - layer.stride_height < layer.ifmap_height - layer.filter_height
                   and x - layer.stride_width < layer.ifmap_width - layer.filter_width]  # fmt: skip
        taps = [(a, b) for a in range(layer.filter_height) for b in range(layer.filter_width)]
        covered = {(y + a, x + b) for y, x in corners for a, b in taps
                   if y + a < layer.ifmap_height and x + b < layer.ifmap_width}  # fmt: skip
        assert layer.pixels == len(corners), layer
        assert layer.ifmap_words == len(covered) * layer.channels, layer
        assert layer.fan_in == len(taps) * layer.channels
        assert layer.filter_words == layer.fan_in * layer.filters
        assert layer.ofmap_words == len(corners) * layer.filters
        assert layer.macs == len(corners) * layer.filter_words


@pytest.mark.parametrize("square", [True, False])
def test_round_trip(tmp_path, square):
    rng = np.random.default_rng(2)
    for _ in range(20):
        layers = tuple(random_layer(rng, square) for _ in range(rng.integers(1, 9)))
        work = Topology("net", layers)
        topology.write(tmp_path / "net.csv", work)
        assert topology.read(tmp_path / "net.csv") == work
        for line in (tmp_path / "net.csv").read_text().splitlines():
            assert line.endswith(",")  # SCALE-Sim drops what is behind the last comma
            assert line.count(",") == (8 if square else 9) or layers[0].sizes[6:] == (1, 1)


def test_network():
    """Iterations of a folded block are rows; multiply-accumulates are those of the network."""
    rng = np.random.default_rng(3)
    for _ in range(30):
        arch = random_architecture(rng, bottlenecks=True, imagenet=True)
        work = topology.of_network(arch)
        assert [x.name for x in work.layers] == [c.name for c in arch.layers]
        for layer, conv in zip(work.layers, arch.layers, strict=True):
            assert layer.macs == conv.macs and layer.filter_words == conv.weights
            assert layer.ifmap_height <= conv.in_size + 2 * conv.pad
    folded = networks.named("hfn-resnet50", "cifar100")
    assert topology.of_network(folded).macs == sum(c.macs for c in folded.layers)
    assert topology.of_network(folded).layers != topology.of_network(folded.unfolded()).layers
    sizes = [[x.sizes for x in topology.of_network(a).layers] for a in (folded, folded.unfolded())]
    assert sizes[0] == sizes[1]


def test_matrix_products(tmp_path):
    work = read(tmp_path, "Layer, M, N, K,\nq, 196, 64, 1176,\nk,1,2,3\n")
    assert [(x.name, x.pixels, x.filters, x.fan_in) for x in work.layers] == [
        ("q", 196, 64, 1176), ("k", 1, 2, 3),
    ]  # fmt: skip
    assert work.layers[0] == Layer.gemm("q", 196, 64, 1176)
    assert (work.layers[0].ifmap_words, work.layers[0].macs) == (196 * 1176, 196 * 64 * 1176)
    topology.write(tmp_path / "net.csv", work)
    assert (tmp_path / "net.csv").read_text().splitlines()[1] == "q,196,1176,1,1176,1,64,1,"
    assert topology.read(tmp_path / "net.csv") == work


@pytest.mark.parametrize("text, layers", [
    (HEADER + "a,5,6,3,2,4,7,2,\n", [("a", 5, 6, 3, 2, 4, 7, 2, 2)]),
    (HEADER + "a,5,6,3,2,4,7,2", [("a", 5, 6, 3, 2, 4, 7, 2, 2)]),
    (HEADER + "\n\t a b , 5 ,6,3,2,4,7,2,#dw\n \na b,1,1,1,1,1,1,1,\n",
     [("a b", 5, 6, 3, 2, 4, 7, 2, 2), ("a b", 1, 1, 1, 1, 1, 1, 1, 1)]),
    ("\ufeff" + HEADER.upper().strip(" ,\n") + "\r\na,5,6,3,2,4,7,2,\r\n",
     [("a", 5, 6, 3, 2, 4, 7, 2, 2)]),
    (HEADER.replace("Strides", "Strides, Sparsity") + "a,5,6,3,2,4,7,2,1:1,\n",
     [("a", 5, 6, 3, 2, 4, 7, 2, 2)]),
    (HEADER + "a,5,6,3,2,4,7,2,4:4,\n", [("a", 5, 6, 3, 2, 4, 7, 2, 2)]),
    (TWO + "a,5,6,3,2,4,7,2,1,\n", [("a", 5, 6, 3, 2, 4, 7, 2, 1)]),
    ("Layer Name, M, N, K, SparsitySupport,\nDPR,5,6,7,1:1,\n", [("DPR", 5, 7, 1, 7, 1, 6, 1, 1)]),
])  # fmt: skip
def test_forms(tmp_path, text, layers):
    assert read(tmp_path, text) == Topology("net", tuple(Layer(*layer) for layer in layers))


@pytest.mark.parametrize("text, words", [
    ("", "net.csv: no header"),
    (" \n", "net.csv: no header"),
    (HEADER, "net.csv: no layers"),
    ("a,5,6,3,2,4,7,2,\n", "net.csv:1: header must be Layer name, IFMAP Height,"),
    (HEADER.replace("Strides", "Strides, Batch Size"), "net.csv:1: header must be"),
    ("Layer, N, M, K,\n", "or Layer, M, N, K, not 'Layer, N, M, K'"),
    (HEADER + "a,5,6,3,2,x,7,2,\n", "net.csv:2: layer 'a': Channels must be an integer from 1"),
    (HEADER + "\na,0,6,3,2,4,7,2,\n", "net.csv:3: layer 'a': IFMAP Height must be an integer"),
    (HEADER + f"a,{MAX_SIZE + 1},6,3,2,4,7,2,\n", f"1 to {MAX_SIZE}, not {MAX_SIZE + 1}"),
    (HEADER + f"a,5,6,3,2,4,{'9' * 5000},2,\n", "Num Filter must be an integer"),
    (HEADER + "a,5,6,3,2,4,7,-1,\n", "Strides must be an integer from 1 to 16777216, not '-1'"),
    (HEADER + "a,5,6,3,2,4,7.0,2,\n", "Num Filter must be an integer"),
    (HEADER + "a,5,6,3,2,4,\u0667,2,\n", "Num Filter must be an integer"),
    (HEADER + "a,5,6,3,2,4,,2,\n", "Num Filter must be an integer from 1 to 16777216, not ''"),
    (HEADER + "a,5,6,6,2,4,7,2,\n", "layer 'a': Filter Height 6 is larger than IFMAP Height 5"),
    (HEADER + "a,5,6,3,7,4,7,2,\n", "layer 'a': Filter Width 7 is larger than IFMAP Width 6"),
    (HEADER + "a,5,6,3,2,4,7,\n", "net.csv:2: layer 'a': 6 numbers where the header has 7: no "
     "Strides"),
    (HEADER + "a,5,6,3,2,4,7,2,2,\n", "8 numbers where the header has 7"),
    (HEADER + ",5,6,3,2,4,7,2,\n", "layer name must be printable"),
    (HEADER + "a\x00,5,6,3,2,4,7,2,\n", "layer name must be printable"),
    (HEADER + "DPconv,5,6,3,2,4,7,2,\n", "net.csv:2: layer 'DPconv': depthwise, which DP"),
    (HEADER + "a,5,6,3,2,4,7,2,2:4,\n", "layer 'a': Sparsity 2:4: only dense layers"),
    (HEADER + "a,5,6,3,2,4,7,2,0:0,\n", "Sparsity must be N:M, not '0:0'"),
    (HEADER + "a,5,6,3,2,4,7,2,1:x,\n", "Sparsity must be N:M, not '1:x'"),
    ("Layer, M, N, K,\na,5,6,\n", "2 numbers where the header has 3: no K"),
    ("Layer, M, N, K,\na,5,0,6,\n", "net.csv:2: layer 'a': N must be an integer from 1"),
])  # fmt: skip
def test_refusals_name_file_line_and_column(tmp_path, text, words):
    with pytest.raises(HfnError) as refusal:
        read(tmp_path, text)
    assert words in str(refusal.value) and "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 400


def test_unreadable(tmp_path):
    with pytest.raises(HfnError, match="cannot read .*absent.csv"):
        topology.read(tmp_path / "absent.csv")
    (tmp_path / "net.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(HfnError, match="net.csv is not a text file"):
        topology.read(tmp_path / "net.csv")


def test_nothing_is_written_that_scalesim_would_misread(tmp_path):
    work = Topology("net", (Layer("a", 1, 1, 1, 1, 1, 1), Layer("xDP", 1, 1, 1, 1, 1, 1)))
    with pytest.raises(HfnError, match="layer 'xDP': depthwise"):
        topology.write(tmp_path / "net.csv", work)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", " a", "a,b", "a\nb"])
def test_names_that_no_row_holds(name):
    with pytest.raises(HfnError, match="layer name must be printable"):
        Layer(name, 1, 1, 1, 1, 1, 1)


def test_sizes_are_integers():
    for wrong in (True, 1.0, "1", 0):
        with pytest.raises(HfnError, match="Channels must be an integer"):
            Layer("a", 1, 1, 1, 1, wrong, 1)
    with pytest.raises(HfnError, match="topology net has no layers"):
        Topology("net", ())
