"""Expected sizes of mask streams, against streams of random tickets."""

from functools import lru_cache

import numpy as np
import pytest

from hfn_accel.config import Config
from hfn_accel.expected_streams import ExpectedStreams
from hfn_accel.modes import PLAIN, Mode
from hfn_accel.network import Architecture
from hfn_accel.program import Signs
from hfn_accel.random_ticket import random_ticket
from hfn_accel.streams import RawStreams, TicketStreams

ARCH = Architecture.parse("61x2f,72x2bf", classes=10, image_size=8)
MODES = (
    PLAIN, Mode(coats=3), Mode(pruned=4, locked=2), Mode(signs=Signs.EXCEPTIONS),
    Mode(signs=Signs.EXPLICIT), Mode(coats=2, signs=Signs.EXCEPTIONS),
    Mode(pruned=8, signs=Signs.EXPLICIT),
)  # fmt: skip


@lru_cache
def drawn_tickets(mode: Mode, density: float):
    return [random_ticket(ARCH, seed, density, modes=mode) for seed in (1, 2)]


def tiles(conv, config: Config) -> int:
    return -(-conv.cout // config.columns)


@pytest.mark.parametrize("columns", [2, 4, 8, 16, 64])
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_expectation(mode, columns):
    """Sizes of every tensor, and of parts, come out as those of independent weights do."""
    config, density = Config(columns=columns), 0.3
    expected = ExpectedStreams(ARCH.tensors, (mode,) * len(ARCH.tensors), config, density)
    drawn = [TicketStreams(ticket, config) for ticket in drawn_tickets(mode, density)]
    for conv in ARCH.tensors:
        t, n = conv.tensor, tiles(conv, config)
        for first, count in ((0, n), (n // 2, n - n // 2)):
            mean = np.mean([streams.beats(t, first, count) for streams in drawn])
            spread = 4 * np.sqrt(conv.weights * mode.planes) / 64 + 2
            assert abs(expected.beats(t, first, count) - mean) < spread + 0.004 * mean


@pytest.mark.parametrize("columns", [1, 4, 16])
def test_uncoded(columns):
    """Nothing is to be expected of a plain stream: it is what it is."""
    config = Config(columns=columns, axi_data_width=128)
    expected = ExpectedStreams(ARCH.tensors, (PLAIN,) * len(ARCH.tensors), config, 0.3, coded=False)
    raw = RawStreams(ARCH, config)
    for conv in ARCH.tensors:
        n = tiles(conv, config)
        assert expected.codes(conv.tensor) == (0, 0)
        assert expected.beats(conv.tensor, 0, n) == raw.beats(conv.tensor, 0, n)


def test_ends():
    """Sizes never shrink from tile to tile, and a dense mask is not coded."""
    config = Config()
    for density in (0.01, 0.3, 0.5, 1.0):
        streams = ExpectedStreams(ARCH.tensors, (PLAIN,) * len(ARCH.tensors), config, density)
        for conv in ARCH.tensors:
            ends = streams.ends(conv.tensor)
            assert len(ends) == tiles(conv, config) + 1 and ends[0] == 0
            assert (np.diff(ends) > 0).all()
        assert (streams.codes(0) == (0, 0)) == (density >= 0.5)
