"""The same network with its weights held in other ways: what is stored, and what is moved a run.

Activations, descriptors and normalisation parameters are the same in every row; only the weights
differ. Storage and traffic stand apart, since folding saves traffic only where the folded block's
mask stays on chip. The rows beside this design's are the best case for them: weights are packed
without padding and fetched once for each executed layer, whatever the buffers and the batch.
Masks are counted as this design stores them, coded and with the padding of the array's shape.
"""

from dataclasses import dataclass

from .estimator import Estimate
from .network import Architecture

OURS = "this design"
NAMES = {
    "dense 8-bit": "a byte a weight; every block of the unfolded network has its own",
    "ternary 2-bit": "two bits a weight (sign and mask); unfolded",
    "ternary 1.6-bit": "five ternary weights a byte (3^5 <= 256); unfolded",
    "masks, unfolded": "this design's mask streams; every block has its own",
    "masks, refetched": "folded, but a mask is fetched for every iteration",
    OURS: "folded, and what of a folded block's masks fits the mask buffer is fetched once",
}


@dataclass(frozen=True)
class Baseline:
    """`stored`: bytes of weight data in memory; `moved`: bytes of weight data a run; `total`: all
    bytes a run."""

    stored: int
    moved: int
    total: int


def baselines(arch: Architecture, streams, estimate: Estimate) -> dict[str, Baseline]:
    """By name, in the order of `NAMES`.

    streams: sizes of the mask streams, as of `engine.plan`; `estimate` is the network's own.
    """
    bus, columns = estimate.config.bus_bytes, estimate.config.columns
    sizes = [streams.beats(c.tensor, 0, -(-c.cout // columns)) * bus for c in arch.tensors]
    moved = estimate.bytes_by_class
    ours = moved["mask"] + moved["weight"]
    weights = [conv.weights for conv in arch.layers]
    stored, every = sum(sizes), sum(sizes[conv.tensor] for conv in arch.layers)
    each = {
        "dense 8-bit": 2 * (sum(weights),),
        "ternary 2-bit": 2 * (sum(-(-n // 4) for n in weights),),
        "ternary 1.6-bit": 2 * (sum(-(-n // 5) for n in weights),),
        "masks, unfolded": (every, every),
        "masks, refetched": (stored, every),
        OURS: (stored, ours),
    }
    return {n: Baseline(s, m, moved["total"] - ours + m) for n, (s, m) in each.items()}
