"""A topology's layers on the core: against what one layer must move and compute."""

import numpy as np
import pytest

from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.expected_streams import ExpectedStreams
from hfn_accel.modes import PLAIN
from hfn_accel.network import Conv
from hfn_accel.topology import Layer, Topology, of_network
from hfn_accel.topology_network import alone, estimate_topology, report, text

ROOMY = Config(activation_bytes=1 << 22, mask_bytes=1 << 20, parameter_channels=4096,
               psum_depth=4096)  # fmt: skip


def conv(layer: Layer) -> Conv:
    """The same weights, for the size of their mask stream."""
    return Conv(name=layer.name, tensor=0, norm=0, cin=layer.fan_in, cout=layer.filters, kernel=1,
                stride=1, in_size=1, source=-1)  # fmt: skip


def planes(channels: int, pixels: int, config: Config, bits: int) -> int:
    """Bytes of a map in memory, if rows make whole beats."""
    return -(-channels // config.group) * pixels * bits * config.group // 8


@pytest.mark.parametrize("shape", [
    (10, 18, 3, 3, 32, 48, 1, 1), (9, 9, 3, 3, 20, 16, 2, 2), (16, 16, 1, 1, 64, 8, 1, 1),
    (8, 12, 3, 5, 16, 16, 1, 1), (7, 7, 7, 7, 5, 33, 1, 1),
])  # fmt: skip
@pytest.mark.parametrize("config", [ROOMY, ROOMY.replace(rows=8, columns=4)], ids=lambda c: c.name)
def test_one_layer(config, shape):
    """A map that fits is read once and written once, beside masks, parameters, descriptors."""
    layer, bits = Layer("a", *shape), 8
    e = estimate_topology(Topology("t", (layer,)), config)
    moved = e.bytes_by_class
    streams = ExpectedStreams((conv(layer),), (PLAIN,), config, 0.3)
    tiles = -(-layer.filters // config.columns)
    assert moved["mask"] == streams.beats(0, 0, tiles) * config.bus_bytes
    assert moved["parameter"] == 8 * layer.filters
    pixels = layer.ifmap_height * layer.ifmap_width
    channels = layer.channels
    if layer.pixels == 1:  # a filter as large as its map: all taps are channels of one pixel
        pixels, channels = 1, layer.fan_in
    assert moved["activation_read"] == planes(channels, pixels, config, bits)
    assert moved["activation_write"] == planes(layer.filters, layer.pixels, config, bits)
    assert moved["descriptor"] == 112 * 5  # BEGIN, LOAD, CONV, STORE, END
    assert e.macs.sum() == layer.macs and e.work.sum() == layer.macs * bits
    lanes = -(-channels // config.rows) * config.rows
    taps = 1 if layer.pixels == 1 else layer.filter_height * layer.filter_width
    full = taps * lanes * tiles * config.columns * layer.pixels * bits
    compute = full // (config.rows * config.columns)
    assert compute <= e.cycles_by_cause["compute"] <= compute + layer.pixels * tiles * 16


def test_an_image_packs_its_taps():
    """The first layer's map of up to four channels is an image, read as bytes."""
    layer = Layer("stem", 229, 229, 7, 7, 3, 64, 2, 2)
    e = estimate_topology(Topology("t", (layer,)), ROOMY)
    assert e.bytes_by_class["activation_read"] >= 229 * 229 * 4
    assert e.cycles_by_cause["compute"] == pytest.approx(112 * 112 * 7 * 2 * 4 * 8, rel=0.01)
    assert e.macs.sum() == layer.macs == 118_013_952


def test_matrix_products():
    """Rows of a product stand in any rows of a map, so that strips are full."""
    product = Layer.gemm("g", 1000, 64, 96)
    square = Layer("c", 25, 40, 1, 1, 96, 64)
    a, b = (alone(layer, ROOMY) for layer in (product, square))
    assert a == b
    assert alone(Layer("fc", 4, 4, 4, 4, 8, 16), ROOMY) == alone(Layer.gemm("m", 1, 16, 128), ROOMY)


def test_a_network_in_parts():
    """Every row of a file is a part; together they are the run."""
    rng = np.random.default_rng(5)
    layers = tuple(Layer("same" if i % 2 else f"n{i}", n, n, k, k, 8 * i + 8, 24, s, s)
                   for i, (n, k, s) in enumerate(zip(rng.integers(8, 20, 6).tolist(),
                                                     (3, 1, 5, 3, 1, 3), (1, 1, 2, 2, 1, 1),
                                                     strict=True)))  # fmt: skip
    result = report(Topology("t", layers), Config())
    names = [row["name"] for row in result["layers"]]
    assert names == ["begin", "n0", "same", "n2", "same#2", "n4", "same#3", "end"]
    for key in ("cycles", "macs"):
        assert result[key] == sum(row[key] for row in result["layers"])
    assert result["macs"] == sum(layer.macs for layer in layers)
    assert f"{result['cycles']:,}" in text(result).splitlines()[-1]


def test_own_networks_move_more_layer_by_layer():
    """Without residuals and maps on chip, the same network moves more."""
    from hfn_accel.networks import named
    from hfn_accel.workload import resolve

    arch = named("hfn-resnet18", "cifar10")
    whole = resolve({"network": "hfn-resnet18", "dataset": "cifar10"}).estimate(ROOMY)
    rows = estimate_topology(of_network(arch), ROOMY)
    assert rows.macs.sum() == whole.macs.sum() == sum(c.macs for c in arch.layers)
    assert rows.bytes_by_class["activation"] > whole.bytes_by_class["activation"]


@pytest.mark.parametrize("layer, message", [
    (Layer("a", 9, 9, 3, 3, 8, 8, 1, 2), "a: strides 1 and 2 differ"),
    (Layer("a", 99, 99, 3, 3, 8, 8, 3, 3), "a: stride 3, the limit is 2"),
    (Layer("a", 99, 99, 17, 17, 8, 8), "a: descriptor field kernel_height"),
    (Layer("a", 9, 5000, 3, 3, 8, 8), "a: "),
])  # fmt: skip
def test_refusals(layer, message):
    with pytest.raises(HfnError, match=message):
        alone(layer, ROOMY)
