"""Random weights: their signs from the weight sequence, or from generators to compare it with."""

from dataclasses import dataclass

import numpy as np
import torch

from hfn_accel import sequence
from hfn_accel.errors import HfnError
from hfn_accel.network import Conv
from hfn_accel.randomness import naive_signs

_WORD = 32  # weights that the naive register gives a step


@dataclass(frozen=True)
class Weights:
    """Random weights of `seed`, the weight sequence's own: what the accelerator regenerates."""

    seed: int

    def signs(self, conv: Conv) -> np.ndarray:
        """+1 and -1 of a tensor, int8 (cout, fan_in), in address order."""
        return sequence.signs(sequence.seed_state(self.seed), conv.tensor, conv.cout, conv.fan_in)

    def magnitudes(self, conv: Conv) -> np.ndarray:
        """|N(0, 1)| of PyTorch's generator, float32 (cout, fan_in)."""
        return (
            torch.randn(conv.cout, conv.fan_in, generator=generator(self.seed, conv, 0))
            .abs_()
            .numpy()
        )


class ShiftedWeights(Weights):
    """What an LFSR gives in the naive way, one step a word: the words of
    `randomness.naive_signs`, from the state of the tensor's first address on, in address order.

    A word of 32 weights is the one before, moved by one, so a tensor of n weights holds little
    more than n / 32 independent signs.
    """

    def signs(self, conv: Conv) -> np.ndarray:
        state = sequence.tensor_state(sequence.seed_state(self.seed), conv.tensor)
        words = -(-conv.weights // _WORD)
        row = naive_signs(state, 1, words * _WORD, _WORD)[0]
        return row[: conv.weights].reshape(conv.cout, conv.fan_in).copy()


class GeneratorWeights(Weights):
    """Independent signs of PyTorch's generator (Mersenne Twister), seeded a tensor."""

    def signs(self, conv: Conv) -> np.ndarray:
        shape = conv.cout, conv.fan_in
        drawn = torch.randint(2, shape, generator=generator(self.seed, conv, 1), dtype=torch.int8)
        return (1 - 2 * drawn).numpy()


KINDS = {"sequence": Weights, "shifted": ShiftedWeights, "generator": GeneratorWeights}


def make(kind: str, seed: int) -> Weights:
    """Weights of a kind. Raises HfnError for an unknown one."""
    if kind not in KINDS:
        raise HfnError(f"weights must be one of {', '.join(KINDS)}, not {kind!r}")
    return KINDS[kind](seed)


def generator(seed: int, conv: Conv, purpose: int) -> torch.Generator:
    """PyTorch's generator for one tensor of one seed; `purpose` tells apart what is drawn."""
    mixed = sequence.seed_state(seed) ^ (conv.tensor << 2 | purpose)
    return torch.Generator().manual_seed(sequence.seed_state(mixed))


def as_weights(rows: np.ndarray, conv: Conv) -> torch.Tensor:
    """(cout, fan_in) in address order, k = (ky * KW + kx) * Cin + ci, as (cout, cin, k, k)."""
    rows = torch.from_numpy(rows).reshape(conv.cout, conv.kernel, conv.kernel, conv.cin)
    return rows.permute(0, 3, 1, 2).contiguous()
