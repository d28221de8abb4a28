"""Random tables of points, each planned and estimated, and what tests read from pictures."""

import numpy as np
from matplotlib.text import Text

from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.estimator import CAUSES, CLASSES
from hfn_accel.workload import Workload
from tests.tickets import random_mode, random_ticket


def random_config(rng) -> Config:
    def power(low: int, high: int) -> int:
        return 1 << int(rng.integers(low, high + 1))

    return Config(rows=power(0, 6), columns=power(0, 6), axi_data_width=power(6, 7),
                  activation_bytes=power(9, 14), mask_bytes=power(8, 14),
                  psum_depth=power(4, 8))  # fmt: skip


def point(ticket, config: Config, latency: int) -> dict:
    """A row of a table: without figures but with the reason if the network does not fit."""
    row = {"network": str(ticket.arch), "activation_bits": "own", "rows_lanes": config.rows,
           "columns_channels": config.columns, "bus_bits": config.axi_data_width,
           "mask_buffer_bytes": config.mask_bytes}  # fmt: skip
    figures = ["cycles", *(f"{c}_cycles" for c in CAUSES), "utilisation_ratio",
               *(f"{c}_moved_bytes" for c in (*CLASSES, "total"))]  # fmt: skip
    try:
        e = Workload.of_ticket(ticket).estimate(config, latency)
    except HfnError as error:
        return row | dict.fromkeys(figures, np.nan) | {"infeasible_reason": str(error)}
    row |= {f"{cause}_cycles": n for cause, n in e.cycles_by_cause.items() if cause != "total"}
    row |= {f"{name}_moved_bytes": n for name, n in e.bytes_by_class.items()}
    row |= {"cycles": e.total_cycles, "utilisation_ratio": e.utilisation}
    return row | {"infeasible_reason": ""}


def table_of(rows: list[dict]) -> dict[str, np.ndarray]:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def random_table(rng, count: int) -> dict[str, np.ndarray]:
    """Other networks, modes, designs and latencies at every point; some do not fit."""
    rows = []
    for _ in range(count):
        ticket = random_ticket(rng, modes=random_mode, bottlenecks=True, imagenet=True)
        rows.append(point(ticket, random_config(rng), int(rng.integers(1, 200))))
    return table_of(rows)


def box_of(text: Text):
    """Where a text of a finished picture is, in pixels, without its arrow."""
    return Text.get_window_extent(text, text.figure.canvas.get_renderer())


def overlaps(figure) -> list[tuple[str, str]]:
    """Pairs of texts that meet in a picture."""
    figure.draw_without_rendering()
    (axes,) = figure.axes
    texts = [*axes.texts, axes._left_title, axes.xaxis.label, axes.yaxis.label,
             *(text for legend in figure.legends for text in legend.get_texts())]  # fmt: skip
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        places = axis.get_majorticklocs()
        texts += [t for t, at in zip(axis.get_majorticklabels(), places, strict=True)
                  if low <= at <= high]  # fmt: skip
    boxes = [(t.get_text(), box_of(t).padded(-0.5)) for t in texts if t.get_text()]
    return [(a, b) for n, (a, one) in enumerate(boxes) for b, two in boxes[n + 1 :]
            if one.overlaps(two)]  # fmt: skip
