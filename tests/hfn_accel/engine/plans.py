"""Plans for tests: of given networks, of random ones, and what they move."""

from collections import Counter, defaultdict
from types import SimpleNamespace

import numpy as np

from hfn_accel.config import Config
from hfn_accel.engine import lower
from hfn_accel.engine.plan import Plan, plan
from hfn_accel.engine.records import MAP, STEP, TENSOR, Network, table
from hfn_accel.errors import HfnError
from hfn_accel.functional import count_bytes
from hfn_accel.streams import RawStreams
from tests.hfn_accel.engine.cases import random_case

KIB = 1 << 10


def lowered(arch, bits, config: Config, streams) -> Network:
    return Network(*lower.lower(arch, bits), *lower.tensor_table(streams, arch.tensors, config))


def make(arch, config: Config, bits=8, batch=1) -> Plan:
    levels = [bits] * (len(arch.layers) - 1) if isinstance(bits, int) else bits
    return plan(arch, levels, config, streams=RawStreams(arch, config), batch=batch)


def descriptors(p: Plan):
    """Opcodes and fields, 0 where one is left out."""
    return [(item.opcode, defaultdict(int, item.fields)) for item in p.items]


def count(p: Plan) -> Counter:
    return Counter(item.opcode for item in p.items)


def bytes_of(p: Plan, config: Config) -> dict[str, int]:
    return count_bytes(SimpleNamespace(descriptors=descriptors(p)), config)


def moved(p: Plan, config: Config) -> int:
    """Bytes that the descriptors move, but for themselves and logits."""
    b = bytes_of(p, config)
    logits = 4 * p.items[0].fields["classes"] * p.items[0].fields["batch"]
    return b["mask"] + b["parameter"] + b["activation"] - logits


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


def random_network(rng, config: Config) -> Network:
    """Layers of any shape, each behind the one before or with maps outside; sometimes a classifier
    at the end."""
    steps, maps, tensors, ends = [], [], [], [0]

    def flip(share):
        return bool(rng.random() < share)

    def draw(least, most):
        return int(rng.integers(least, most + 1))

    def new(channels, height, width, outside):
        maps.append({"channels": channels, "height": height, "width": width, "bits": draw(1, 8),
                     "image": 0, "outside": int(outside), "image_width": 0})  # fmt: skip
        return len(maps) - 1

    source, count = -1, draw(1, 6)
    for number in range(count):
        image = number == 0 and flip(0.5)
        if source < 0 or flip(0.3):
            source = new(draw(1, 4 if image else 40), draw(4, 20), draw(4, 20), not image)
        m = maps[source]
        pooled = number > 0 and flip(0.2)
        classifier = number == count - 1 > 0 and not pooled and flip(0.5)
        kernel, taps, stride = draw(1, min(5, m["height"])), draw(1, min(5, m["width"])), draw(1, 2)
        if pooled:
            kernel = taps = min(kernel, taps)
        if classifier:
            kernel = taps = stride = 1
        pad = draw(0, min(kernel, taps) // 2)
        cin, cout = m["channels"], m["channels"] if pooled else draw(1, 60)
        rows = (m["height"] + 2 * pad - kernel) // stride + 1
        width = (m["width"] + 2 * pad - taps) // stride + 1
        if image:
            m |= {"image": 1, "image_width": m["width"], "width": width, "bits": 8,
                  "channels": taps * cin}  # fmt: skip
        residual = output = -1
        if not classifier:
            residual = -1 if pooled or flip(0.7) else new(cout, rows, width, True)
            output = new(cout, rows, width, flip(0.3))
        fan_in = kernel * taps * cin
        steps.append({
            "layer": number, "tensor": -1 if pooled else len(tensors), "pooled": int(pooled),
            "source": source, "residual": residual, "output": output, "kernel": kernel,
            "kernel_width": taps, "stride": stride, "pad": pad, "rows": rows, "width": width,
            "classifier": int(classifier), "run": number, "cin": cin, "cout": cout,
            "fan_in": fan_in, "image_pad": pad if image else 0,
        })  # fmt: skip
        if not pooled:
            coats = draw(1, 3)
            tensors.append({"fan_in": fan_in, "cout": cout, "coats": coats, "planes": coats,
                            "first_end": len(ends) - 1, "alike": len(tensors)})  # fmt: skip
            ends += (ends[-1] + rng.integers(1, 4000, -(-cout // config.columns)).cumsum()).tolist()
        source = output
    return Network(_filled(STEP, steps), _filled(MAP, maps), _filled(TENSOR, tensors),
                   np.array(ends))  # fmt: skip


def _filled(kind: np.dtype, rows: list[dict]) -> np.recarray:
    filled = table(kind, len(rows))
    for name in {name for row in rows for name in row}:
        filled[name] = [row[name] for row in rows]
    return filled
