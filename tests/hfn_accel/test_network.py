import numpy as np
import pytest

from hfn_accel.errors import HfnError
from hfn_accel.network import Architecture, Stage
from tests.tickets import random_architecture


def test_folded_network_layer_by_layer():
    arch = Architecture.parse("8x2,16x3f", classes=5, in_channels=3, image_size=8)
    rows = [(c.name, c.tensor, c.cin, c.cout, c.kernel, c.stride, c.in_size, c.source, c.residual)
            for c in arch.layers]  # fmt: skip
    assert rows == [
        ("stem", 0, 3, 8, 3, 1, 8, -1, None),
        ("stage1.block1.conv1", 1, 8, 8, 3, 1, 8, 0, None),
        ("stage1.block1.conv2", 2, 8, 8, 3, 1, 8, 1, 0),
        ("stage1.block2.conv1", 3, 8, 8, 3, 1, 8, 2, None),
        ("stage1.block2.conv2", 4, 8, 8, 3, 1, 8, 3, 2),
        ("stage2.block1.conv1", 5, 8, 16, 3, 2, 8, 4, None),
        ("stage2.block1.shortcut", 7, 8, 16, 1, 2, 8, 4, None),
        ("stage2.block1.conv2", 6, 16, 16, 3, 1, 4, 5, 6),
        ("stage2.folded.conv1[1]", 8, 16, 16, 3, 1, 4, 7, None),
        ("stage2.folded.conv2[1]", 9, 16, 16, 3, 1, 4, 8, 7),
        ("stage2.folded.conv1[2]", 8, 16, 16, 3, 1, 4, 9, None),
        ("stage2.folded.conv2[2]", 9, 16, 16, 3, 1, 4, 10, 9),
        ("classifier", 10, 16, 5, 1, 1, 4, 11, None),
    ]
    assert [c.norm for c in arch.layers] == list(range(13))
    assert len(arch.tensors) == 11
    assert arch.layers[1].macs == 8 * 8 * 9 * 64
    assert arch.layers[-1].macs == 16 * 5
    assert str(arch) == "8x2,16x3f"


def test_bottleneck_network_layer_by_layer():
    arch = Architecture.parse("imagenet:4x1b,8x3b2f", classes=5, in_channels=3, image_size=30)
    rows = [(c.name, c.tensor, c.cin, c.cout, c.kernel, c.stride, c.in_size, c.source, c.residual)
            for c in arch.layers]  # fmt: skip
    assert rows == [
        ("stem", 0, 3, 4, 7, 2, 30, -1, None),
        ("stage1.block1.conv1", 1, 4, 4, 1, 1, 8, 0, None),
        ("stage1.block1.shortcut", 4, 4, 16, 1, 1, 8, 0, None),
        ("stage1.block1.conv2", 2, 4, 4, 3, 1, 8, 1, None),
        ("stage1.block1.conv3", 3, 4, 16, 1, 1, 8, 3, 2),
        ("stage2.block1.conv1", 5, 16, 16, 1, 1, 8, 4, None),
        ("stage2.block1.shortcut", 8, 16, 32, 1, 2, 8, 4, None),
        ("stage2.block1.conv2", 6, 16, 16, 3, 2, 8, 5, None),
        ("stage2.block1.conv3", 7, 16, 32, 1, 1, 4, 7, 6),
        ("stage2.folded.conv1[1]", 9, 32, 16, 1, 1, 4, 8, None),
        ("stage2.folded.conv2[1]", 10, 16, 16, 3, 1, 4, 9, None),
        ("stage2.folded.conv3[1]", 11, 16, 32, 1, 1, 4, 10, 8),
        ("stage2.folded.conv1[2]", 9, 32, 16, 1, 1, 4, 11, None),
        ("stage2.folded.conv2[2]", 10, 16, 16, 3, 1, 4, 12, None),
        ("stage2.folded.conv3[2]", 11, 16, 32, 1, 1, 4, 13, 11),
        ("classifier", 12, 32, 5, 1, 1, 4, 14, None),
    ]
    stem = arch.layers[0]
    assert (stem.pad, stem.out_size, stem.map_size) == (3, 15, 8) and stem.max_pool
    assert not any(c.max_pool for c in arch.layers[1:])
    assert stem.macs == 15 * 15 * 49 * 3 * 4


def test_text_says_the_whole_shape():
    rng = np.random.default_rng(8)
    for _ in range(50):
        arch = random_architecture(rng, bottlenecks=True, imagenet=True)
        shape = {n: getattr(arch, n) for n in ("classes", "in_channels", "image_size")}
        assert Architecture.parse(str(arch), **shape) == arch


def test_several_folded_stages_of_any_length():
    arch = Architecture.parse("4x2f,8x5bf,6x1f,6x2", classes=2, image_size=9)
    repeats = [sum(c.tensor == t.tensor for c in arch.layers) for t in arch.tensors if t.folded]
    assert repeats == [1, 1, 4, 4, 4]
    assert len(arch.unfolded().tensors) == len(arch.tensors) + 3 * 3


def test_unfolded_has_the_same_computation():
    arch = Architecture.parse("8x4f,16x3f", classes=5)
    whole = arch.unfolded()
    assert len(whole.layers) == len(arch.layers)
    assert sum(c.macs for c in whole.layers) == sum(c.macs for c in arch.layers)
    assert len(whole.tensors) == len(arch.tensors) + 2 * 2 + 2


def test_every_tensor_is_numbered_once_and_sizes_follow():
    rng = np.random.default_rng(3)
    for _ in range(50):
        arch = random_architecture(rng, bottlenecks=True, imagenet=True)
        assert [c.tensor for c in arch.tensors] == list(range(len(arch.tensors)))
        size = {-1: (arch.in_channels, arch.image_size)}
        for c in arch.layers:
            assert size[c.source] == (c.cin, c.in_size)
            size[c.norm] = (c.cout, c.map_size)
            if c.residual is not None:
                assert size[c.residual] == (c.cout, c.map_size)


@pytest.mark.parametrize("text", ["", "8", "8x", "x2", "8x2g", "8x2,,8x2", "8x2 f", "-8x2", "8x2fb",
                                  "8x2b22", "cifar:8x2", ":8x2", "imagenet:imagenet:8x2",
                                  "imagenet:"])  # fmt: skip
def test_parse_refuses(text):
    with pytest.raises(HfnError, match="architecture must be"):
        Architecture.parse(text, classes=10)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"classes": 0}, "classes must be"),
        ({"classes": 1025}, "classes must be"),
        ({"in_channels": 5}, "in_channels must be an integer from 1 to 4"),
        ({"image_size": 0}, "image_size must be"),
        ({"stages": ()}, "at least one stage"),
        ({"stages": (Stage(width=4097, blocks=1),)}, "stage width must be"),
        ({"stages": (Stage(width=8, blocks=0),)}, "blocks of a stage must be"),
        ({"stages": (Stage(width=8, blocks=1, widening=2),)}, "widening must be an .* 1 to 1"),
        ({"stages": (Stage(width=8, blocks=1, bottleneck=True, widening=0),)}, "widening must be"),
        ({"stem": "none"}, "stem must be cifar or imagenet, not 'none'"),
    ],
)
def test_refuses_what_no_network_has(change, message):
    shape = {"stages": (Stage(width=8, blocks=1),), "classes": 10} | change
    with pytest.raises(HfnError, match=message):
        Architecture(**shape)
