"""Exact convolution and maximum of small integers in NumPy."""

import numpy as np

from ..shape import Window


def fill(x: np.ndarray, window: Window) -> np.ndarray:
    """The pixels that were read, (N, rows, columns, channels), with the window's zeros around."""
    return np.pad(x, ((0, 0), *window.padding, (0, 0)))


def _taps(x: np.ndarray, window: Window):
    """For each tap (ky, kx): its input pixels, (N, out_height, out_width, channels)."""
    for ky in range(window.kernel_height):
        rows = slice(ky, ky + (window.out_height - 1) * window.stride + 1, window.stride)
        for kx in range(window.kernel_width):
            columns = slice(kx, kx + (window.out_width - 1) * window.stride_x + 1, window.stride_x)
            yield ky, kx, x[:, rows, columns]


def convolve(x: np.ndarray, weights: np.ndarray, window: Window) -> np.ndarray:
    """Accumulators (N, out_height, out_width, cout), floating-point integers, exact.

    x: integers (N, rows, columns, cin), a filled window. weights: int8 (cout, ky, kx, cin).
    Products of small integers are exact while every partial sum stays below 2^24 in single and
    2^53 in double precision.
    """
    largest = int(np.abs(weights).sum((1, 2, 3), dtype=np.int64).max())
    bound = largest * ((1 << window.bits) - 1)
    number = np.float32 if bound < 1 << 24 else np.float64
    x, w = x.astype(number), weights.astype(number)
    shape = (len(x), window.out_height, window.out_width, len(w))
    acc = np.zeros((shape[0] * shape[1] * shape[2], len(w)), number)
    for ky, kx, tap in _taps(x, window):
        acc += tap.reshape(-1, tap.shape[-1]) @ w[:, ky, kx].T
    return acc.reshape(shape)


def maximum(x: np.ndarray, window: Window) -> np.ndarray:
    """Largest of each window, uint8 (N, out_height, out_width, channels)."""
    result = np.zeros((len(x), window.out_height, window.out_width, x.shape[-1]), np.uint8)
    for _, _, tap in _taps(x, window):
        np.maximum(result, tap, out=result)
    return result
