"""The weight sequence: every weight's sign is one bit of one maximal-length sequence.

Generator: 64-bit Fibonacci LFSR, taps 64, 63, 61, 60 (primitive, period 2^64 - 1). State bits
s1...s64; one step is f = s64 ^ s63 ^ s61 ^ s60, then s(i+1) <- s(i) and s1 <- f. As an integer,
s(i) is bit i - 1. The bit at address n is s64 after n steps from the ticket's seed state.

A weight's address is `t * 2^36 + co * 2^20 + k` (tensor t, output channel co, k-th weight of the
channel, `k = (ky * KW + kx) * Cin + ci`); bit 0 is +1 and bit 1 is -1. Any address is reached by
powers of the step matrix over GF(2), so any weight can be regenerated alone. The pattern of
partially frozen networks is the same with the top address bit set.

See docs/sequence.md for the derivation and the statistical tests.
"""

from functools import cache, lru_cache

import numpy as np

from .errors import HfnError

BITS = 64
TAPS = (64, 63, 61, 60)
CHANNEL_LOG2 = 20  # address distance of neighbouring output channels
TENSOR_LOG2 = 36  # address distance of neighbouring tensors
MAX_FAN_IN = 1 << CHANNEL_LOG2
MAX_OUT_CHANNELS = 1 << (TENSOR_LOG2 - CHANNEL_LOG2)
MAX_TENSORS = 1 << (BITS - 1 - TENSOR_LOG2)  # the top address bit selects the frozen pattern
PATTERN = 1 << (BITS - 1)  # address distance from signs to the frozen pattern
PATTERN_BITS = 4  # bits of a weight's number in the pattern
PATTERN_LOG2 = 18  # address distance of a number's bits
MAX_PATTERN_FAN_IN = 1 << PATTERN_LOG2

PERIOD = (1 << BITS) - 1

_SEGMENT_LOG2 = 10  # bits generated one after the other; longer rows are split and vectorised
_MASK = (1 << BITS) - 1


def step(state: int) -> int:
    """The state after one step."""
    feedback = 0
    for tap in TAPS:
        feedback ^= state >> (tap - 1)
    return ((state << 1) | (feedback & 1)) & _MASK


def seed_state(seed: int) -> int:
    """Mix a user's integer seed into a 64-bit state that is never zero (SplitMix64).

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    A state such as 1 would start the sequence with 63 zeros. Raises HfnError for a seed outside
    0...2^64 - 1.
    """
    if not 0 <= seed <= _MASK:
        raise HfnError(f"seed must be between 0 and 2^64 - 1, not {seed!r}")
    z = (seed + 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return (z ^ (z >> 31)) or 1


@cache
def _power_columns(log2: int) -> tuple[int, ...]:
    """Columns of A^(2^log2): column i is the image of state bit i."""
    if log2 == 0:
        return tuple(step(1 << i) for i in range(BITS))
    half = np.array(_power_columns(log2 - 1), np.uint64)
    return tuple(int(x) for x in _apply(_byte_tables(tuple(half.tolist())), half))


@lru_cache(maxsize=256)
def _byte_tables(columns: tuple[int, ...]) -> np.ndarray:
    """uint64 (8, 256): the image of each value of each state byte."""
    tables = np.zeros((8, 256), np.uint64)
    for byte in range(8):
        for bit in range(8):
            half = 1 << bit
            tables[byte, half : 2 * half] = tables[byte, :half] ^ np.uint64(columns[8 * byte + bit])
    return tables


def _apply(tables: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Matrix times each state of a uint64 array."""
    result = tables[0][states & np.uint64(0xFF)]
    for byte in range(1, 8):
        result = result ^ tables[byte][(states >> np.uint64(8 * byte)) & np.uint64(0xFF)]
    return result


def _jump_columns(steps: int) -> tuple[int, ...]:
    """Columns of A^steps."""
    columns = np.array([1 << i for i in range(BITS)], np.uint64)
    for log2 in range(steps.bit_length()):
        if steps >> log2 & 1:
            columns = _apply(_byte_tables(_power_columns(log2)), columns)
    return tuple(int(c) for c in columns)


def jump_rows(steps: int) -> tuple[int, ...]:
    """Rows of A^steps as 64-bit masks: bit i of the new state is the parity of `state & row[i]`.

    `jump_rows(2^20 * c)[63]` is the fixed linear function through which column c of the array
    reads its sign from the shared LFSR. Raises HfnError for negative steps.
    """
    if steps < 0:
        raise HfnError(f"steps must not be negative, not {steps!r}")
    columns = _jump_columns(steps)
    return tuple(sum(((columns[j] >> i) & 1) << j for j in range(BITS)) for i in range(BITS))


def jump(state: int, steps: int) -> int:
    """The state `steps` steps later, in time logarithmic in `steps`."""
    if steps < 0:
        raise HfnError(f"steps must not be negative, not {steps!r}")
    result = np.array([state], np.uint64)
    for log2 in range(steps.bit_length()):
        if steps >> log2 & 1:
            result = _apply(_byte_tables(_power_columns(log2)), result)
    return int(result[0])


def decimate(state: int, log2: int) -> int:
    """The state of every 2^log2-th bit of the sequence, the first being that of `state`.

    These bits obey the sequence's own recurrence, since squaring is linear over GF(2): whatever
    holds for the sequence, jumps included, holds for them. `decimate(_, 64 - log2)` is the inverse,
    since 2^64 steps are one.
    """
    bits = (jump(state, i << log2) >> (BITS - 1) for i in range(BITS))
    return sum(bit << (BITS - 1 - i) for i, bit in enumerate(bits))


def address(tensor: int, out_channel: int, k: int) -> int:
    """Sequence address of one weight."""
    return (tensor << TENSOR_LOG2) + (out_channel << CHANNEL_LOG2) + k


def tensor_state(state: int, tensor: int, out_channel: int = 0) -> int:
    """The state at the address of a channel's first weight (what a descriptor carries)."""
    return jump(state, address(tensor, out_channel, 0))


def pattern_state(state: int, tensor: int, out_channel: int = 0) -> int:
    """Of every 2^18th bit from a channel's frozen pattern on (what a descriptor carries)."""
    return decimate(jump(state, PATTERN + address(tensor, out_channel, 0)), PATTERN_LOG2)


def _spread(states: np.ndarray, stride_log2: int, count: int) -> np.ndarray:
    """uint64 (..., n) -> (..., n, count): each state at multiples 0...count-1 of 2^stride_log2."""
    grid = states[..., None]
    log2 = stride_log2
    while grid.shape[-1] < count:
        grid = np.concatenate([grid, _apply(_byte_tables(_power_columns(log2)), grid)], axis=-1)
        log2 += 1
    return grid[..., :count]


def _check(state: int, tensor: int, out_channels: int, fan_in: int, max_fan_in: int = MAX_FAN_IN):
    if not 0 < state <= _MASK:
        raise HfnError(f"state must be between 1 and 2^64 - 1, not {state!r}")
    for name, value, low, high in (
        ("tensor", tensor, 0, MAX_TENSORS - 1),
        ("out_channels", out_channels, 1, MAX_OUT_CHANNELS),
        ("fan_in", fan_in, 1, max_fan_in),
    ):
        if not low <= value <= high:
            raise HfnError(f"{name} must be between {low} and {high}, not {value!r}")


def bits(state: int, tensor: int, out_channels: int, fan_in: int) -> np.ndarray:
    """Sign bits of a tensor, uint8 (out_channels, fan_in) of 0/1; see `signs`."""
    _check(state, tensor, out_channels, fan_in)
    return _rows(tensor_state(state, tensor), out_channels, fan_in)


def _rows(start: int, out_channels: int, fan_in: int) -> np.ndarray:
    """The bits from state `start` on, uint8 (out_channels, fan_in), row after row 2^20 further."""
    lanes = _spread(np.array(start, np.uint64), CHANNEL_LOG2, out_channels)
    segments = -(-fan_in // (1 << _SEGMENT_LOG2))
    lanes = _spread(lanes, _SEGMENT_LOG2, segments)
    words = -(-min(fan_in, 1 << _SEGMENT_LOG2) // BITS)
    out = np.empty((out_channels, segments, words), ">u8")
    # The first 64 bits are s64...s1, the state itself read from its top bit; each further word
    # follows from b[n+64] = b[n] ^ b[n+1] ^ b[n+3] ^ b[n+4], whose last four bits need the first
    # four of the word under construction.
    s1, s3, s4, r63, r61, r60 = (np.uint64(n) for n in (1, 3, 4, 63, 61, 60))
    word = lanes
    for i in range(words):
        out[..., i] = word
        nxt = word ^ (word << s1) ^ (word << s3) ^ (word << s4)
        word = nxt ^ (nxt >> r63) ^ (nxt >> r61) ^ (nxt >> r60)
    row = np.unpackbits(out.view(np.uint8).reshape(out_channels, -1), axis=1)
    return row[:, :fan_in]


def signs(state: int, tensor: int, out_channels: int, fan_in: int) -> np.ndarray:
    """Signs of a tensor's random weights.

    Returns int8 (out_channels, fan_in) of +1 and -1; `[co, k]` is the weight at
    `address(tensor, co, k)`. `state` is the ticket's seed state (see `seed_state`).
    Raises HfnError if an argument is outside the sequence's address space.
    """
    return np.int8(1) - (bits(state, tensor, out_channels, fan_in).view(np.int8) << 1)


def pattern(state: int, tensor: int, out_channels: int, fan_in: int) -> np.ndarray:
    """Numbers 0...15 that tell which weights of a partially frozen tensor are frozen.

    Returns uint8 (out_channels, fan_in): bit j of `[co, k]` is the sequence's bit at
    2^63 + address(tensor, co, k) + j * 2^18. A weight whose number is below `pruned` is pruned;
    of the others, one whose number is below `pruned + locked` is locked. Raises HfnError if an
    argument is outside the address space; `fan_in` is at most 2^18.
    """
    _check(state, tensor, out_channels, fan_in, MAX_PATTERN_FAN_IN)
    numbers = np.zeros((out_channels, fan_in), np.uint8)
    start = jump(state, PATTERN + address(tensor, 0, 0))
    for j in range(PATTERN_BITS):
        numbers |= _rows(jump(start, j << PATTERN_LOG2), out_channels, fan_in) << j
    return numbers
