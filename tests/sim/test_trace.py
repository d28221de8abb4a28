import numpy as np
import pytest

from hfn_accel.config import Config
from hfn_accel.program import Opcode, Origin, Program
from sim.harness import TRACE
from sim.trace import activations, split_runs
from tests.hfn_accel.descriptors import Builder, random_conv

CONFIG = Config(rows=16, columns=4)
SHAPE = {"cout": 11, "height": 5, "width": 4}


def run(seed: int):
    """Two CONVs and a POOL that copies 3 tiles: (program, outputs, records in random order)."""
    rng = np.random.default_rng(seed)
    cases = [random_conv(rng, CONFIG, **SHAPE) for _ in range(2)]
    builder, outputs, records = Builder(CONFIG), [], []
    builder.add(Opcode.LOAD, groups=1, beats=1)
    for case in cases:
        index = case.add_to(builder)
        outputs.append(case.outputs)
        records.append(written(rng, index, case.fields, case.outputs))
    pooled = rng.integers(0, 8, (11, 2, 3))
    fields = {"src_bank": 0, "dst_bank": 1, "bits": 3, "kernel": 1, "stride": 1, "in_height": 2,
              "in_width": 3, "out_height": 2, "out_width": 3, "granules": 3, "row_stride": 9,
              "dst_base": 12, "out_group_stride": 18}  # fmt: skip
    index = builder.add(Opcode.POOL, **fields)
    outputs.append(pooled)
    records.append(written(rng, index, fields | {"first_part": 0, "out_bits": 3}, pooled))
    origins = (None, None, *(Origin(layer=7),) * 2, Origin(layer=7, pooled=True), None)
    program = builder.program(workspace_bytes=8)
    return Program(program.image, (), origins), outputs, np.concatenate(records)


def written(rng, index, f, values):
    """Records of a map's planes, lanes without a channel holding anything."""
    channels, height, width = values.shape
    tiles, bits, parts = -(-channels // 4), f["out_bits"], 4
    records = np.zeros(tiles * height * width * bits, TRACE)
    places = np.ndindex(tiles, height, width, bits)
    for record, (tile, y, x, plane) in zip(records, places, strict=True):
        group, part = divmod(f["first_part"] + tile, parts)
        word = f["dst_base"] + group * f["out_group_stride"] + (y * width + x) * bits + plane
        data = int(rng.integers(16))
        for lane in range(min(4, channels - tile * 4)):
            bit = int(values[tile * 4 + lane, y, x]) >> (bits - 1 - plane) & 1
            data = data & ~(1 << lane) | bit << lane
        record["layer"], record["bank"] = index, f["dst_bank"]
        record["addr"], record["data"] = word * parts + part, data
    return rng.permutation(records)


@pytest.mark.parametrize("seed", range(5))
def test_outputs_of_convs_and_pools(seed):
    program, outputs, records = run(seed)
    for got, want in zip(activations(records, program, CONFIG), outputs, strict=True):
        assert got.dtype == np.uint8 and (got == want).all()


def test_runs_follow_each_other():
    program, outputs, records = run(1)
    parts = split_runs(np.concatenate([records] * 3), program, CONFIG)
    assert len(parts) == 3 and all((part == records).all() for part in parts)
    assert split_runs(records[:0], program, CONFIG) == []


def test_a_word_missing_twice_or_elsewhere():
    program, _, records = run(2)
    last = len(records) - 1
    twice, elsewhere = np.delete(np.append(records, records[3]), 4), records.copy()
    elsewhere["addr"][last] += 1000
    for bad in (records[1:], records[:last], np.append(records, records[0]), twice, elsewhere,
                records[:0]):  # fmt: skip
        with pytest.raises(AssertionError, match="every word of its output exactly once"):
            activations(bad, program, CONFIG)
    bank, layer = records.copy(), records.copy()
    bank["bank"][0] ^= 3
    with pytest.raises(AssertionError, match="descriptor 2 wrote another bank"):
        activations(bank, program, CONFIG)
    layer["layer"][5] = 1
    with pytest.raises(AssertionError, match=r"descriptors \{1\} wrote activations"):
        activations(layer, program, CONFIG)
