"""Networks as tables: steps, maps, tensors and their mask streams."""

import numpy as np

from hfn_accel.config import Config
from hfn_accel.engine import lower, maps, tiling
from hfn_accel.network import Architecture
from hfn_accel.streams import RawStreams, TicketStreams
from tests.hfn_accel.engine.cases import lowered
from tests.tickets import random_architecture, random_mode, random_ticket


def test_steps_and_maps_of_a_network():
    arch = Architecture.parse("imagenet:8x1,16x3f", classes=5, image_size=32)
    steps, found = lower.lower(arch, [1, 2, 3, 4, 5, 6, 7, 8, 1, 2], [True] + [False] * 9)
    assert steps.layer.tolist() == [0, 0, *range(1, 11)]
    assert steps.pooled.tolist() == [0, 1] + [0] * 10
    assert steps.source.tolist() == [0, 1, 2, 3, 4, 4, 5, 7, 8, 9, 10, 11]
    assert steps.residual.tolist() == [-1, -1, -1, 2, -1, -1, 6, -1, 7, -1, 9, -1]
    assert steps.output.tolist() == [*range(1, 12), -1]
    assert steps.tensor.tolist() == [0, -1, 1, 2, 3, 5, 4, 6, 7, 6, 7, 8]
    assert steps.run.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 7, 7, 7, 8]
    assert steps.bipolar.tolist() == [0, 1, 1] + [0] * 9
    assert steps[0].tolist()[6:12] == (7, 7, 2, 3, 16, 16) and steps[0].image_pad == 3
    assert steps.rows.tolist() == [16, 8, 8, 8] + [4] * 8
    assert steps.fan_in[2:].tolist() == [72, 72, 72, 8, 144, 144, 144, 144, 144, 16]
    assert found.bits.tolist() == [8, 1, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2]
    assert found.height.tolist() == [32, 16, 8, 8, 8] + [4] * 7
    image = {"channels": 21, "height": 32, "width": 16, "image": 1, "image_width": 32}
    assert {name: found[0][name] for name in image} == image
    assert not found.image[1:].any() and not found.outside.any()


def test_lengths_of_maps():
    """Of 20 channels on 16 lanes: two groups; rows of 5 pixels of 3 bits are 3.75 beats."""
    arch = Architecture.parse("20x1", classes=4, image_size=5)
    _, derived, design = lowered(arch, 3, Config())
    image, m = derived[0], derived[1]
    names = "groups", "row_words", "memory_row", "memory_beat", "grain", "memory_groups", "size"
    assert [m[name] for name in names] == [2, 15, 15, 4, 4, 2, 2 * 19]
    assert [image[name] for name in names] == [1, 40, 20, 8, 2, 1, 13]
    assert [maps.stride(m, rows) for rows in (1, 4, 5)] == [16, 60, 76]
    assert [maps.rows_in(m, words, 2) for words in (31, 32, 120, 151, 152)] == [0, 1, 4, 4, 5]
    assert derived.alike.tolist() == [0, 1, 1, 1]
    assert maps.words(m, design.batch) == 152


def test_streams_of_tensors():
    """Beats of any tiles are as many as the encoded stream has."""
    rng = np.random.default_rng(5)
    for _ in range(10):
        arch = random_architecture(rng, widths=(8, 40))
        columns, bus = 1 << int(rng.integers(5)), 64 << int(rng.integers(2))
        config = Config(columns=columns, axi_data_width=bus)
        streams = TicketStreams(random_ticket(rng, arch, modes=random_mode), config)
        network, _, design = lowered(arch, 8, config, streams=streams)
        for t, conv in enumerate(arch.tensors):
            tiles = -(-conv.cout // config.columns)
            first = int(rng.integers(tiles))
            count = int(rng.integers(1, tiles - first + 1))
            beats = len(streams.encode(t, first, count)) // config.bus_bytes
            assert tiling.mask_beats(network, design, t, first, count) == beats


def test_tensors_that_are_alike():
    arch = Architecture.parse("16x2,16x2", classes=4, image_size=8)
    found, _ = lower.tensor_table(RawStreams(arch, Config()), arch.tensors, Config())
    of = {conv.tensor: (conv.fan_in, conv.cout) for conv in arch.tensors}
    assert found.alike.tolist() == [list(of.values()).index(kind) for kind in of.values()]
