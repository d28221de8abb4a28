"""A ticket of a random network for a trained target, by subset sums.

Source: Burkholz, "Most Activation Functions Can Win the Lottery Without Excessive Depth", NeurIPS
2022, and "Convolutional and Residual Networks Provably Contain Lottery Tickets", ICML 2022. The
random network has one layer more than its target, and `copies` channels for each of the target's:

- The first layer is univariate: a channel reads one pixel of the image, and carries
  activation(reach * v * x) for a random v, with `reach` so small that the activation is straight
  on either side of 0: activation(0) + reach * slope * v * x.
- In each further layer every output channel, a copy of the target's channel j, reads at every tap
  the copies of the target's channel i, through random weights. The mask keeps the fewest whose sum
  is within a tolerance of the target's weight. The copies then carry the same thing up to these
  errors, and are the candidates of the next layer; so a target layer costs one layer, not two.

Copies have errors of their own, and every layer adds them up with the weights that it keeps, which
are larger than the target's: few of them, as in the papers, keep errors small. With the nearest of
all subsets, which has some n / 2 candidates, tickets of these targets fail (docs/existence.md).

A residual connection joins copies of the same channel. Random are the weights, chosen the masks;
gain and bias of a channel, which every ticket's normalisation has, are the target's, where the
papers make biases of subset sums, too.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from hfn_accel import sequence
from hfn_accel.errors import HfnError
from hfn_accel.network import Architecture, Conv

from .subset import MAX_CANDIDATES, smallest, uniform
from .target import ACTIVATIONS, Network, used

CENTRE = 4  # tap of a 3x3 kernel
STRAIGHT = 1e-3  # an activation's deviation from a straight line, as a fraction of its range


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Masks, bool (cout, fan_in) in address order, a tensor; None where the target has no weights.

    errors: chosen sum minus target weight, of every kernel tap of every copy. candidates: random
    weights of the layers in use; kept: those in a mask.
    """

    masks: list[np.ndarray | None]
    errors: np.ndarray
    candidates: int
    kept: int


def check_copies(copies: int):
    """Raise HfnError for an impossible number of copies."""
    if not 2 <= copies <= MAX_CANDIDATES:
        raise HfnError(f"copies must be from 2 to {MAX_CANDIDATES}, not {copies}")


def widened(arch: Architecture, copies: int) -> Architecture:
    """`copies` channels for each of the target's."""
    check_copies(copies)
    return replace(arch, stages=tuple(replace(s, width=s.width * copies) for s in arch.stages))


def choose(target: Network, arch: Architecture, draw, factor, live: np.ndarray,
           tolerance: float) -> Choice:  # fmt: skip
    """Masks of the random network `arch` for the target.

    draw(conv): its random weights (cout, fan_in). factor(conv): what a channel of its output
    carries, in units of the target's channel (cout,). live: the stem's channels that are kept.
    """
    masks, errors = [None] * len(arch.tensors), []
    masks[0] = np.zeros((arch.tensors[0].cout, 9 * arch.in_channels), bool)
    masks[0][live, CENTRE] = True
    narrow = {conv.tensor: conv for conv in target.arch.tensors}
    for conv in used(arch, target.residual):
        if masks[conv.tensor] is not None:
            continue  # a folded block once more
        wanted = target.weights[conv.tensor].flatten(2).numpy()
        wanted = wanted.repeat(conv.cout // narrow[conv.tensor].cout, 0)  # (cout, cin, taps)
        groups = live[None] if conv.source == 0 else np.arange(conv.cin).reshape(
            narrow[conv.tensor].cin, -1)  # fmt: skip
        carried = draw(conv).reshape(conv.cout, -1, conv.cin) * factor(arch.layers[conv.source])
        offered = carried[:, :, groups]  # (cout, taps, the target's cin, copies)
        flat = offered.reshape(-1, groups.shape[1])
        wanted = wanted.transpose(0, 2, 1).ravel()
        chosen = smallest(flat, wanted, tolerance)
        mask = np.zeros(carried.shape, bool)
        mask[:, :, groups] = chosen.reshape(offered.shape)
        masks[conv.tensor] = mask.reshape(conv.cout, conv.fan_in)
        errors.append((flat * chosen).sum(1) - wanted)
    kept = [mask for mask in masks if mask is not None]
    return Choice(masks=masks, errors=np.concatenate(errors), kept=int(sum(m.sum() for m in kept)),
                  candidates=sum(m.size for m in kept))  # fmt: skip


def strongest(factor: np.ndarray, copies: int) -> np.ndarray:
    """The stem's channels to keep, at most `copies`: those that carry the most of the image."""
    order = np.argsort(-abs(factor), kind="stable")[:copies]
    return np.sort(order[factor[order] != 0])


def straight(activation: str) -> tuple[float, np.ndarray]:
    """`reach`, the largest 2^-i at which the activation is straight on either side of 0, and its
    slopes below and above 0: activation(reach * x) = activation(0) + reach * slope * x."""
    function = ACTIVATIONS[activation]
    x = torch.linspace(0, 1, 65, dtype=torch.float64)
    sides = torch.stack([-x, x])
    for i in range(30):
        reach = 2.0**-i
        rise = (function(reach * sides) - function(torch.zeros_like(x))) / reach
        slopes = rise[:, -1] * torch.tensor([-1, 1])
        if (rise - slopes[:, None] * sides).abs().max() <= STRAIGHT * slopes.abs().max():
            return reach, slopes.numpy()
    raise HfnError(f"{activation} is not straight near 0")


def ticket(target: Network, seed: int, copies: int, tolerance: float) -> tuple[Network, Choice]:
    """The target's ticket of a random network whose weights are U(-1, 1) of the weight sequence
    (`subset.uniform` at the tensor's own number), with the target's activation."""
    arch, state = widened(target.arch, copies), sequence.seed_state(seed)

    def draw(conv: Conv) -> np.ndarray:
        return uniform(state, conv.tensor, conv.cout, conv.fan_in)

    stem = draw(arch.layers[0])[:, CENTRE]
    reach, slopes = straight(target.activation)
    steepest = abs(slopes).max()  # what the next layer's gain makes up for
    image = stem * np.where(stem < 0, *slopes) / steepest

    def factor(conv: Conv) -> np.ndarray:
        return image if conv.norm == 0 else np.ones(conv.cout)

    choice = choose(target, arch, draw, factor, strongest(image, copies), tolerance)
    weights = [None] * len(arch.tensors)
    gains, biases = [None] * len(arch.layers), [None] * len(arch.layers)
    rest = float(ACTIVATIONS[target.activation](torch.zeros(())))
    for conv in used(arch, target.residual):
        mask = choice.masks[conv.tensor]
        weight = torch.from_numpy(draw(conv) * mask).reshape(
            conv.cout, conv.kernel, conv.kernel, conv.cin).permute(0, 3, 1, 2)  # fmt: skip
        weights[conv.tensor] = weight
        times = 1 if conv.classifier else copies
        gain = target.gains[conv.norm].repeat_interleave(times)
        bias = target.biases[conv.norm].repeat_interleave(times)
        if conv.source == 0:
            gain = gain / (reach * steepest)
            bias = bias - rest * gain * weight.sum((1, 2, 3))
        gains[conv.norm], biases[conv.norm] = gain, bias
    kept = np.where(choice.masks[0][:, CENTRE], reach * stem, 0)
    return replace(target, arch=arch, weights=weights, gains=gains, biases=biases,
                   stem=torch.from_numpy(kept)), choice  # fmt: skip
