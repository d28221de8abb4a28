"""Random weights: the sequence where it says, the naive register bit by bit, the generator."""

import numpy as np
import pytest

from golden import weights
from hfn_accel import randomness, sequence
from hfn_accel.errors import HfnError
from hfn_accel.network import Architecture

ARCH = Architecture.parse("4x1,70x2,150x1f", classes=5, in_channels=2, image_size=8)
KINDS = ("sequence", "shifted", "generator")


@pytest.mark.parametrize("seed", [0, 7])
def test_the_sequence(seed):
    for conv in ARCH.tensors:
        signs = weights.make("sequence", seed).signs(conv)
        rng = np.random.default_rng(conv.tensor)
        for co, k in zip(rng.integers(0, conv.cout, 5), rng.integers(0, conv.fan_in, 5),
                         strict=True):  # fmt: skip
            address = (conv.tensor << 36) + (int(co) << 20) + int(k)
            bit = sequence.jump(sequence.seed_state(seed), address) >> 63
            assert signs[co, k] == (-1 if bit else 1)


@pytest.mark.parametrize("tensor", [0, 5, 8])
def test_the_naive_register(tensor):
    """Step by step: one state, whose 32 oldest bits are the next 32 weights."""
    conv = ARCH.tensors[tensor]
    signs = weights.make("shifted", 7).signs(conv)
    assert signs.shape == (conv.cout, conv.fan_in) and signs.dtype == np.int8
    state = sequence.tensor_state(sequence.seed_state(7), tensor)
    for n, sign in enumerate(signs.flat):
        assert sign == (-1 if state >> (63 - n % 32) & 1 else 1)
        if n % 32 == 31:
            state = sequence.step(state)


def test_the_naive_register_repeats_itself():
    conv = ARCH.tensors[6]
    assert conv.fan_in == 630
    words = {kind: weights.make(kind, 7).signs(conv).ravel()[:19200].reshape(-1, 32)
             for kind in KINDS}  # fmt: skip
    assert np.array_equal(words["shifted"][1:, :-1], words["shifted"][:-1, 1:])
    for kind in ("sequence", "generator"):
        assert 0.4 < (words[kind][1:, :-1] != words[kind][:-1, 1:]).mean() < 0.6


def test_the_generator_is_balanced_and_independent():
    conv = ARCH.tensors[8]
    signs = weights.make("generator", 7).signs(conv)
    assert signs.shape == (conv.cout, conv.fan_in) and set(np.unique(signs)) == {-1, 1}
    assert abs(randomness.balance(signs)) < 4 and randomness.row_correlation(signs) < 6
    assert signs.dtype == np.int8


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_and_a_tensor_decide(kind):
    one, two = ARCH.tensors[6], ARCH.tensors[7]
    assert one.fan_in * one.cout == two.fan_in * two.cout
    made, other = weights.make(kind, 7), weights.make(kind, 8)
    for draw in ("signs", "magnitudes"):
        first = getattr(made, draw)(one)
        assert np.array_equal(first, getattr(weights.make(kind, 7), draw)(one))
        for different in (getattr(made, draw)(two), getattr(other, draw)(one)):
            assert 0.4 < (first != different).mean()


def test_purposes_draw_apart():
    """Signs, magnitudes and frozen pattern of one tensor do not follow from each other."""
    states = {
        weights.generator(seed, conv, purpose).get_state().numpy().tobytes()
        for seed in (0, 1, 2**64 - 1) for conv in ARCH.tensors for purpose in range(3)
    }  # fmt: skip
    assert len(states) == 9 * len(ARCH.tensors)


def test_address_order():
    conv = ARCH.tensors[3]
    rows = np.arange(conv.weights).reshape(conv.cout, conv.fan_in)
    shaped = weights.as_weights(rows, conv)
    assert shaped.shape == (conv.cout, conv.cin, conv.kernel, conv.kernel)
    assert shaped.is_contiguous()
    for co, ci, ky, kx in np.ndindex(*shaped.shape):
        assert shaped[co, ci, ky, kx] == rows[co, (ky * conv.kernel + kx) * conv.cin + ci]


def test_unknown():
    with pytest.raises(HfnError, match="weights must be one of sequence, shifted, generator, not"):
        weights.make("lfsr", 1)
