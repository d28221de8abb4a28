"""What cannot be cut is refused with what would be enough."""

import re
from collections import Counter

import numpy as np
import pytest

from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.network import Architecture
from hfn_accel.planner.bands import height, least_words
from hfn_accel.planner.steps import steps
from tests.hfn_accel.planner.plans import make, random_case


@pytest.mark.parametrize("seed", range(30))
def test_lowest_bands(seed):
    """`least_words` is where `height` begins to find a band."""
    rng = np.random.default_rng(seed)
    arch, bits, config, _ = random_case(rng)
    sequence, maps = steps(arch, bits, config)
    for step in sequence:
        shape = [None if n is None else maps[n] for n in step.operands]
        spilled = [m is not None and bool(rng.integers(2)) for m in shape]
        groups = int(rng.integers(1, shape[2].groups + 1)) if shape[2] else 0
        words = least_words(step, shape, spilled, groups)
        assert height(step, shape, spilled, (1, 1), groups, words) > 0
        assert words == 0 or height(step, shape, spilled, (1, 1), groups, words - 1) == 0


def refused(message: str, arch: str, size: int, classes=10, bits=8, **config):
    arch = Architecture.parse(arch, classes=classes, image_size=size)
    with pytest.raises(HfnError, match=re.escape(message)):
        make(arch, Config(**config), bits)


def test_refuses_what_cannot_be_cut():
    refused("stem: activation bytes 384, the limit is 256: enlarge activation_bytes",
            "16x1", 8, activation_bytes=256)  # fmt: skip
    refused("stem: partial sums 17, the limit is 16: enlarge psum_depth",
            "4x1", 17, psum_depth=16)  # fmt: skip
    refused("stage1.block1.conv1: mask bytes 288, the limit is 256: enlarge mask_bytes",
            "16x1", 4, mask_bytes=256)  # fmt: skip


REFUSAL = re.compile(r"([\w.\[\]]+): [a-z ]+ (\d+), the limit is (\d+): enlarge (\w+)")


def test_refusals_say_how_much_is_enough():
    """The option enlarged to the figure is enough for that layer, and nothing less is."""
    rng, seen = np.random.default_rng(11), Counter()
    while min(seen[name] for name in ("activation_bytes", "mask_bytes", "psum_depth")) < 20:
        arch, bits, config, batch = random_case(rng, classes=(2, 200))
        config = config.replace(activation_bytes=256, mask_bytes=256, psum_depth=16,
                                parameter_channels=64)  # fmt: skip
        before = None
        while True:
            try:
                make(arch, config, bits, batch)
                break
            except HfnError as error:
                layer, figure, limit, option = REFUSAL.fullmatch(str(error)).groups()
            assert (layer, option) != before
            assert int(figure) > int(limit) == getattr(config, option)
            enough = 1 << (int(figure) - 1).bit_length()
            if enough > 2 * int(limit):
                with pytest.raises(HfnError, match=f"{re.escape(layer)}: .* {figure}, the limit"):
                    make(arch, config.replace(**{option: enough // 2}), bits, batch)
            config = config.replace(**{option: enough})
            before = layer, option
            seen[option] += 1


def test_names_the_layer_of_a_field_that_overflows():
    refused("stage1.block1.conv1: descriptor field in_tiles must be 0 to 4095, not 4096",
            "4096x1", 1, rows=1, columns=64, mask_bytes=1 << 22)  # fmt: skip
