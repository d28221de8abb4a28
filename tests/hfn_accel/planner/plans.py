"""Plans for tests: of given networks, of random ones, and what they move."""

from collections import Counter, defaultdict
from types import SimpleNamespace

import numpy as np

from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.functional import count_bytes
from hfn_accel.planner import Plan, RawStreams, plan
from tests.tickets import random_architecture

KIB = 1 << 10


def make(arch, config: Config, bits=8, batch=1) -> Plan:
    levels = [bits] * (len(arch.layers) - 1) if isinstance(bits, int) else bits
    return plan(arch, levels, config, streams=RawStreams(arch, config), batch=batch)


def descriptors(p: Plan):
    """Opcodes and fields, 0 where the planner leaves one out."""
    return [(item.opcode, defaultdict(int, item.fields)) for item in p.items]


def count(p: Plan) -> Counter:
    return Counter(item.opcode for item in p.items)


def moved(p: Plan, config: Config) -> int:
    """Bytes that the descriptors move, but for themselves and logits."""
    b = count_bytes(SimpleNamespace(descriptors=descriptors(p)), config)
    logits = 4 * p.items[0].fields["classes"] * p.items[0].fields["batch"]
    return b["mask"] + b["parameter"] + b["activation"] - logits


def random_case(rng, **sizes):
    """A network, its bits, a configuration with small buffers and a batch."""
    arch = random_architecture(rng, bottlenecks=True, imagenet=True, sizes=(4, 24),
                               widths=(1, 40), **sizes)  # fmt: skip

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
    """Cases that are not refused, with their plans."""
    rng = np.random.default_rng(seed)
    while number:
        arch, bits, config, batch = random_case(rng)
        try:
            p = make(arch, config, bits, batch)
        except HfnError:
            continue
        number -= 1
        yield arch, bits, config, batch, p
