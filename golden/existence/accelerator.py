"""The same construction as a ticket for the accelerator, whose random weights are only signs.

A candidate's magnitude is that of the channel that carries it: copy c of a channel carries
m_c * relu(z) with m_c = U(0, 1), made of the weight sequence, in its integer multiplier M. With the
sequence's sign of each weight, the candidates of the next layer are +-m_c, and its mask chooses
among them. ReLU is positively homogeneous, so relu(m_c * z) = m_c * relu(z).

Random: signs and magnitudes. Chosen: masks. Fitted, as in every ticket: gain and bias of a channel
and the activations' steps, in M, Mr and B. A channel of the stem whose sign is -1 would carry 0,
and is pruned; residuals that the target does not have are nulled with Mr = 0.
"""

import numpy as np
import torch

from hfn_accel import sequence
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.functional import execute
from hfn_accel.network import Conv
from hfn_accel.norm import Norm
from hfn_accel.ticket import Ticket

from ..integer import IntegerResNet
from .lottery import CENTRE, Choice, choose, strongest, widened
from .subset import uniform
from .target import Network, used

BITS = 8  # of activations
MAGNITUDES = sequence.MAX_TENSORS >> 1  # + stream: the sequence's tensor that magnitudes are of
IMAGE_STEP = 1 / 255


def stream(conv: Conv) -> int:
    """Layers of one stream have the same magnitudes: what is added to each other (a stage's
    residuals), and what a folded block's iterations hand to the same weights. 0 is the stem."""
    stage, _, part = conv.name.partition(".")
    return 0 if conv.norm == 0 else 2 * int(stage.removeprefix("stage")) - ("conv1" in part)


def ticket(target: Network, seed: int, copies: int, tolerance: float, images: np.ndarray,
           class_names, provenance=None) -> tuple[Ticket, Choice]:  # fmt: skip
    """The target's ticket for the accelerator; `images` (N, 1, H, W), uint8, settle the steps of
    activations. Raises HfnError for a target of another activation than ReLU."""
    if target.activation != "relu":
        raise HfnError(f"the accelerator computes ReLU, not {target.activation}")
    arch, state = widened(target.arch, copies), sequence.seed_state(seed)

    def magnitudes(conv: Conv) -> np.ndarray:
        return (uniform(state, MAGNITUDES + stream(conv), conv.cout, 1)[:, 0] + 1) / 2

    def signs(conv: Conv) -> np.ndarray:
        return sequence.signs(state, conv.tensor, conv.cout, conv.fan_in)

    stem = magnitudes(arch.layers[0]) * (signs(arch.layers[0])[:, CENTRE] > 0)
    live = strongest(stem, copies)
    choice = choose(target, arch, signs, magnitudes, live, tolerance)
    masks = tuple(np.zeros((conv.cout, conv.fan_in), np.uint8) if mask is None
                  else mask.view(np.uint8)
                  for conv, mask in zip(arch.tensors, choice.masks, strict=True))  # fmt: skip
    step = steps(target, images)
    layers, norms = used(arch, target.residual), []
    for conv in arch.layers[:-1]:
        multiplier, bias, residual = np.zeros((3, conv.cout))
        zero_point = 0
        if conv.norm == 0:
            multiplier[live] = stem[live]
        elif conv in layers:
            carried = magnitudes(conv) / step[conv.norm]
            multiplier = carried * _copied(target.gains[conv.norm], copies) * step[conv.source]
            bias = carried * _copied(target.biases[conv.norm], copies)
            bias += 0 if conv.relu else 1 << (BITS - 1)
            if target.residual and conv.residual:
                added = arch.layers[conv.residual]
                residual[:] = step[added.norm] / step[conv.norm]
                zero_point = 0 if added.relu else 1 << (BITS - 1)
        norms.append(Norm.fit(multiplier, residual, bias, bits=BITS, zero_point=zero_point))
    density = choice.kept / sum(mask.size for mask in masks)  # those of null layers, too
    return Ticket(arch=arch, seed=seed, density=density, masks=masks,
                  norms=tuple(norms), class_names=class_names,
                  provenance=provenance or {}), choice  # fmt: skip


def _copied(values: torch.Tensor, copies: int) -> np.ndarray:
    return values.numpy().repeat(copies)


def steps(target: Network, images: np.ndarray) -> dict[int, float]:
    """Real step of each layer's integer outputs, from the target's largest output on the images.

    A shortcut's are signed, around the zero point 2^(BITS - 1).
    """
    outputs = {}
    target(images, outputs)
    largest = {i: max(float(x.abs().max()), 1e-6) for i, x in outputs.items()}
    return {0: IMAGE_STEP} | {i: top / ((1 << BITS) - 1 if target.arch.layers[i].relu
                                        else (1 << (BITS - 1)) - 1)
                              for i, top in largest.items()}  # fmt: skip


def logits(found: Ticket, images: np.ndarray) -> torch.Tensor:
    """The integer golden model's logits, int64 (N, classes).

    Raises HfnError if the compiled program's, on the functional simulator, are others.
    """
    config = Config()
    golden = IntegerResNet(found)(images)
    simulated = execute(compile(found, config), config,
                        np.ascontiguousarray(images.transpose(0, 2, 3, 1)), keep=False)  # fmt: skip
    if not np.array_equal(golden.numpy(), simulated.logits):
        raise HfnError("golden model and functional simulator differ in their logits")
    return golden


def real(values: torch.Tensor, target: Network, images: np.ndarray) -> torch.Tensor:
    """A ticket's integer logits in units of the target's, whose classifier averages over pixels."""
    last = target.arch.layers[-1]
    factor = float(target.gains[-1][0]) * steps(target, images)[last.source]
    return values.double() * factor / last.in_size**2
