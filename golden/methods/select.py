"""Thresholds of supermasks: exact k-th largest magnitudes by partial selection, never a full sort.

Non-negative floats are ordered as their bit patterns are, and so is -inf below them; selection of
integers is the faster one. On processors NumPy's vectorised quickselect does it, over 100 times
faster than a sort of 300,000 and more scores (docs/training-speed.md); on other devices
`torch.topk`, a radix selection that many thread blocks share and that waits for no copy to the
host (`kthvalue` runs in one block there).
"""

from collections.abc import Sequence

import numpy as np
import torch

_MINUS_INFINITY = np.float32(-np.inf).view(np.int32)


def kth_largest(magnitude: torch.Tensor, keep: int) -> torch.Tensor:
    """The `keep`-th largest element of a float32 tensor of any shape, 0-d and detached.

    Elements are 0 or more, inf or -inf (not -0.0); as `magnitude >= threshold` keeps ties, it
    keeps `keep` elements or more. Raises ValueError unless 1 <= keep <= the number of elements.
    """
    return kth_largest_many([magnitude], [keep])[0]


def kth_largest_many(magnitudes: Sequence[torch.Tensor], keeps: Sequence[int]) -> torch.Tensor:
    """Thresholds (len(keeps),), ascending, over the elements of all tensors together.

    The tensors share a device; elements as in `kth_largest`. Each threshold is selected among
    those elements only that reached the one before.
    """
    bits = [_in_memory_order(magnitude.detach()).view(torch.int32) for magnitude in magnitudes]
    keeps, size = sorted(keeps, reverse=True), sum(map(len, bits))
    if not 1 <= keeps[-1] <= keeps[0] <= size:
        raise ValueError(f"keep must be from 1 to {size}, not {keeps}")
    select = _by_quickselect if bits[0].device.type == "cpu" else _by_radix
    return select(bits, keeps).view(torch.float32)


def _in_memory_order(x: torch.Tensor) -> torch.Tensor:
    """All elements in one dimension, in an order that needs no copy of a dense tensor."""
    return x.permute(sorted(range(x.dim()), key=x.stride, reverse=True)).flatten()


def _by_quickselect(bits: list[torch.Tensor], keeps: list[int]) -> torch.Tensor:
    rest, found = np.concatenate([part.numpy() for part in bits]), []
    least = np.count_nonzero(rest < 0)
    # -inf stands with inf, at the end: where many tie for the least, as pruned weights do, NumPy's
    # quickselect hardly gets on and takes some 50 times as long, where they tie for the largest not
    if least:
        rest &= 0x7FFFFFFF
    for keep in keeps:
        first = len(rest) - least - keep
        if first < 0:
            found.append(_MINUS_INFINITY)
        else:
            rest.partition(first)
            rest = rest[first:]
            found.append(rest[0])
    return torch.from_numpy(np.array(found, np.int32))


def _by_radix(bits: list[torch.Tensor], keeps: list[int]) -> torch.Tensor:
    rest, found = torch.cat(bits), []
    for keep in keeps:
        rest = rest.topk(keep, sorted=False).values
        found.append(rest.amin())
    return torch.stack(found)
