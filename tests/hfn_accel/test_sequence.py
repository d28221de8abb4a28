"""The weight sequence: vectors, algebra, and statistics beside independent signs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfn_accel import randomness, sequence
from hfn_accel.errors import HfnError

STATE = 0x9E3779B97F4A7C15
PATTERN_VECTOR = "b92f5be68a7ef9fe5e543661f96a87ff"
PERIOD = (1 << 64) - 1
IDENTITY = tuple(1 << i for i in range(64))
states = st.integers(1, PERIOD)


def walk(state: int, count: int) -> list[int]:
    """The first `count` bits, one step after the other, as the specification says it."""
    out = []
    for _ in range(count):
        out.append(state >> 63)
        state = sequence.step(state)
    return out


@pytest.mark.parametrize("tensor, channel, expected", [
    (0, 0, "1001111000110111011110011011100101111111010010100111110000010101"),
    (3, 5, "1001111110000010001001101101101010000101111110010100011111111000"),
])  # fmt: skip
def test_vectors(tensor, channel, expected):
    assert "".join(map(str, sequence.bits(STATE, tensor, channel + 1, 64)[channel])) == expected
    state = sequence.tensor_state(STATE, tensor, channel)
    assert "".join(map(str, walk(state, 64))) == expected


def test_step_is_the_fibonacci_lfsr_of_taps_64_63_61_60():
    bit = [None] + [int(b) for b in f"{STATE:064b}"[::-1]]  # s1...s64
    bit = [None, bit[64] ^ bit[63] ^ bit[61] ^ bit[60], *bit[1:64]]
    assert sequence.step(STATE) == sum(b << i for i, b in enumerate(bit[1:]))


@given(states, st.integers(0, 300))
def test_jump_equals_steps(state, steps):
    walked = state
    for _ in range(steps):
        walked = sequence.step(walked)
    assert sequence.jump(state, steps) == walked


@given(states, st.integers(0, 1 << 70), st.integers(0, 1 << 70))
@settings(max_examples=30, deadline=None)
def test_jumps_add(state, a, b):
    assert sequence.jump(sequence.jump(state, a), b) == sequence.jump(state, (a + b) % PERIOD)


@given(states, st.integers(0, 1 << 66))
@settings(max_examples=30, deadline=None)
def test_jump_rows_are_the_jump(state, steps):
    rows = sequence.jump_rows(steps)
    product = sum(((row & state).bit_count() & 1) << i for i, row in enumerate(rows))
    assert product == sequence.jump(state, steps)


def test_column_functions_read_the_sign_of_each_column():
    """What the hardware does: one LFSR on channel 0's state serves all columns."""
    state = sequence.tensor_state(STATE, 2)
    expected = sequence.bits(STATE, 2, 64, 1)[:, 0]
    functions = [sequence.jump_rows(column << 20)[63] for column in range(64)]
    assert [(f & state).bit_count() & 1 for f in functions] == expected.tolist()
    taps = [f.bit_count() for f in functions[1:]]
    assert 20 <= min(taps) and max(taps) <= 44 and 30 < np.mean(taps) < 34


def test_polynomial_is_primitive():
    """The step's order is 2^64 - 1: it divides that, and no proper divisor."""
    primes = (3, 5, 17, 257, 641, 65537, 6700417)
    assert np.prod(primes, dtype=object) == PERIOD
    assert sequence.jump_rows(PERIOD) == IDENTITY
    for prime in primes:
        assert sequence.jump_rows(PERIOD // prime) != IDENTITY


@given(states, st.integers(0, sequence.MAX_TENSORS - 1), st.integers(0, 40),
       st.integers(0, 5000))  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_any_weight_regenerates_alone(state, tensor, channel, k):
    signs = sequence.signs(state, tensor, channel + 1, k + 1)
    address = tensor * 2**36 + channel * 2**20 + k
    assert sequence.address(tensor, channel, k) == address
    assert signs[channel, k] == (-1 if sequence.jump(state, address) >> 63 else 1)


def test_signs_are_int8_and_rows_of_any_length_agree():
    long = sequence.signs(STATE, 1, 3, 5000)
    assert long.dtype == np.int8 and set(np.unique(long)) == {-1, 1}
    assert long[2].tolist() == [1 - 2 * b for b in walk(sequence.tensor_state(STATE, 1, 2), 5000)]
    for length in (1, 63, 64, 65, 1023, 1024, 1025, 4096):
        assert np.array_equal(sequence.signs(STATE, 1, 3, length), long[:, :length])


def test_address_limits():
    """The last legal address works; one beyond in any direction is refused."""
    last = sequence.signs(STATE, sequence.MAX_TENSORS - 1, sequence.MAX_OUT_CHANNELS, 2)
    top = ((sequence.MAX_TENSORS - 1) << 36) + (65535 << 20) + 1
    assert top < 1 << 63 and last[-1, 1] == 1 - 2 * (sequence.jump(STATE, top) >> 63)
    assert sequence.bits(STATE, 0, 1, 1 << 20)[0, -1] == sequence.jump(STATE, 2**20 - 1) >> 63
    for tensor, channels, fan_in in ((-1, 1, 1), (1 << 27, 1, 1), (0, 65537, 1), (0, 0, 1),
                                     (0, 1, (1 << 20) + 1), (0, 1, 0)):  # fmt: skip
        with pytest.raises(HfnError, match="must be between"):
            sequence.signs(STATE, tensor, channels, fan_in)
    for state in (0, -1, 1 << 64):
        with pytest.raises(HfnError, match="state must be"):
            sequence.signs(state, 0, 1, 1)
    for function in (sequence.jump_rows, lambda n: sequence.jump(1, n)):
        with pytest.raises(HfnError, match="negative"):
            function(-1)


def test_seed_mixing_is_splitmix64():
    assert sequence.seed_state(0) == 0xE220A8397B1DCDAF
    assert sequence.seed_state(1234567) == 6457827717110365317
    assert sequence.seed_state((1 << 64) - 0x9E3779B97F4A7C15) == 1  # would mix to zero
    mixed = [sequence.seed_state(seed) for seed in range(1000)]
    assert len(set(mixed)) == 1000
    weights = np.array([m.bit_count() for m in mixed])
    assert abs(weights.mean() - 32) < 6 * 4 / np.sqrt(1000) and weights.min() > 10
    for seed in (-1, 1 << 64):
        with pytest.raises(HfnError, match="seed must be"):
            sequence.seed_state(seed)


MATRICES = [(seed, tensor) for seed in (0, 1, 2**63) for tensor in (0, 1, 13)]


def matrix(seed, tensor, rows=256, columns=256):
    return sequence.signs(sequence.seed_state(seed), tensor, rows, columns)


@pytest.mark.parametrize("seed, tensor", MATRICES)
def test_statistics_of_independent_signs(seed, tensor):
    """Limits in standard deviations that independent signs exceed once in 10,000 matrices."""
    signs = matrix(seed, tensor, 256, 4608)
    assert abs(randomness.balance(signs)) < 4.5
    assert np.abs(signs.sum(1)).max() < 6 * np.sqrt(4608)
    assert np.abs(signs.sum(0)).max() < 6 * np.sqrt(256)
    assert randomness.row_correlation(signs) < 6.5
    assert randomness.row_correlation(signs[:, :1024].T) < 7
    assert randomness.duplicate_rows(signs) == randomness.duplicate_rows(signs.T) == 0


def test_every_lane_is_the_same_sequence_over_the_channels():
    """Decimation by a power of two: a known limit, so that docs/sequence.md says it truly."""
    bits = sequence.bits(STATE, 1, 300, 200)
    for axis in (bits, bits.T):  # over the channels of a lane, over the weights of a channel
        n = len(axis) - 64
        assert not np.bitwise_xor.reduce([axis[i : i + n] for i in (0, 1, 3, 4, 64)]).any()


def test_few_lanes_are_correlated():
    """Positive correlations beyond 4.5 deviations: a few in 524,000 pairs, not more."""
    pairs = [randomness.correlated_rows(matrix(seed, 0, 256, 1024).T, 4.5) for seed in range(6)]
    assert np.mean(pairs) < 12
    naive = randomness.naive_signs(STATE, 256, 1024)
    assert randomness.correlated_rows(naive.T, 4.5) > 10_000


def test_no_two_channels_share_signs():
    assert randomness.duplicate_rows(matrix(1, 0, 65536, 64)) == 0


def test_effective_rank_is_that_of_independent_signs():
    independent = [randomness.effective_rank(randomness.independent_signs(s, 256, 256))
                   for s in range(4)]  # fmt: skip
    ranks = [randomness.effective_rank(matrix(seed, tensor)) for seed, tensor in MATRICES[::2]]
    assert abs(np.mean(ranks) - np.mean(independent)) < 0.5
    assert max(abs(r - np.mean(independent)) for r in ranks) < 1.5


@pytest.mark.parametrize("width, rank", [(32, 39), (64, 67)])
def test_statistics_tell_a_naive_generator(width, rank):
    """One shift a word: the same measures must fail, or they would show nothing."""
    signs = randomness.naive_signs(sequence.seed_state(1), 256, 256, width)
    assert np.linalg.matrix_rank(signs) == rank  # distinct columns
    assert randomness.effective_rank(signs) < rank
    assert randomness.duplicate_rows(signs.T) == 256 - rank
    assert randomness.row_correlation(signs.T) == 16  # equal columns


def test_statistics_tell_unmixed_consecutive_seeds():
    signs = 1 - 2 * np.array([walk(1 + column, 256) for column in range(256)])
    assert randomness.effective_rank(signs) < 64
    assert randomness.balance(signs) > 100


def test_pattern_is_four_bits_of_the_sequence_with_the_top_address_bit():
    """Each number from its definition, bit by bit."""
    tensor, channels, fan_in = 3, 6, 70
    numbers = sequence.pattern(STATE, tensor, channels, fan_in)
    assert numbers.shape == (channels, fan_in) and numbers.dtype == np.uint8
    for co, k in ((0, 0), (0, 69), (5, 0), (2, 33), (5, 64)):
        places = [(1 << 63) + sequence.address(tensor, co, k) + (j << 18) for j in range(4)]
        bits = [sequence.jump(STATE, place) >> 63 for place in places]
        assert numbers[co, k] == sum(bit << j for j, bit in enumerate(bits))


def test_pattern_state_begins_a_channel():
    numbers = sequence.pattern(STATE, 2, 4, 20)
    state = sequence.pattern_state(STATE, 2)
    for co, k in ((0, 0), (0, 19), (2, 7), (3, 11)):
        number = sequence.jump(state, 4 * co + (k << 46)) >> 60  # first bit highest
        assert f"{numbers[co, k]:04b}" == f"{number:04b}"[::-1]
    assert sequence.pattern_state(STATE, 2, 3) == sequence.jump(state, 12)


def test_decimation():
    state, log2 = sequence.seed_state(9), 18
    bits = [sequence.jump(state, i << log2) >> 63 for i in range(200)]
    assert walk(sequence.decimate(state, log2), 200) == bits
    assert sequence.decimate(sequence.decimate(state, log2), 64 - log2) == state


def test_pattern_vector():
    """docs/sequence.md has it."""
    digits = "".join(f"{n:x}" for n in sequence.pattern(STATE, 3, 6, 32)[5])
    assert digits == PATTERN_VECTOR


@pytest.mark.parametrize("tensor", [0, 1, 40])
def test_pattern_numbers_are_uniform_and_independent_of_signs(tensor):
    numbers = sequence.pattern(sequence.seed_state(tensor), tensor, 128, 1152).astype(int)
    signs = sequence.signs(sequence.seed_state(tensor), tensor, 128, 1152).astype(int)
    share = np.bincount(numbers.ravel(), minlength=16) / numbers.size
    assert abs(share - 1 / 16).max() < 5 * np.sqrt(15 / 256 / numbers.size)
    for bit in range(4):
        one = 2 * (numbers >> bit & 1) - 1
        assert abs(np.vdot(one, signs)) < 4.5 * np.sqrt(signs.size)
        for other in range(bit):
            assert abs(np.vdot(one, 2 * (numbers >> other & 1) - 1)) < 4.5 * np.sqrt(signs.size)
    assert randomness.row_correlation(2 * (numbers >> 3) - 1) < 6.5


@pytest.mark.parametrize("change, message", [
    ({"fan_in": (1 << 18) + 1}, "fan_in must be between 1 and 262144, not 262145"),
    ({"tensor": 1 << 27}, "tensor must be"), ({"state": 0}, "state must be"),
])  # fmt: skip
def test_pattern_refuses(change, message):
    with pytest.raises(HfnError, match=message):
        sequence.pattern(**{"state": 1, "tensor": 0, "out_channels": 1, "fan_in": 1} | change)
