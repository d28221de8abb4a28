"""What a network's model weighs: published memory model, full accounting, other ways to hold it.

The published model (`utils/profiling.py` of the official Hidden-Fold Network code, BMVC 2021 and
IEEE Access 2023) counts 32 bits for each weight, scale and bias of a dense network, and of a
Hidden-Fold Network 32 bits for the seed, one for each unique weight and 32 for each affine
normalisation parameter, which only iterations of folded blocks have. Full accounting counts what
the accelerator needs: mask streams as they are stored, and a record for each channel of every
executed layer. MB are 10^6 bytes.
"""

from dataclasses import dataclass
from math import log2

from .config import Config
from .expected_streams import ExpectedStreams
from .modes import FROZEN_PARTS, PLAIN, Mode
from .network import Architecture
from .networks import DATASETS, DENSITY, NETWORKS, named
from .program import PARAMETER_BYTES

MB = 10**6
WORD_BITS = 32
SEED_BYTES = WORD_BITS // 8


@dataclass(frozen=True)
class Claim:
    """A published size: of `network`, so many times smaller than `dense`."""

    network: str
    dataset: str
    dense: str
    published_mb: float
    dense_mb: float
    ratio: float
    source: str


CLAIMS = (
    Claim("hfn-resnet152", "cifar100", "hfn-resnet50", 2.461, 94.82, 38.5, "BMVC 2021"),
    Claim("hfn-resnet200", "imagenet", "hfn-resnet34", 3.249, 87.19, 26.8, "BMVC 2021"),
    Claim("hfn-resnet50", "cifar100", "hfn-resnet50", 1.953, 94.82, 48.55, "IEEE Access 2023"),
)


def dense_bits(arch: Architecture) -> int:
    """The published model of the same network unfolded, with trained weights."""
    layers = arch.layers
    return WORD_BITS * (sum(c.weights for c in layers) + 2 * sum(c.cout for c in layers[:-1]))


def hidden_bits(arch: Architecture) -> int:
    """The published model of a Hidden-Fold Network: seed, masks, affine normalisation."""
    affine = 2 * sum(conv.cout for conv in arch.layers if conv.folded)
    return WORD_BITS * (1 + affine) + sum(conv.weights for conv in arch.tensors)


@dataclass(frozen=True)
class Size:
    """Bytes of weight data, and of the normalisation parameters that go with it.

    stored: in memory. reused: moved an image if nothing is fetched twice. refetched: moved an
    image if every executed layer fetches its own.
    """

    stored: int
    reused: int
    refetched: int
    parameters: int


def masks(arch: Architecture, mode: Mode = PLAIN, coded: bool = True, density: float = DENSITY,
          config: Config | None = None) -> Size:  # fmt: skip
    """Expected mask streams of the default array's shape (`expected_streams`)."""
    config = config or Config()
    streams = ExpectedStreams(arch.tensors, (mode,) * len(arch.tensors), config, density, coded)
    sizes = [streams.beats(c.tensor, 0, -(-c.cout // config.columns)) * config.bus_bytes
             for c in arch.tensors]  # fmt: skip
    every = sum(sizes[conv.tensor] for conv in arch.layers)
    return Size(sum(sizes), sum(sizes), every, records(arch))


def records(arch: Architecture) -> int:
    """Bytes of the records of M, Mr and B of every executed layer's channels."""
    return PARAMETER_BYTES * sum(conv.cout for conv in arch.layers[:-1])


def _packed(arch: Architecture, weights: int, size: int, parameters: int) -> Size:
    """`size` bytes hold so many weights."""
    each = [-(-conv.weights * size // weights) for conv in arch.tensors]
    total = sum(each)
    return Size(total, total, sum(each[conv.tensor] for conv in arch.layers), parameters)


def ways(arch: Architecture) -> dict[str, Size]:
    """The same network with its weights held in different ways, from dense to this design.

    Dense and ternary rows are packed without padding. Normalisation is float32 scales
    and biases for dense float32, else this design's records. Partially frozen and multicoated rows
    are other tickets, whose accuracy is another: their sizes stand here, not their worth.
    """
    unfolded, floats = arch.unfolded(), 2 * WORD_BITS // 8 * sum(c.cout for c in arch.layers[:-1])
    kept = records(arch)
    half = FROZEN_PARTS // 2
    return {
        "dense float32, unfolded": _packed(unfolded, 1, 4, floats),
        "dense int8, unfolded": _packed(unfolded, 1, 1, kept),
        "ternary, 2 bits, unfolded": _packed(unfolded, 4, 1, kept),
        "ternary, 5 trits a byte, unfolded": _packed(unfolded, 5, 1, kept),
        "ternary, 2 bits, folded": _packed(arch, 4, 1, kept),
        "ternary, 5 trits a byte, folded": _packed(arch, 5, 1, kept),
        "masks, unfolded": masks(unfolded, coded=False),
        "masks, folded": masks(arch, coded=False),
        "coded masks, unfolded": masks(unfolded),
        "coded masks, folded (this design)": masks(arch),
        "half of the weights frozen as absent": masks(arch, Mode(pruned=half)),
        "0.7 frozen (9/16 absent, 2/16 present)": masks(arch, Mode(pruned=9, locked=2)),
        "2 coats": masks(arch, Mode(coats=2)),
        "3 coats": masks(arch, Mode(coats=3)),
    }


def row(network: str, dataset: str) -> dict:
    """A line of the table of sizes. Traffic: of an image, masks and parameters alone."""
    arch = named(network, dataset)
    size, raw = masks(arch), masks(arch, coded=False)
    published = hidden_bits(arch) / 8
    claim = next((c for c in CLAIMS if (c.network, c.dataset) == (network, dataset)), None)
    dense_name = claim.dense if claim else network
    dense = dense_bits(named(dense_name, dataset)) / 8
    return {
        "network": network, "dataset": dataset,
        "dense_network": dense_name.removeprefix("hfn-"), "dense_mb": dense / MB,
        "published_mb": published / MB, "published_ratio": dense / published,
        "claimed_mb": claim and claim.published_mb, "claimed_ratio": claim and claim.ratio,
        "source": claim and claim.source,
        "full_mb": (SEED_BYTES + size.stored + size.parameters) / MB,
        "full_ratio": dense / (SEED_BYTES + size.stored + size.parameters),
        "traffic_mb_reuse": (size.reused + size.parameters) / MB,
        "traffic_mb_refetch": (size.refetched + size.parameters) / MB,
        "raw_mask_mb_stored": raw.stored / MB, "raw_mask_mb_refetched": raw.refetched / MB,
        "coded_mask_mb_stored": size.stored / MB, "coded_mask_mb_refetched": size.refetched / MB,
        "parameter_mb": size.parameters / MB,
    }  # fmt: skip


def rows() -> list[dict]:
    """Every published network for every data set."""
    return [row(network, dataset) for network in NETWORKS for dataset in DATASETS]


def entropy(density: float) -> float:
    """Bits of a weight's mask bit at least, if weights are independent."""
    return -density * log2(density) - (1 - density) * log2(1 - density)


def steps(network: str = "hfn-resnet50", dataset: str = "cifar100") -> list[dict]:
    """From the published size to this design's, a step a line: `step`, `mb`, `how`, and `built`:
    whether the compiler writes it and the core reads it for a ticket of this density."""
    arch = named(network, dataset)
    weights = sum(conv.weights for conv in arch.tensors)
    coded, frozen = masks(arch), masks(arch, Mode(pruned=FROZEN_PARTS // 2))
    found = (
        ("published model", hidden_bits(arch) / 8, False,
         "a bit a weight; float32 scales and biases of folded iterations alone"),
        ("every normalisation", SEED_BYTES + weights / 8 + coded.parameters, False,
         f"{PARAMETER_BYTES} bytes for each channel of every executed layer, in integers"),
        ("coded masks: this design", SEED_BYTES + coded.stored + coded.parameters, True,
         "Huffman codes of mask bytes, a table a tensor, whole beats"),
        ("entropy of the masks", SEED_BYTES + weights * entropy(DENSITY) / 8 + coded.parameters,
         False, "no code of independent weights goes below"),
        ("half of the weights frozen as absent", SEED_BYTES + frozen.stored + frozen.parameters,
         True, "another ticket of the same density; the frozen pattern is regenerated"),
    )  # fmt: skip
    return [{"step": name, "mb": size / MB, "built": built, "how": how}
            for name, size, built, how in found]  # fmt: skip
