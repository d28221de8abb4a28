"""`rtl.sign_generator`."""

import pytest

from hfn_accel import sequence
from rtl.sign_generator import PATTERN_OFFSETS, SignGenerator, tile_signs
from sim.runner import run


@pytest.mark.parametrize("columns, offsets", [
    *[(columns, (0,)) for columns in (1, 2, 8, 16, 64)],
    *[(columns, PATTERN_OFFSETS) for columns in (1, 8)],
])  # fmt: skip
def test_sign_generator(columns, offsets):
    run(SignGenerator(columns, offsets), "sim.benches.sign_generator", seed=2, columns=columns,
        offsets=offsets, name=f"sign_generator_{columns}_{len(offsets)}")  # fmt: skip


def test_function_is_the_sequence():
    state = sequence.seed_state(3)
    bits = tile_signs(sequence.jump(state, sequence.address(7, 4, 11)), 4)
    signs = sequence.signs(state, 7, 8, 12)[4:, 11]
    assert [1 - 2 * (bits >> c & 1) for c in range(4)] == signs.tolist()


def test_pattern_numbers():
    seed = sequence.seed_state(3)
    state = sequence.jump(sequence.pattern_state(seed, 7, 4), 11)
    bits = tile_signs(state, 4, PATTERN_OFFSETS)
    numbers = [sum((bits >> (4 * j + c) & 1) << j for j in range(4)) for c in range(4)]
    assert numbers == sequence.pattern(seed, 7, 8, 12)[4:, 11].tolist()
