"""`python -m hfn_accel.bench NAME`: measurements that the documentation quotes."""

import io
import math
import time

import numpy as np

from . import bench_estimate, bench_train, huffman, randomness, sequence
from .cli import add_json, parser, run
from .files import atomic_write, write_json

MATRIX = 256  # rows and columns of the sign matrices compared
SPEED_SHAPE = 2048, 4608  # output channels and fan-in of the timed tensor
ROUNDS = 7
TAIL = 4.5  # standard deviations beyond which pairs of lanes are counted
TAIL_SHAPE = 256, 1024
TAIL_MATRICES = 20
DENSITIES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
BLOCK = 16  # weights of an enumerative code


def bench_sequence(args) -> dict:
    """Speed of `sequence.signs` beside NumPy's generator, and the statistics of its signs."""
    state, rng = sequence.seed_state(1), np.random.default_rng(1)
    rows, fan_in = SPEED_SHAPE
    contestants = {
        "sequence": lambda: sequence.signs(state, 0, rows, fan_in),
        "numpy": lambda: np.int8(1) - (rng.integers(0, 2, SPEED_SHAPE, dtype=np.int8) << 1),
    }
    times = {name: [] for name in contestants}
    for _ in range(ROUNDS):  # in turns, so that a busy machine slows both
        for name, contestant in contestants.items():
            began = time.process_time()
            contestant()
            times[name].append(time.process_time() - began)
    rates = {name: rows * fan_in / min(t) for name, t in times.items()}
    matrices = {
        "sequence": sequence.signs(state, 0, MATRIX, MATRIX),
        "independent": randomness.independent_signs(1, MATRIX, MATRIX),
        "one_shift_a_word_32": randomness.naive_signs(state, MATRIX, MATRIX, 32),
        "one_shift_a_word_64": randomness.naive_signs(state, MATRIX, MATRIX, 64),
    }
    result = {
        "signs_per_second": rates,
        "ratio_to_numpy": rates["sequence"] / rates["numpy"],
        "statistics": {name: randomness.summary(m) for name, m in matrices.items()},
    }
    tails = {
        "sequence": lambda seed: sequence.signs(sequence.seed_state(seed), 0, *TAIL_SHAPE),
        "independent": lambda seed: randomness.independent_signs(seed, *TAIL_SHAPE),
    }
    result["correlated_lane_pairs"] = {
        name: sum(randomness.correlated_rows(make(seed).T, TAIL) for seed in range(TAIL_MATRICES))
        / TAIL_MATRICES
        for name, make in tails.items()
    }
    if args.plot:
        _plot(matrices, args.plot)
    return result


def print_sequence(result: dict):
    rates = result["signs_per_second"]
    print(f"sequence.signs  {rates['sequence'] / 1e6:7.1f} million signs/s on one core")
    print(f"numpy integers  {rates['numpy'] / 1e6:7.1f} million signs/s")
    print(f"ratio           {result['ratio_to_numpy']:7.2f}")
    table = result["statistics"]
    names = list(next(iter(table.values())))
    print(f"\n{MATRIX} x {MATRIX} signs".ljust(21) + "".join(n.rjust(18) for n in names))
    for label, row in table.items():
        print(label.ljust(20) + "".join(f"{row[n]:.1f}".rjust(18) for n in names))
    rows, lanes = TAIL_SHAPE
    print(f"\npairs of {lanes} lanes over {rows} channels at {TAIL} deviations or more:")
    for name, count in result["correlated_lane_pairs"].items():
        print(f"{name.ljust(20)}{count:.1f}")


def _plot(matrices: dict[str, np.ndarray], path: str):
    """Two sign matrices and the singular values of all."""
    from matplotlib.figure import Figure

    labels = {
        "sequence": "weight sequence",
        "independent": "independent signs",
        "one_shift_a_word_32": "LFSR, one shift a 32-bit word",
        "one_shift_a_word_64": "LFSR, one shift a 64-bit word",
    }
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    axes = figure.subplots(1, 3)
    for axis, name in zip(axes, ("sequence", "one_shift_a_word_32"), strict=False):
        axis.imshow(matrices[name][:96, :96], cmap="gray", interpolation="nearest")
        axis.set_title(labels[name])
        axis.set_xlabel("lane")
        axis.set_ylabel("output channel")
    styles = ("-", "--", "-", "-")
    for (name, matrix), style in zip(matrices.items(), styles, strict=True):
        values = np.linalg.svd(matrix.astype(float), compute_uv=False)
        rank = randomness.effective_rank(matrix)
        values[values < 1e-9 * values[0]] = np.nan
        axes[2].semilogy(
            range(1, len(values) + 1), values, style, label=f"{labels[name]}: {rank:.0f}"
        )
    axes[2].set_ylim(0.05, 3000)
    axes[2].set_title(f"singular values of {MATRIX} x {MATRIX} signs")
    axes[2].set_xlabel("index")
    axes[2].legend(title="effective rank", fontsize=8)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110, metadata={"Software": None})
    atomic_write(path, data.getvalue())


def bench_codec(args) -> dict:
    """Codes for masks of independent weights: expected bits and weights a clock, by density."""
    codes = {"raw": _raw, "Rice": _rice, "enumerative": _enumerative, "Huffman": _huffman}
    return {
        "densities": list(DENSITIES),
        "entropy": [-p * math.log2(p) - (1 - p) * math.log2(1 - p) for p in DENSITIES],
        "codes": {
            name: dict(zip(("bits", "weights_a_clock"), zip(*map(code, DENSITIES), strict=True),
                           strict=True))
            for name, code in codes.items()
        },
    }  # fmt: skip


def _raw(p: float) -> tuple[float, float]:
    """(bits a weight, weights a clock): a beat of a 64-bit bus as it is."""
    return 1.0, 64


def _rice(p: float) -> tuple[float, float]:
    """Golomb-Rice codes of the zeros before each one, a run a clock; the best power of two."""
    tails = [(1 - p) ** (1 << k) for k in range(8)]
    return p * min(k + 1 + tail / (1 - tail) for k, tail in enumerate(tails)), 1 / p


def _enumerative(p: float) -> tuple[float, float]:
    """Of each block a Huffman code of its number of ones, then its rank among those."""
    ways = [math.comb(BLOCK, n) for n in range(BLOCK + 1)]
    chances = sorted((w * p**n * (1 - p) ** (BLOCK - n) for n, w in enumerate(ways)), reverse=True)
    lengths = huffman.code_lengths([round(c * 2**60) for c in chances], huffman.MAX_LENGTH)
    rank = sum(w * p**n * (1 - p) ** (BLOCK - n) * math.ceil(math.log2(w))
               for n, w in enumerate(ways))  # fmt: skip
    return (sum(map(math.prod, zip(chances, lengths, strict=True))) + rank) / BLOCK, BLOCK


def _huffman(p: float) -> tuple[float, float]:
    """The best of the tables for bytes, or raw."""
    return min(1.0, *(table.mean_bits(p) / 8 for table in huffman.TABLES.values())), 8


def print_codec(result: dict):
    codes = result["codes"]
    print("bits a weight, above entropy, weights a clock")
    print("density  entropy" + "".join(name.rjust(23) for name in codes))
    for i, (p, least) in enumerate(zip(result["densities"], result["entropy"], strict=True)):
        cells = []
        for code in codes.values():
            bits, rate = code["bits"][i], code["weights_a_clock"][i]
            cells.append(f"{bits:9.3f}{100 * (bits / least - 1):+7.1f} %{rate:5.1f}")
        print(f"{p:7.2f}{least:9.3f}" + "".join(cells))


# name -> (measure, print): more benchmarks are more lines here
BENCHMARKS = {
    "codec": (bench_codec, print_codec),
    "estimate": (bench_estimate.measure, bench_estimate.show),
    "sequence": (bench_sequence, print_sequence),
    "train": (bench_train.measure, bench_train.show),
}


def main():
    p = parser("bench", "Measure; results belong to the machine, ratios are what to compare.")
    p.add_argument("name", choices=sorted(BENCHMARKS))
    p.add_argument("--plot", metavar="F.png", help="of sequence: also draw the comparison")
    p.add_argument("--scalesim", metavar="PYTHON", help="of estimate: an interpreter with "
                   "SCALE-Sim 3, to compare with")  # fmt: skip
    bench_train.add_arguments(p)
    add_json(p)
    args = p.parse_args()
    measure, show = BENCHMARKS[args.name]
    result = measure(args)
    if args.json != "-":
        show(result)
    if args.json:
        write_json(args.json, result)


if __name__ == "__main__":
    run(main)
