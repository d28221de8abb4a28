"""Requantisation: the integer function that the functional simulator and the RTL's benches use.

The integer golden model and the RTL write the same formula for themselves; tests hold all three
equal, bit for bit.

y = clamp((acc * M + r * Mr + B + 2^(S-1)) >> S, 0, 2^a - 1)

per output channel; `>>` rounds towards minus infinity, so that the added half rounds to nearest,
ties upwards. See docs/arithmetic.md for where the numbers come from.
"""

import numpy as np

MULTIPLIER_BITS = 16  # M and Mr, signed
BIAS_BITS = 32  # B, signed
MAX_SHIFT = 47  # S is 1...47
MAX_ACTIVATION_BITS = 8
SUM_BITS = 52  # room for the sum before the shift, signed; the RTL has what it needs


def requantise(acc, multiplier, bias, shift, bits, residual_in=None, residual=None) -> np.ndarray:
    """Activations of finished accumulators; uint8, shaped as `acc`.

    acc: integers (..., channels) of at most 32 bits. multiplier (M), bias (B), residual (Mr):
    integers (channels,) or one for all; int16, int32, int16. shift (S): 1...47. bits (a): 1...8.
    residual_in (r): unsigned activations of at most 8 bits, shaped as `acc`, or None for 0.
    The sum is exact: it needs at most `sum_bits(32)` = 49 bits.
    """
    total = np.asarray(acc, np.int64) * np.asarray(multiplier, np.int64)
    total += np.asarray(bias, np.int64) + (1 << (shift - 1))
    if residual_in is not None:
        total += np.asarray(residual_in, np.int64) * np.asarray(residual, np.int64)
    total >>= shift
    return np.clip(total, 0, (1 << bits) - 1).astype(np.uint8)


def sum_bits(accumulator_bits: int) -> int:
    """Bits of a signed integer that holds every sum before the shift.

    From the widths alone: |acc| <= 2^(accumulator_bits-1), |M|, |Mr| <= 2^15, r < 2^8,
    |B| <= 2^31, rounding <= 2^46. At most 49, so `SUM_BITS` never overflows.
    """
    factor = 1 << (MULTIPLIER_BITS - 1)
    largest = (
        (1 << (accumulator_bits - 1)) * factor
        + ((1 << MAX_ACTIVATION_BITS) - 1) * factor
        + (1 << (BIAS_BITS - 1))
        + (1 << (MAX_SHIFT - 1))
    )
    return largest.bit_length() + 1


def signed_bits(low: int, high: int) -> int:
    """Bits of the narrowest signed integer that holds low...high."""
    return max((~low if low < 0 else low).bit_length(), max(high, 0).bit_length()) + 1
