"""Speed of the estimator: one design, and an exploration of many, on one core."""

import resource
import time
from functools import partial

import numpy as np

from . import bench_scalesim, evaluate
from .config import Config
from .exploration import table
from .exploration.columns import POINT
from .exploration.space import workload_columns
from .workload import Workload, resolve

NETWORK, DATASET = "hfn-resnet50", "cifar100"
REPEATS = 50  # of one design
POINTS = 24_000
CHUNK = 1000
VARIANTS = (
    {"activation_bits": 8}, {"activation_bits": 4}, {"folding": "none"}, {"coats": 2},
    {"pruned": 8}, {"network": "hfn-resnet18"}, {"network": "hfn-resnet34"},
    {"network": "hfn-resnet101"},
)  # fmt: skip
"""Networks of the exploration, each as it differs from NETWORK."""
_MOST = {"rows_lanes": (3, 6), "columns_channels": (3, 6), "activation_bank_bytes": (14, 20),
         "mask_buffer_bytes": (15, 20), "psum_depth_pixels": (6, 10),
         "parameter_channels": (9, 12), "bus_bits": (6, 7), "requantisers": (1, 4)}  # fmt: skip
"""Column -> least and largest power of two."""


def measure(args) -> dict:
    """`estimate_ms`: processor milliseconds of one design's cycles and bytes, `figures_ms`: of all
    figures of single random designs, both medians; `points_per_minute`: of
    random designs on random networks, every figure and its line of the table included, without
    the compilation that a machine needs once (`compile_s`; near 0 if it was done before)."""
    network = resolve({"network": NETWORK, "dataset": DATASET})
    began = time.process_time()
    evaluate.figures(network, _designs(np.random.default_rng(0), 8))
    network.estimate(Config())
    compiled = time.process_time() - began
    spent = [_seconds(lambda: network.estimate(Config())) for _ in range(REPEATS)]
    rng, rates = np.random.default_rng(1), {}
    singles = [_designs(rng, 1) for _ in range(REPEATS)]
    whole = [_seconds(partial(evaluate.figures, network, design)) for design in singles]
    total, fits = 0.0, 0
    for variant in VARIANTS:
        axes = {"network": NETWORK, "dataset": DATASET} | variant
        count, seconds = POINTS // len(VARIANTS), 0.0
        for _ in range(0, count, CHUNK):
            designs = _designs(rng, min(CHUNK, count))
            began = time.process_time()
            fits += _explore(resolve(axes), designs)
            seconds += time.process_time() - began
        name = ", ".join(f"{axis} {value}" for axis, value in variant.items())
        rates[name] = 60 * count / seconds
        total += seconds
    result = {
        "network": network.name,
        "estimate_ms": 1e3 * float(np.median(spent)),
        "figures_ms": 1e3 * float(np.median(whole)),
        "points": POINTS,
        "fitting_ratio": fits / POINTS,
        "points_per_minute": 60 * POINTS / total,
        "points_per_minute_by_network": rates,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "compile_s": compiled,
    }
    if args.scalesim:
        work = bench_scalesim.default_topology()
        result["scalesim"] = bench_scalesim.measure(args.scalesim, work, 32, 32)
    return result


def _seconds(work) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _designs(rng, count: int) -> dict[str, np.ndarray]:
    """Random designs; hardly two of them are the same."""
    designs = {name: 1 << rng.integers(low, high + 1, count)
               for name, (low, high) in _MOST.items()}  # fmt: skip
    same = {"result_words": 1024, "accumulator_bits": 24, "batch_images": 1, "integrity": 1}
    designs |= {name: np.full(count, value) for name, value in same.items()}
    return designs | {"coded": rng.integers(0, 2, count),
                      "latency_cycles": rng.integers(1, 200, count)}  # fmt: skip


def _explore(workload: Workload, designs: dict[str, np.ndarray]) -> int:
    """As a worker of the exploration does with a chunk; how many points fit."""
    count = len(designs["coded"])
    found = evaluate.figures(workload, designs)
    same = {name: np.full(count, value) for name, value in workload_columns(workload).items()}
    table.rows({POINT: np.arange(count)} | same | designs | found)
    return int((found["infeasible_reason"] == "").sum())


def show(result: dict):
    print(f"{result['network']}: {result['estimate_ms']:.2f} ms for cycles and bytes of a design, "
          f"{result['figures_ms']:.2f} ms for all its figures")  # fmt: skip
    print(f"{result['points_per_minute']:,.0f} points a minute on one core: {result['points']:,} "
          f"random designs, {result['fitting_ratio']:.0%} of them feasible, "
          f"{result['peak_memory_mb']:,.0f} MB at most")  # fmt: skip
    for name, rate in result["points_per_minute_by_network"].items():
        print(f"    {name:28}{rate:12,.0f} a minute")
    print(f"machine code made in {result['compile_s']:.1f} s of processor time")
    if "scalesim" in result:
        print("\n" + bench_scalesim.text(result["scalesim"]))
