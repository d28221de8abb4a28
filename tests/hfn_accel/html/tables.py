"""Random tables of points, with everything that a page must survive."""

import numpy as np

OBJECTIVES = ("cycles", "total_moved_bytes")
HOSTILE = '</script><img src=x onerror="document.title=1">&amp;"quoted", comma'


def random_table(count: int, figures: int = 2, seed: int = 0) -> dict[str, np.ndarray]:
    """Points of which a fifth do not fit; `figures` more columns than the named ones."""
    rng = np.random.default_rng(seed)
    unfit = rng.random(count) < 0.2
    unfit[0] = True

    def figure(values) -> np.ndarray:
        return np.where(unfit, np.nan, values)

    cycles = rng.integers(1_000, 40_000_000, count)
    table = {
        "point": np.arange(count),
        "network": rng.choice(["hfn-resnet18", "hfn-resnet50", HOSTILE], count),
        "activation_bits": rng.choice(["own", "2", "4"], count),
        "rows_lanes": rng.choice([4, 8, 16], count),
        "mask_buffer_bytes": rng.choice(1 << np.arange(10, 20), count),
        "batch_images": np.ones(count),
        "cycles": figure(cycles),
        "total_moved_bytes": figure(rng.integers(1, 300, count) * 4096),
        "utilisation_ratio": figure(rng.random(count)),
        "accuracy_ratio": figure(np.where(rng.random(count) < 0.5, np.nan, rng.random(count))),
        "energy_low_uj": figure(cycles * rng.random(count) / 3),
    }
    table |= {f"figure{n}_words": figure(rng.integers(0, 1 << 20, count)) for n in range(figures)}
    reasons = np.array(["", f"layer <b>1</b>: {HOSTILE}", "mask bytes 9216, the limit is 8192"])
    table["infeasible_reason"] = reasons[np.where(unfit, rng.integers(1, 3, count), 0)]
    return table
