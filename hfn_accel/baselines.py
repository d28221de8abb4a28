"""The same network with its weights held in other ways: what is stored, and what is moved a run.

Activations, descriptors and normalisation parameters are the same in every row; only the weights
differ. Storage and traffic stand apart, since folding saves traffic only where the folded block's
mask stays on chip. Weights of the dense and ternary rows are packed without padding, the best case
for them; masks are counted as this design moves them, with the padding of the array's shape.
"""

from dataclasses import dataclass

import numpy as np

from .config import Config
from .designs import Designs, Plan, ceil_div
from .estimator import Estimate
from .network import Architecture

OURS = "this design"
NAMES = {
    "dense 8-bit": "a byte a weight; every block of the unfolded network has its own",
    "ternary 2-bit": "two bits a weight (sign and mask); unfolded",
    "ternary 1.6-bit": "five ternary weights a byte (3^5 <= 256); unfolded",
    "masks, unfolded": "signs generated, one mask bit a weight; every block has its own mask",
    "masks, refetched": "folded, but a mask is fetched for every iteration",
    OURS: "folded, and a folded block's masks are fetched once if they fit the mask buffer",
}


@dataclass(frozen=True)
class Baseline:
    """`stored`: bytes of weight data in memory; `moved`: bytes of weight data a run; `total`: all
    bytes a run. Arrays over designs."""

    stored: np.ndarray
    moved: np.ndarray
    total: np.ndarray


def baselines(
    arch: Architecture, plan: Plan, estimate: Estimate, config: Config | Designs
) -> dict[str, Baseline]:
    """By name, in the order of `NAMES`; `plan` and `estimate` are the network's own."""
    d = config if isinstance(config, Designs) else Designs.of(config)
    layers = arch.layers
    weights = np.array([c.weights for c in layers])
    new = np.array([c is arch.tensors[c.tensor] for c in layers])
    masks = plan.fields["mask_beats"][..., 2:-1] * d.bus_bytes
    ours = estimate.bytes["mask"].sum(-1)
    rest = estimate.bytes_by_class["total"] - ours
    each = {
        "dense 8-bit": 2 * (weights.sum(),),
        "ternary 2-bit": 2 * (ceil_div(weights, 4).sum(),),
        "ternary 1.6-bit": 2 * (ceil_div(weights, 5).sum(),),
        "masks, unfolded": 2 * (masks.sum(-1),),
        "masks, refetched": ((masks * new).sum(-1), masks.sum(-1)),
        OURS: ((masks * new).sum(-1), ours),
    }
    shape = ours.shape
    return {
        name: Baseline(*(np.broadcast_to(v, shape) for v in (stored, moved, rest + moved)))
        for name, (stored, moved) in each.items()
    }
