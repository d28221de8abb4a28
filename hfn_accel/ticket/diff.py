"""How two tickets of one architecture differ.

Searches with different seeds give diverse masks: Gorbett and Whitley, "Randomly Initialized
Subnetworks with Iterative Weight Recycling", AsiaCCS 2023 (arXiv 2303.15953). How diverse shows in
what independent masks of the same densities would share by chance, beside every figure.
"""

import numpy as np

from ..errors import HfnError
from ..modes import MAX_COATS
from ..report.tables import Column, Table
from .contents import Ticket

_COLUMNS = (
    Column("name", "tensor"), Column("density_a", "density A", "{:.4f}"),
    Column("density_b", "B", "{:.4f}"), Column("agreement", "equal mask bits", "{:.4f}"),
    Column("agreement_by_chance", "by chance", "{:.4f}"), Column("jaccard", "Jaccard", "{:.4f}"),
    Column("jaccard_by_chance", "by chance", "{:.4f}"),
    Column("sign_agreement", "equal signs", "{:.4f}"),
)  # fmt: skip


def compare(a: Ticket, b: Ticket) -> dict:
    """Figures of every weight tensor, and of all weights, as plain values for JSON.

    agreement: fraction of weights that are in as many coats of both (one coat: of equal mask
    bits). jaccard: of the weights that either keeps, the fraction that both keep. *_by_chance: what
    is expected of independent masks of the same densities, frozen patterns not regarded.
    sign_agreement: fraction of the weights that both keep whose signs are equal; None without any.
    Raises HfnError for tickets of different architectures.
    """
    if a.arch != b.arch:
        raise HfnError(f"tickets of different networks have no common weights: {_shape(a)} and "
                       f"{_shape(b)}")  # fmt: skip
    counts = [_counts(a, b, tensor) for tensor in range(len(a.masks))]
    rows = [{"name": conv.name.partition("[")[0]} | _figures(c)
            for conv, c in zip(a.arch.tensors, counts, strict=True)]  # fmt: skip
    return {"arch": str(a.arch), "seeds": [a.seed, b.seed], "tensors": rows,
            "total": _figures(np.sum(counts, axis=0))}  # fmt: skip


def _shape(ticket: Ticket) -> str:
    arch = ticket.arch
    return (f"{arch}, {arch.in_channels} x {arch.image_size} x {arch.image_size} to "
            f"{arch.classes} classes")  # fmt: skip


def _counts(a: Ticket, b: Ticket, tensor: int) -> np.ndarray:
    """Weights of a tensor: all, kept by a, by b, by both, by both with equal signs, in as many
    coats of both; and what is expected by chance of: in as many coats, kept by both, by either."""
    one, two = a.masks[tensor], b.masks[tensor]
    n, both = one.size, (one > 0) & (two > 0)
    signs = np.sign(a.weights(tensor)[both]) == np.sign(b.weights(tensor)[both])
    levels = [np.bincount(mask.ravel(), minlength=MAX_COATS + 1) for mask in (one, two)]
    kept = [n - level[0] for level in levels]
    common = kept[0] * kept[1] / n
    return np.array([
        n, *kept, both.sum(), signs.sum(), (one == two).sum(), levels[0] @ levels[1] / n, common,
        kept[0] + kept[1] - common,
    ])  # fmt: skip


def _figures(counts: np.ndarray) -> dict:
    n, kept_a, kept_b, both, signs, equal, equal_expected, common, either = counts.tolist()

    def ratio(part: float, whole: float) -> float | None:
        return part / whole if whole else None

    return {
        "weights": int(n), "density_a": kept_a / n, "density_b": kept_b / n,
        "agreement": equal / n, "agreement_by_chance": equal_expected / n,
        "jaccard": ratio(both, kept_a + kept_b - both),
        "jaccard_by_chance": ratio(common, either), "sign_agreement": ratio(signs, both),
    }  # fmt: skip


def text(r: dict) -> str:
    """`compare` for a terminal."""
    rows = [*r["tensors"], {"name": "all"} | r["total"]]
    title = f"{r['arch']}, seeds {r['seeds'][0]} (A) and {r['seeds'][1]} (B)"
    return Table(title, _COLUMNS, rows, "").text()
