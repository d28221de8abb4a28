"""What cannot be cut is refused with what would be enough."""

from collections import Counter

import numpy as np
import pytest

from hfn_accel.config import Config
from hfn_accel.engine import bands
from hfn_accel.engine.bands import Spilled
from hfn_accel.engine.records import ACTIVATIONS, FITS, MASKS
from hfn_accel.network import Architecture
from tests.hfn_accel.engine.cases import decide, lowered, random_case

BUFFERS = {MASKS: "mask_bytes", ACTIVATIONS: "activation_bytes"}


@pytest.mark.parametrize("seed", range(10))
def test_lowest_bands(seed):
    """`least_words` is where `height` begins to find a band."""
    rng = np.random.default_rng(seed)
    network, derived, _ = lowered(*random_case(rng))
    for step in network.steps:
        numbers = step.source, step.residual, step.output
        out = Spilled(*(int(n >= 0 and rng.integers(2)) for n in numbers))
        groups = int(rng.integers(1, derived[step.output].groups + 1)) if step.output >= 0 else 0
        words = int(bands.least_words(step, derived, out, groups))
        assert bands.height(step, derived, out, 1, 1, groups, words) > 0
        assert words == 0 or bands.height(step, derived, out, 1, 1, groups, words - 1) == 0


def test_refuses_what_cannot_be_cut():
    def refused(arch, size, bits=8, channels=3, **config):
        arch = Architecture.parse(arch, classes=10, image_size=size, in_channels=channels)
        return tuple(decide(*lowered(arch, bits, Config(**config)))[3])

    assert refused("16x1", 8, activation_bytes=256) == (ACTIVATIONS, 0, 384, 256, -1)
    assert refused("16x1", 4, mask_bytes=256) == (MASKS, 1, 288, 256, -1)
    # all rows, since fewer are no whole beats, of 8 channels at a time: 8 * 9 beats
    found = refused("40x1", 9, bits=7, channels=1, rows=1, columns=1, activation_bytes=256)
    assert found == (ACTIVATIONS, 0, 8 * 9 * 8, 256, -1)


def test_refusals_say_how_much_is_enough():
    """The option enlarged to the figure is enough for that layer, and nothing less is."""
    rng, seen = np.random.default_rng(11), Counter()
    while min(seen[reason] for reason in BUFFERS) < 20:
        arch, bits, config, batch = random_case(rng, classes=(2, 200))
        config = config.replace(activation_bytes=256, mask_bytes=256, parameter_channels=64)
        before = None
        while True:
            why = decide(*lowered(arch, bits, config, batch))[3]
            if why.reason == FITS:
                break
            option = BUFFERS[why.reason]
            assert (why.step, option) != before
            assert why.figure > why.limit == getattr(config, option)
            enough = 1 << (int(why.figure) - 1).bit_length()
            if enough > 2 * why.limit:
                less = config.replace(**{option: enough // 2})
                again = decide(*lowered(arch, bits, less, batch))[3]
                assert (again.step, again.figure) == (why.step, why.figure)
            config = config.replace(**{option: enough})
            before = why.step, option
            seen[why.reason] += 1
