"""From the writes seen at the trace ports back to the activations of every layer."""

import numpy as np

from hfn_accel.config import Config
from hfn_accel.program import Opcode, Program
from hfn_accel.shape import LayerShape


def split_runs(events: np.ndarray) -> list[np.ndarray]:
    """Records of several runs, one after the other: a run's first layer follows a later one."""
    if not len(events):
        return []
    falls = np.flatnonzero(np.diff(events["layer"].astype(int)) < 0) + 1
    return np.split(events, falls)


def activations(events: np.ndarray, program: Program, config: Config) -> list[np.ndarray]:
    """Outputs of every CONV that writes a bank, uint8 (channels, height, width), of one run.

    `events`: records of sim.harness.TRACE. Raises AssertionError if a layer did not write every
    word of its output exactly once, wrote another bank, or something else wrote.
    """
    layers = [(i, f) for i, (code, f) in enumerate(program.descriptors)
              if code == Opcode.CONV and not f["raw"]]  # fmt: skip
    loads = [i for i, (code, _) in enumerate(program.descriptors) if code == Opcode.LOAD]
    strange = set(np.unique(events["layer"])) - {i for i, _ in layers} - set(loads)
    assert not strange, f"descriptors {strange} wrote activations"
    return [_layer(events[events["layer"] == i], program.header, f, config) for i, f in layers]


def _layer(events, header, fields, config: Config) -> np.ndarray:
    shape = LayerShape.of(header, fields)
    bits, columns = fields["out_bits"], config.columns
    parts = config.group // columns
    assert (events["bank"] == fields["dst_bank"]).all(), "a layer wrote another bank than its own"
    word, part = np.divmod(events["addr"].astype(np.int64), parts)
    group, rest = np.divmod(word, fields["out_group_stride"])
    pixel, plane = np.divmod(rest, bits)
    tile = group * parts + part
    written = np.zeros((shape.out_tiles, shape.pixels, bits), int)
    np.add.at(written, (tile, pixel, plane), 1)
    assert (written == 1).all(), "a layer did not write every word of its output exactly once"
    lanes = (events["data"][:, None] >> np.arange(columns, dtype=np.uint64)) & np.uint64(1)
    values = np.zeros((shape.out_tiles, columns, shape.pixels), np.uint8)
    for p in range(bits):
        at = plane == p
        weight = np.uint8(1 << (bits - 1 - p))
        values[tile[at], :, pixel[at]] |= lanes[at].astype(np.uint8) * weight
    values = values.reshape(-1, shape.out_height, shape.out_width)
    return values[: shape.cout]
