"""Random programs for the bench of `Control`: legal descriptors, and durations for their jobs."""

import zlib
from dataclasses import dataclass, field
from random import Random

import numpy as np

from hfn_accel.config import Config
from hfn_accel.engine.durations import durations, read_cycles
from hfn_accel.engine.records import Design, jobs
from hfn_accel.program import (
    DESCRIPTOR_BYTES,
    PARAMETER_BYTES,
    Opcode,
    encode,
    shape_fields,
    with_crc,
)
from hfn_accel.registers import Cause
from hfn_accel.timing import CHECK_CYCLES, PHASE_CYCLES

BASE, INPUT, WORKSPACE, OUTPUT, SIZE = 0x1000, 0x8000, 0x10000, 0x20000, 0x21000
STORED = 0x8000
"""STOREs write from here on in the workspace, LOADs read what lies before."""


def beats(size: int, config: Config) -> int:
    return -(-size // config.bus_bytes)


@dataclass
class Step:
    """A descriptor, and what the blocks around `Control` do for it.

    busy: clocks in which the image loader or the mask decoder is busy. tiles: (clocks before it,
    clocks of it) of every tile; tail: clocks of the drain, or of a POOL. byte: first byte in memory
    instead of the opcode.
    """

    opcode: Opcode
    fields: dict
    busy: int = 1
    tiles: list = field(default_factory=list)
    tail: int = 2
    byte: int | None = None

    def durations(self, design: Design) -> np.ndarray:
        """As `durations`, but for the blocks around, which take what the step says."""
        f = self.fields
        (clocks,) = durations(jobs([(self.opcode, f)]), design)

        def phase(count):
            return max(read_cycles(count, design.latency), self.busy + 1) + PHASE_CYCLES

        if self.opcode == Opcode.IMAGE:
            clocks[Cause.LOAD] = phase(-(-4 * f["width"] * f["rows"] // design.bus_bytes))
        if self.opcode == Opcode.POOL:
            clocks[Cause.POOL] = self.tail
        if self.opcode == Opcode.CONV:
            if f["fetch_mask"]:
                clocks[Cause.MASK] = phase(f["mask_beats"]) + CHECK_CYCLES
            clocks[Cause.FILL] = 2 + self.tiles[0][0]
            clocks[Cause.COMPUTE] = sum(count for _, count in self.tiles)
            clocks[Cause.STALL] = sum(pause for pause, _ in self.tiles[1:])
            clocks[Cause.DRAIN] = self.tail
        return clocks


def image(steps: list[Step], data: bytes, config: Config) -> bytes:
    """The descriptors, with the CRCs of what they fetch from `data`."""

    def crc(address, count):
        return zlib.crc32(data[BASE + address :][: count * config.bus_bytes])

    result = b""
    for step in steps:
        f = step.fields
        if step.opcode == Opcode.CONV:
            records = beats(PARAMETER_BYTES * f["out_channels"], config)
            f = f | {"mask_crc32": crc(f["mask_address"], f["mask_beats"]),
                     "parameter_crc32": crc(f["parameter_address"], records)}  # fmt: skip
        made = encode(step.opcode, **f)
        result += made if step.byte is None else with_crc(bytes([step.byte]) + made[1:])
    return result


def begin(config: Config) -> Step:
    return Step(Opcode.BEGIN, shape_fields(config))


def transfer(rng: Random, config: Config, opcode: Opcode) -> Step:
    groups, count = rng.randint(1, 4), rng.choice((1, 2, rng.randint(1, 40)))
    stride = count + rng.randint(0, 8)
    first = STORED if opcode == Opcode.STORE else 0
    return Step(opcode, {
        "bank": rng.randrange(3), "groups": groups, "beats": count,
        "address": first + rng.randrange(0, 0x4000, config.bus_bytes),
        "memory_stride": stride * config.bus_bytes,
        "bank_beat": rng.randrange(1 << 12), "bank_stride": rng.randrange(1 << 12),
    })  # fmt: skip


def load_image(rng: Random, config: Config) -> Step:
    return Step(Opcode.IMAGE, {
        "bank": rng.randrange(3), "channels": rng.randint(1, 4), "taps": rng.randint(1, 7),
        "stride": rng.randint(1, 2), "pad": rng.randrange(4), "out_width": rng.randint(1, 9),
        "address": rng.randrange(0, 0x1000, config.bus_bytes), "width": rng.randint(1, 13),
        "rows": rng.randint(1, 7), "granules": rng.randint(1, 3),
    }, busy=rng.randint(1, 120))  # fmt: skip


def pool(rng: Random, config: Config) -> Step:
    source, target = rng.sample(range(3), 2)
    return Step(Opcode.POOL, {
        "src_bank": source, "dst_bank": target, "bits": rng.randint(1, 8),
        "kernel": rng.randint(1, 3), "stride": rng.randint(1, 2), "in_height": 4, "in_width": 5,
        "out_height": 2, "out_width": 3, "granules": 1,
    }, tail=rng.randint(2, 60))  # fmt: skip


def conv(rng: Random, config: Config) -> Step:
    """Legal; of what the datapath does with it, nothing is asked here."""
    source, target, residual = rng.sample(range(3), 3)
    raw = rng.random() < 0.3
    fields = {
        "src_bank": source, "dst_bank": target, "res_bank": residual, "raw": raw, "pool": raw,
        "residual": not raw and rng.getrandbits(1), "open": 1, "close": rng.getrandbits(1),
        "fetch_mask": rng.getrandbits(1), "fetch_parameters": not raw and rng.getrandbits(1),
        "signs": rng.randrange(3), "coats": rng.randint(1, 7),
        "in_bits": rng.randint(1, 8), "out_bits": rng.randint(1, 8), "res_bits": rng.randint(1, 8),
        "shift": rng.randint(1, 47), "kernel_height": 3, "kernel_width": 3, "stride": 1,
        "stride_x": rng.randint(1, 2), "in_height": 8, "in_width": 8, "out_width": 8,
        "in_tiles": 1, "last_rows": rng.randint(1, config.rows), "out_tiles": 2,
        "out_channels": rng.randint(1, 64), "strips": 1, "strip_rows": 8, "last_strip_rows": 8,
        "fan_in": 9, "mask_base": rng.randrange(100), "plane_beats": rng.randint(1, 50),
        "mask_beats": rng.choice((1, 7, rng.randint(1, 600))),
        "mask_address": rng.randrange(0x1800, 0x4000, config.bus_bytes),
        "parameter_address": rng.randrange(0, 0x400, config.bus_bytes) + (0 if raw else 0x1000),
        "parameter_base": rng.randrange(3) * max(2, config.columns),
    }  # fmt: skip
    tiles = [(rng.randint(1, 9), rng.randint(1, 40))]
    tiles += [(rng.choice((0, 0, 3)), rng.randint(1, 40)) for _ in range(rng.randrange(4))]
    return Step(Opcode.CONV, fields, rng.choice((1, 10, 700)), tiles, rng.randint(1, 20))


MAKERS = (
    load_image, conv, conv, conv, pool,
    lambda rng, config: transfer(rng, config, Opcode.LOAD),
    lambda rng, config: transfer(rng, config, Opcode.STORE),
    lambda rng, config: transfer(rng, config, Opcode.STORE),
)  # fmt: skip


def random_steps(rng: Random, config: Config, length: int) -> list[Step]:
    """A program that comes to an end, with waits for anything that is complete sooner or later."""
    steps, executed, stored = [begin(config)], 0, 0
    for _ in range(length):
        step = rng.choice(MAKERS)(rng, config)
        for name, most in (("wait_executed", executed), ("wait_stored", stored),
                           ("hold_stored", stored)):  # fmt: skip
            step.fields[name] = (most - rng.choice((0, 1, 2, most, 0x7FFF))) & 0xFFFF
        steps.append(step)
        executed += step.opcode in (Opcode.CONV, Opcode.POOL)
        stored += step.opcode == Opcode.STORE
    assert len(steps) * DESCRIPTOR_BYTES < 0x1000
    return [*steps, Step(Opcode.END, {})]


_MAP = {"raw": 0, "pool": 0, "residual": 0, "src_bank": 0, "dst_bank": 1, "res_bank": 2}
_RAW = {"raw": 1, "pool": 1, "residual": 0, "fetch_parameters": 0}
_FROZEN = {"pruned": 3, "coats": 1, "code": 0}
_ONLY_ZERO = {
    Opcode.IMAGE: "channels taps width rows out_width granules stride",
    Opcode.LOAD: "groups beats", Opcode.STORE: "groups beats",
    Opcode.POOL: "kernel in_height in_width out_height out_width granules bits stride",
    Opcode.CONV: "kernel_height kernel_width in_height in_width out_width in_tiles out_tiles "
                 "out_channels strips strip_rows last_strip_rows fan_in last_rows in_bits stride "
                 "stride_x coats plane_beats",
}  # fmt: skip

REFUSED: list[tuple[Opcode, dict]] = [
    *((opcode, {name: 0}) for opcode, names in _ONLY_ZERO.items() for name in names.split()),
    (Opcode.IMAGE, {"bank": 3}), (Opcode.IMAGE, {"channels": 5}), (Opcode.IMAGE, {"stride": 3}),
    (Opcode.IMAGE, {"address": 4}), (Opcode.LOAD, {"bank": 3}), (Opcode.STORE, {"bank": 3}),
    (Opcode.LOAD, {"address": 4}), (Opcode.STORE, {"memory_stride": 1}),
    (Opcode.POOL, {"src_bank": 3}), (Opcode.POOL, {"dst_bank": 3}), (Opcode.POOL, {"bits": 9}),
    (Opcode.POOL, {"src_bank": 1, "dst_bank": 1}), (Opcode.POOL, {"stride": 3}),
    (Opcode.CONV, {"src_bank": 3}), (Opcode.CONV, {"in_bits": 9}), (Opcode.CONV, {"shift": 48}),
    (Opcode.CONV, _MAP | {"dst_bank": 3}), (Opcode.CONV, _MAP | {"dst_bank": 0}),
    (Opcode.CONV, _MAP | {"out_bits": 0}), (Opcode.CONV, _MAP | {"out_bits": 9}),
    (Opcode.CONV, _MAP | {"shift": 0}), (Opcode.CONV, _RAW | {"residual": 1}),
    *((Opcode.CONV, _MAP | {"residual": 1} | wrong) for wrong in (
        {"res_bits": 0}, {"res_bits": 9}, {"res_bank": 3}, {"res_bank": 0}, {"res_bank": 1})),
    (Opcode.CONV, {"bipolar": 1, "in_bits": 2}), (Opcode.CONV, {"stride": 3}),
    (Opcode.CONV, {"stride_x": 3}), (Opcode.CONV, {"last_rows": 200}),
    (Opcode.CONV, {"first_part": 60}), (Opcode.CONV, _MAP | {"pool": 1}),
    (Opcode.CONV, _RAW | {"pool": 0}), (Opcode.CONV, {"signs": 3}),
    (Opcode.CONV, {"mask_base": 8191, "plane_beats": 2}),
    (Opcode.CONV, {"coats": 7, "signs": 0, "mask_base": 0, "plane_beats": 1171}),
    (Opcode.CONV, {"coats": 7, "signs": 1, "mask_base": 0, "plane_beats": 1025}),
    (Opcode.CONV, {"fetch_mask": 1, "mask_beats": 0}), (Opcode.CONV, _FROZEN | {"coats": 2}),
    (Opcode.CONV, _FROZEN | {"code": 1}), (Opcode.CONV, _FROZEN | {"locked": 14}),
    (Opcode.CONV, _RAW | {"fetch_parameters": 1}), (Opcode.CONV, _RAW | {"out_channels": 129}),
    (Opcode.CONV, _MAP | {"out_channels": 513}), (Opcode.CONV, _MAP | {"parameter_base": 500}),
    (Opcode.CONV, _MAP | {"parameter_base": 1}), (Opcode.CONV, {"mask_address": 4}),
    (Opcode.CONV, {"parameter_address": 4}),
]  # fmt: skip
"""What `Control` must refuse, of the configuration that the tests use: 64 KiB of masks."""
