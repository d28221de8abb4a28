"""`rtl.sign_generator`."""

import pytest

from hfn_accel import sequence
from rtl.sign_generator import SignGenerator, tile_signs
from sim.runner import run


@pytest.mark.parametrize("columns", [1, 2, 8, 16, 64])
def test_sign_generator(columns):
    run(SignGenerator(columns), "sim.benches.sign_generator", seed=2, columns=columns,
        name=f"sign_generator_{columns}")  # fmt: skip


def test_function_is_the_sequence():
    state = sequence.seed_state(3)
    bits = tile_signs(sequence.jump(state, sequence.address(7, 4, 11)), 4)
    signs = sequence.signs(state, 7, 8, 12)[4:, 11]
    assert [1 - 2 * (bits >> c & 1) for c in range(4)] == signs.tolist()
