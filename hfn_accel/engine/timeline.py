"""When fetcher, executor and storer do what: the timeline of a run from the durations of its jobs.

The RTL (`rtl/fetcher.py`, `rtl/executor.py`, `rtl/storer.py`) follows it clock for clock.
"""

import numpy as np

from ..program import DESCRIPTOR_BYTES, Opcode
from ..registers import Cause
from ..timing import DECODE_CYCLES, HOLD_CYCLES, PHASE_CYCLES, TAKE_CYCLES, TOKEN_CYCLES
from .compiled import compiled
from .durations import CAUSE_COUNT, beats, read_cycles


@compiled
def descriptor_cycles(design):
    """Clocks in which the fetcher reads a descriptor."""
    return read_cycles(beats(DESCRIPTOR_BYTES, design), design.latency) + PHASE_CYCLES


@compiled
def timeline(jobs, durations, descriptor):
    """(spent, fetched, executed, stored) of a run of a program, BEGIN to END.

    jobs: of JOB, only opcodes and tokens count; durations: as of `durations`; descriptor: as of
    `descriptor_cycles`. Clocks are counted from that after the run's start.

    spent: int64 (jobs, CAUSE_COUNT), the executor's clocks: those in which it is at the job, or
    waits while the fetcher is at it. All together are the run's (the counter CYCLES).
    fetched, executed, stored: int64 (jobs, 2), begin and end, -1 where there is none. Fetched: from
    the first clock of the descriptor's own fetch to the first in which it is offered or the next is
    fetched. Executed: from `setup`, `pool_start` or, of STORE and END, the only clock that they
    take, to the first clock in which the executor is idle. Stored: of a STORE, the storer's
    transfers. Ends are exclusive: a job's results count from that clock on.
    """
    count = len(jobs)
    spent = np.zeros((count, CAUSE_COUNT), np.int64)
    fetched = np.full((count, 2), -1, np.int64)
    executed, stored = fetched.copy(), fetched.copy()
    computed, written = np.zeros(count, np.int64), np.zeros(count, np.int64)  # ends, in order
    computes = writes = 0  # of the CONVs and POOLs, and of the STOREs, so far
    now = idle = free = 0  # where fetcher, executor and storer are
    for i in range(count):
        job, clocks, causes = jobs[i], durations[i], spent[i]
        begin, judged = now, now + descriptor + DECODE_CYCLES
        now = judged
        if job.opcode != Opcode.BEGIN:
            now = max(now, end_of(computed[:computes], job.wait_executed) + TOKEN_CYCLES)
            now = max(now, end_of(written[:writes], job.wait_stored) + TOKEN_CYCLES)
        causes[Cause.DESCRIPTOR] += _waited(begin, judged - 1, idle) + _waited(now - 1, now, idle)
        causes[Cause.STORE] += _waited(judged - 1, now - 1, idle)
        for cause in (Cause.LOAD, Cause.PARAMETER, Cause.MASK):
            causes[cause] += _waited(now, now + clocks[cause], idle)
            now += clocks[cause]
        fetched[i, 0], fetched[i, 1] = begin, now
        if job.opcode in (Opcode.BEGIN, Opcode.IMAGE, Opcode.LOAD):
            continue

        offered, now = now, max(now, idle) + 1
        taken = now - 1 + TAKE_CYCLES
        causes[Cause.DESCRIPTOR] += _waited(offered, taken, idle)
        held = max(taken, end_of(written[:writes], job.hold_stored) + HOLD_CYCLES)
        if job.opcode in (Opcode.STORE, Opcode.END):
            held = max(held, free)
            idle = held + 1
            causes[Cause.STORE] += idle - taken
            if job.opcode == Opcode.STORE:
                free = idle + clocks[Cause.STORE]
                stored[i, 0], stored[i, 1] = idle, free
                written[writes] = free
                writes += 1
        else:
            idle = held
            for cause in (Cause.FILL, Cause.COMPUTE, Cause.STALL, Cause.DRAIN, Cause.POOL):
                causes[cause] += clocks[cause]
                idle += clocks[cause]
            causes[Cause.STORE] += held - taken
            if clocks[Cause.STORE]:
                logits = max(idle, free) + clocks[Cause.STORE]
                causes[Cause.STORE] += logits - idle
                idle = logits
            computed[computes] = idle
            computes += 1
        executed[i, 0], executed[i, 1] = held, idle
    return spent, fetched, executed, stored


@compiled
def _waited(begin, end, idle):
    """Clocks of the fetcher's in which the executor waits: from when it is idle."""
    return max(end - max(begin, idle), 0)


@compiled
def end_of(ends, token):
    """When the number of jobs that ended reaches `token`, which counts modulo 2^16."""
    count = len(ends) - ((len(ends) - token) & 0xFFFF)
    return ends[count - 1] if count > 0 else 0
