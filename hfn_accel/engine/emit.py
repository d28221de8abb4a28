"""From the decisions about every step to the descriptors of a run, in an order in which fetching,
computing and storing overlap."""

import numpy as np

from ..program import Opcode
from . import limits, regions, state, tokens
from .bands import packed
from .compiled import compiled
from .execute import execute
from .records import ACCESS, FITS, JOB, PARTIAL_SUMS, Refusal
from .rounds import Task, band_of, new_job, round_of
from .state import OUTPUT, PARAMETERS, RESIDUAL, SOURCE
from .tiling import tile_words
from .transfers import load, transfer


@compiled
def program(network, maps, placed, chunks, design):
    """(JOB table, ACCESS table, Refusal): all descriptors of a run, BEGIN to END, complete but for
    what depends on weights: `sign_state`, `pattern_state`, `shift`, BEGIN's `accumulator_bits`,
    and what `program.seal` fills in. maps: with their derived columns; placed, chunks: of
    `residency.decide`."""
    jobs, accesses, refusal = emit(network, maps, placed, chunks, design)
    if refusal.reason == FITS:
        tokens.fill(jobs, accesses)
        regions.lay_out(jobs, accesses, network, design)
        refusal = limits.check_fields(jobs)
    return jobs, accesses, refusal


@compiled
def emit(network, maps, placed, chunks, design):
    """The same without tokens and addresses in the image, and of BEGIN `workspace_bytes` alone."""
    steps = network.steps
    for n in range(len(steps)):
        if not (steps[n].pooled or steps[n].classifier) and steps[n].width > design.psum_depth:
            refusal = Refusal(PARTIAL_SUMS, n, steps[n].width, design.psum_depth, -1)
            return np.zeros(0, JOB), np.zeros(0, ACCESS), refusal
    most = _most(network, maps, placed, design)
    jobs, accesses = np.zeros(most, JOB), np.zeros(most, ACCESS)
    s = state.start(network, maps, placed, design)
    s.here[0].jobs = 1
    for at in range(len(steps)):
        state.begin(s, at)
        _step(s, at, chunks, jobs, accesses)
        state.end(s, at)
    count = s.here[0].jobs + 1
    for n, opcode in ((0, Opcode.BEGIN), (count - 1, Opcode.END)):
        jobs[n].opcode, jobs[n].step, jobs[n].map, accesses[n].map = opcode, -1, -1, -1
    jobs[0].workspace_bytes = s.here[0].workspace
    return jobs[:count], accesses[:count], Refusal(FITS, -1, 0, 0, -1)


@compiled
def _most(network, maps, placed, design):
    """Descriptors of a run at most: that many, unless bands of a source are equal."""
    count = 2
    for n in range(len(placed)):
        step, p = network.steps[n], placed[n]
        items = design.batch * -(-step.rows // p.height)
        rounds = items * p.chunks if p.chunk_outer else items
        loads = rounds if items > p.source_slots else items
        if p.spilled_source and packed(step, maps[step.source]):
            loads *= p.height
        count += items * p.chunks + p.spilled_source * loads
        count += (p.spilled_residual + p.spilled_output) * rounds
    return count


@compiled
def _step(s, at, chunks, jobs, accesses):
    """Write the descriptors of step `at`. While a round is computed, the bands of the next one are
    loaded if a second slot is free for them."""
    step, p = s.network.steps[at], s.placed[at]
    rounds = s.design.batch * -(-step.rows // p.height)
    if p.chunk_outer:
        rounds *= p.chunks
    words = 0 if step.pooled else tile_words(s.network, s.design, step.tensor)
    t = Task(
        at, s.design, step, p, s.network.tensors[step.tensor],
        s.operands[SOURCE], s.maps[step.source],
        s.operands[RESIDUAL], s.maps[step.residual],
        s.operands[OUTPUT], s.maps[step.output],
        s.here[0], s.kept[step.tensor], s.rings[s.here[0].passing], s.rings[PARAMETERS],
        words, p.spilled_source and packed(step, s.maps[step.source]), rounds,
    )  # fmt: skip
    this = round_of(t, chunks, 0)
    load(t, jobs, accesses, this, 1, 2)
    for number in range(rounds):
        if number:
            load(t, jobs, accesses, this, 1, 1)
        following = round_of(t, chunks, min(number + 1, rounds - 1))
        for n in range(this.chunk_first, this.chunk_end):
            new = new_job(t, jobs, accesses, this.image, this.row_first, this.row_end)
            execute(t, this, chunks[n], jobs[new], accesses[new])
            if n == this.chunk_first and number + 1 < rounds:
                load(t, jobs, accesses, following, 2, 2)
        if t.output.slots:
            transfer(t, jobs, accesses, t.output, t.output_map, band_of(this), Opcode.STORE)
        this = following
