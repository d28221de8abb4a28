"""Networks and designs for tests of the engine's decisions."""

import numpy as np

from hfn_accel.config import Config
from hfn_accel.engine import lower, maps, residency
from hfn_accel.engine.records import FITS, Design, Network
from hfn_accel.streams import RawStreams
from tests.tickets import random_architecture


def lowered(arch, bits, config: Config, batch=1, streams=None):
    """(network, its maps with their derived columns, design)."""
    streams = streams or RawStreams(arch, config)
    bits = [bits] * (len(arch.layers) - 1) if isinstance(bits, int) else bits
    network = Network(*lower.lower(arch, bits), *lower.tensor_table(streams, arch.tensors, config))
    design = Design.of(config, latency=0, batch=batch)
    derived = network.maps.copy()
    maps.derive(derived, design)
    return network, derived, design


def decide(network, derived, design):
    """As `residency.decide`, with attributes."""
    placed, chunks, moved, why = residency.decide(network, derived, design)
    return placed.view(np.recarray), chunks.view(np.recarray), moved, why


def random_case(rng, **sizes):
    """A network, its bits, a configuration with small buffers and a batch."""
    sizes = {"sizes": (4, 24), "widths": (1, 40)} | sizes
    arch = random_architecture(rng, bottlenecks=True, imagenet=True, **sizes)

    def power(low, high):
        return 1 << int(rng.integers(low, high + 1))

    config = Config(
        rows=power(0, 5), columns=power(0, 5), axi_data_width=power(6, 7),
        activation_bytes=power(9, 15), mask_bytes=power(10, 14), psum_depth=power(5, 7),
        parameter_channels=power(6, 9), result_words=64,
    )  # fmt: skip
    bits = rng.integers(1, 9, len(arch.layers) - 1).tolist()
    return arch, bits, config, int(rng.integers(1, 4))


def fitting(seed: int, number: int):
    """Cases that are not refused: (network, maps, design, placed, chunks, moved)."""
    rng = np.random.default_rng(seed)
    while number:
        case = lowered(*random_case(rng))
        *decisions, why = decide(*case)
        if why.reason == FITS:
            number -= 1
            yield *case, *decisions
