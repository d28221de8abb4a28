"""Statistics that tell whether sign matrices are as good as independent random signs.

Each takes a matrix of +1 and -1, rows the output channels and columns the lanes, and can be
applied to `naive_signs` as well, a generator that fails them.
"""

import numpy as np

from . import sequence


def effective_rank(signs: np.ndarray) -> float:
    """exp of the entropy of the normalised singular values; at most the rank.

    Source: Roy and Vetterli, "The effective rank: a measure of effective dimensionality",
    EUSIPCO 2007.
    """
    values = np.linalg.svd(signs.astype(float), compute_uv=False)
    share = values[values > 1e-9 * values[0]] / values.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def balance(signs: np.ndarray) -> float:
    """The sum of all signs in standard deviations of independent ones."""
    return float(signs.sum(dtype=np.int64) / np.sqrt(signs.size))


def row_correlation(signs: np.ndarray) -> float:
    """Largest inner product of two rows, in standard deviations of independent ones.

    Of n rows about sqrt(2 ln(n^2)) is expected; transpose for the lanes.
    """
    rows = signs.astype(np.float32)
    products = np.abs(rows @ rows.T)
    np.fill_diagonal(products, 0)
    return float(products.max() / np.sqrt(signs.shape[1]))


def correlated_rows(signs: np.ndarray, deviations: float) -> int:
    """Pairs of rows whose inner product is at least so many standard deviations, sign included."""
    rows = signs.astype(np.float32)
    products = np.triu(rows @ rows.T, 1)
    return int((products >= deviations * np.sqrt(signs.shape[1])).sum())


def duplicate_rows(signs: np.ndarray) -> int:
    """Rows that equal an earlier row or its negative."""
    aligned = signs * signs[:, :1]
    return len(signs) - len(np.unique(aligned, axis=0))


def independent_signs(seed: int, rows: int, columns: int) -> np.ndarray:
    """Signs of NumPy's PCG64, int8 (rows, columns)."""
    drawn = np.random.default_rng(seed).integers(0, 2, (rows, columns), dtype=np.int8)
    return np.int8(1) - (drawn << 1)


def naive_signs(state: int, rows: int, columns: int, width: int = 32) -> np.ndarray:
    """What an LFSR gives that moves one step a word: the n-th word is `width` neighbouring bits
    of the sequence from address n on; the words fill the matrix row by row.

    Neighbouring words then share all bits but one, and columns repeat each other.
    """
    steps = rows * columns // width + width
    stream = sequence.signs(state, 0, 1, steps)[0]
    words = np.lib.stride_tricks.sliding_window_view(stream, width)
    return words[: rows * columns // width].reshape(rows, columns)


def summary(signs: np.ndarray) -> dict[str, float]:
    """All statistics of one matrix."""
    return {
        "effective_rank": effective_rank(signs),
        "balance": balance(signs),
        "row_correlation": row_correlation(signs),
        "lane_correlation": row_correlation(signs.T),
        "duplicate_rows": duplicate_rows(signs),
        "duplicate_lanes": duplicate_rows(signs.T),
    }
