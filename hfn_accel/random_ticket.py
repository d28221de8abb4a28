"""Tickets of untrained networks: random masks, and normalisation measured as in training.

Such a ticket has the sizes, the timing and the traffic of a trained one, and as lively activations:
every layer is normalised with the mean and the deviation of its accumulators over a few synthetic
images, so that at any depth activations neither vanish nor saturate. All sums are of integers and
exact, so a seed gives the same ticket on every machine.
"""

from collections.abc import Sequence

import numpy as np

from . import sequence
from .arithmetic import MAX_ACTIVATION_BITS, requantise
from .errors import HfnError
from .modes import FROZEN_PARTS, PLAIN, Mode
from .network import Architecture, Conv
from .norm import Norm
from .program import Signs
from .ticket import IMAGE_BITS, Ticket

EXCEPTIONS = 0.05  # fraction of weights whose sign differs from the sequence's
_PIXELS = 4096  # of all images together
_EXACT_FLOAT32 = 1 << 24


def random_ticket(arch: Architecture, seed: int, density: float = 0.3, bits: int = 8,
                  modes: Mode | Sequence[Mode] | None = None,
                  bipolar: bool = False) -> Ticket:  # fmt: skip
    """A ticket of `arch` whose weights and masks follow from `seed`.

    density: fraction of weights in the first coat; of N coats, coat i has (N + 1 - i) / N of it.
    Locked weights count, searchable ones fill up. bits: of every activation; with `bipolar` (1 bit)
    they mean -1 and +1. modes: one for all tensors, or one each. Raises HfnError for values that
    are out of range.
    """
    if not 0 < density <= 1:
        raise HfnError(f"density must be above 0 and at most 1, not {density!r}")
    if not 1 <= bits <= MAX_ACTIVATION_BITS:
        raise HfnError(f"activation bits must be from 1 to {MAX_ACTIVATION_BITS}, not {bits!r}")
    if modes is None or isinstance(modes, Mode):
        modes = (modes or PLAIN,) * len(arch.tensors)
    if len(modes) != len(arch.tensors):
        raise HfnError(f"there must be one mode a tensor: {len(arch.tensors)}, not {len(modes)}")
    state = sequence.seed_state(seed)
    rng = np.random.default_rng(seed)
    drawn = [_draw(rng, conv, mode, density, state)
             for conv, mode in zip(arch.tensors, modes, strict=True)]  # fmt: skip
    masks, planes = zip(*drawn, strict=True)
    ticket = Ticket(
        arch=arch, seed=seed, density=density, masks=masks, modes=tuple(modes), sign_planes=planes,
        norms=tuple(_blank(conv, bits, bipolar) for conv in arch.layers[:-1]),
        class_names=tuple(f"class {i}" for i in range(arch.classes)),
        provenance={"data": f"none: random ticket {seed}"},
    )  # fmt: skip
    return Ticket(**vars(ticket) | {"norms": _measured(ticket, rng)})


def _draw(rng, conv: Conv, mode: Mode, density: float, state: int):
    """A mask of that mode, and its sign plane or None."""
    value = rng.random((conv.cout, conv.fan_in), np.float32)
    mask = np.zeros(value.shape, np.uint8)
    if mode.frozen:
        searchable = 1 - mode.frozen / FROZEN_PARTS
        mask[value < (density - mode.locked / FROZEN_PARTS) / searchable] = 1
        numbers = sequence.pattern(state, conv.tensor, *mask.shape)
        mask[numbers < mode.frozen] = 1
        mask[numbers < mode.pruned] = 0
    else:
        for coat in range(mode.coats):
            mask += value < density * (mode.coats - coat) / mode.coats
    if mode.signs == Signs.SEQUENCE:
        return mask, None
    share = EXCEPTIONS if mode.signs == Signs.EXCEPTIONS else 0.5
    return mask, (mask > 0) & (rng.random(value.shape, np.float32) < share)


def _blank(conv: Conv, bits: int, bipolar: bool) -> Norm:
    zero = np.zeros(conv.cout)
    return Norm.fit(zero, zero, zero, bits=bits, bipolar=bipolar)


def _images(rng, arch: Architecture) -> np.ndarray:
    """float32 (N, size, size, channels) of 0...255: noise, and noise in large squares."""
    size = arch.image_size
    count = int(np.clip(_PIXELS // size**2, 1, 64))
    fine = rng.integers(0, 256, (count, size, size, arch.in_channels))
    coarse = fine[:, : -(-size // 4), : -(-size // 4)].repeat(4, 1).repeat(4, 2)
    mixed = np.concatenate([fine, coarse[:, :size, :size]])
    return mixed.astype(np.float32)


def _measured(ticket: Ticket, rng) -> tuple[Norm, ...]:
    """Norms of all layers, each measured on what those before it give."""
    arch, weights = ticket.arch, [ticket.weights(t) for t in range(len(ticket.masks))]
    outputs, norms = {-1: _images(rng, arch)}, []
    # the last layer that reads each map
    last = {i: c.norm for c in arch.layers for i in (c.source, c.residual) if i is not None}
    for conv in arch.layers[:-1]:
        x = outputs[conv.source]
        if ticket.bipolar_of(conv.source):
            x = 2 * x - 1
        acc = _convolve(conv, x, weights[conv.tensor])
        r = None if conv.residual is None else outputs[conv.residual]
        r_bits = IMAGE_BITS if r is None else ticket.bits_of(conv.residual)
        norm = _norm(rng, conv, ticket.norms[conv.norm], acc, r, r_bits)
        y = requantise(acc, norm.multiplier, norm.bias, norm.shift, norm.bits, r, norm.residual)
        y = y.astype(np.float32)
        outputs[conv.norm] = _max_pool(y, conv.map_size) if conv.max_pool else y
        norms.append(norm)
        outputs = {i: x for i, x in outputs.items() if last[i] > conv.norm}
    return tuple(norms)


def _convolve(conv: Conv, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Exact accumulators, int64 (N, size, size, cout): one matrix product a tap."""
    bound = float(x.max()) * np.abs(weights).sum(1, dtype=np.int64).max()
    exact = np.float32 if bound < _EXACT_FLOAT32 else np.float64
    size, pad, step = conv.out_size, conv.pad, conv.stride
    padded = np.pad(x.astype(exact), ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    acc = np.zeros((len(x) * size * size, conv.cout), exact)
    reach = (size - 1) * step + 1
    for tap in range(conv.kernel**2):
        ky, kx = divmod(tap, conv.kernel)
        part = padded[:, ky : ky + reach : step, kx : kx + reach : step]
        w = weights[:, tap * conv.cin : (tap + 1) * conv.cin].astype(exact)
        acc += part.reshape(-1, conv.cin) @ w.T
    return acc.reshape(len(x), size, size, conv.cout).astype(np.int64)


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel, from exact sums."""
    x = x.reshape(-1, x.shape[-1]).astype(np.int64)
    middle = x.sum(0) // len(x)
    x -= middle
    offset = x.sum(0) / len(x)
    return middle + offset, np.sqrt(np.maximum((x * x).sum(0) / len(x) - offset**2, 0))


def _norm(rng, conv: Conv, blank: Norm, acc, residual, residual_bits: int) -> Norm:
    """Accumulators to a deviation of a fifth to a third of the range around a drawn centre."""
    top = float(1 << blank.bits)
    mean, deviation = _moments(acc)
    spread = rng.uniform(0.2, 0.33, conv.cout) * rng.choice([-1, 1], conv.cout)
    # a channel that does not vary needs no multiplier, and a huge one would cost the others bits
    m = np.divide(spread * top, deviation, out=np.zeros(conv.cout), where=deviation > 0.5)
    mr, centre = np.zeros(conv.cout), rng.uniform(0.2, 0.5, conv.cout) * top - mean * m
    if residual is not None:
        mr[:] = 0.5 * top / (1 << residual_bits)
        centre -= _moments(residual)[0] * mr
    return Norm.fit(m, mr, centre, bits=blank.bits, bipolar=blank.bipolar)


def _max_pool(x: np.ndarray, size: int) -> np.ndarray:
    padded = np.pad(x, ((0, 0), (1, 2), (1, 2), (0, 0)))
    parts = [padded[:, ky : ky + 2 * size : 2, kx : kx + 2 * size : 2][:, :size, :size]
             for ky in range(3) for kx in range(3)]  # fmt: skip
    return np.maximum.reduce(parts)
