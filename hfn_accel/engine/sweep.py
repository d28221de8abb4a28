"""What a run takes on each of many designs, in one compiled loop."""

import numpy as np

from ..registers import Cause
from . import limits, maps
from .compiled import compiled
from .durations import CAUSE_COUNT, durations
from .emit import program
from .figures import FIGURE, compulsory_bytes, count
from .records import FITS, JOB, Design, Network, Refusal, dtype, table
from .residency import decide
from .timeline import descriptor_cycles, timeline

CYCLES = {c: f"{c.name.lower()}_cycles" for c in Cause if c != Cause.IDLE}
"""Cause -> column."""

RUN = dtype("cycles", *CYCLES.values(), *FIGURE.names, "planned_bytes", "compulsory_bytes")
"""Figures of a run. planned_bytes: those that the plan was chosen by, of activations, masks and
parameters, without logits and without what coded chunks add to be whole beats."""

REFUSAL = dtype(*Refusal._fields)


def run(network: Network, designs: np.recarray) -> tuple[np.recarray, np.recarray]:
    """(RUN, REFUSAL), a row of each a design; where `reason` is not FITS the figures are zeros.

    designs: of DESIGN, all with the columns and the bus that the tensors' `ends` are of.
    """
    figures, refusals = table(RUN, len(designs)), table(REFUSAL, len(designs))
    sums, spent = table(FIGURE, len(designs)), np.zeros((len(designs), CAUSE_COUNT), np.int64)
    moved = np.zeros((len(designs), 2), np.int64)
    _run(network, designs, sums, spent, moved, refusals)
    figures.cycles = spent.sum(1)
    for cause, name in CYCLES.items():
        figures[name] = spent[:, cause]
    for name in FIGURE.names:
        figures[name] = sums[name]
    figures.planned_bytes, figures.compulsory_bytes = moved.T
    return figures, refusals


@compiled
def _run(network, designs, sums, spent, moved, refusals):
    """Fill a row of each table for each design; moved: planned and compulsory bytes."""
    for n in range(len(designs)):
        d = designs[n]
        design = Design(
            d.rows, d.columns, d.units, d.group, d.bus_bits, d.bus_bytes, d.bank_words,
            d.mask_words, d.psum_depth, d.parameter_channels, d.result_words, d.latency, d.batch,
        )  # fmt: skip
        jobs, planned, refusal = plan(network, design)
        if refusal.reason == FITS:
            for i in range(len(jobs)):
                count(jobs[i], design, sums[n])
            parts = durations(jobs, design)
            clocks = timeline(jobs, parts, descriptor_cycles(design))[0]
            for i in range(len(jobs)):
                spent[n] += clocks[i]
            moved[n, 0], moved[n, 1] = planned, compulsory_bytes(network, design)
        why = refusals[n]
        why.reason, why.step, why.field = refusal.reason, refusal.step, refusal.field
        why.figure, why.limit = refusal.figure, refusal.limit


@compiled
def plan(network, design):
    """(JOB table, bytes that it moves, Refusal): the plan of a run that moves the fewest."""
    refusal = limits.check(network, design)
    own, moved, jobs = network.maps.copy(), 0, np.zeros(0, JOB)
    if refusal.reason == FITS:
        maps.derive(own, design)
        placed, chunks, moved, refusal = decide(network, own, design)
        if refusal.reason == FITS:
            jobs, _, refusal = program(network, own, placed, chunks, design)
    return jobs, moved, refusal
