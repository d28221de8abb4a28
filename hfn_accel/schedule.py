"""When fetcher, executor and storer do what: the timeline of a run from the durations of its jobs.

The RTL (`rtl/fetcher.py`, `rtl/executor.py`, `rtl/storer.py`) follows it clock for clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from .config import Config
from .program import DESCRIPTOR_BYTES, Opcode
from .registers import Cause

OUTSTANDING = 4
"""Bursts that a DMA has in flight at most. It hides any latency up to that of three full bursts."""

LONGEST_LATENCY = (OUTSTANDING - 1) * 256 - 1
"""Up to this many clocks of memory latency the closed forms below hold: three bursts of 256 beats
pass while the fourth's answer is on its way (one clock more for reads)."""

PHASE_CYCLES = 1
"""A phase that transfers something ends one clock after the transfer does."""

DECODE_CYCLES = 1
"""A descriptor is looked at for one clock, or more where it waits for its tokens."""

TAKE_CYCLES = 1
"""The executor takes a descriptor in one clock, in which it does nothing else."""


def read_cycles(beats, latency):
    """Clocks of a `ReadDma` from start to the first clock with busy low (arrays too).

    `latency`: clocks from an accepted address to its first beat; the consumer is always ready.
    """
    return beats + latency + 1


def write_cycles(beats, latency):
    """Clocks of a `WriteDma` from start to the first clock with busy low (arrays too).

    `latency`: clocks from a burst's last beat to its response; a beat is always at hand.
    """
    return beats + latency + 2


def descriptor_cycles(config: Config, latency):
    """Clocks in which the fetcher reads a descriptor."""
    return read_cycles(DESCRIPTOR_BYTES // config.bus_bytes, latency) + PHASE_CYCLES


def load_cycles(groups, beats, latency):
    """Clocks of a LOAD's phase: one transfer a group."""
    return groups * (read_cycles(beats, latency) + PHASE_CYCLES)


def store_cycles(groups, beats, latency):
    """Clocks of a STORE in the storer: one transfer a group."""
    return groups * (write_cycles(beats, latency) + PHASE_CYCLES)


def result_cycles(beats, latency):
    """Clocks in which the executor writes `beats` of logits."""
    return write_cycles(beats, latency) + PHASE_CYCLES


_NONE = MappingProxyType({})


class Job(NamedTuple):
    """A descriptor and its durations in clocks.

    fetch: of the fetcher's phases after the descriptor itself, in order: {LOAD} of an IMAGE or
        LOAD, {PARAMETER, MASK}, as far as fetched, of a CONV. A phase takes PHASE_CYCLES more than
        from the start of its transfer to the first clock in which DMA, decoder and loader are idle.
    execute: of a CONV (FILL, COMPUTE, STALL, DRAIN) or POOL, from the clock of its `setup` or
        `pool_start` to that of its last write, both included.
    write: of a STORE in the storer (`store_cycles`), of a CONV whose logits leave `result_cycles`.
    wait_executed, wait_stored, hold_stored: as in the descriptor.
    """

    opcode: Opcode
    fetch: Mapping[Cause, int] = _NONE
    execute: Mapping[Cause, int] = _NONE
    write: int = 0
    wait_executed: int = 0
    wait_stored: int = 0
    hold_stored: int = 0


@dataclass(frozen=True)
class Schedule:
    """A run, counted from the clock after its start.

    clocks: of the run (the counter CYCLES).
    spent[cause]: by job, the executor's clocks: those in which it is at the job, or waits while the
        fetcher is at it. All together are the run's.
    fetched, executed, stored: a (begin, end) for every job, None where it has none. Fetched: from
        the first clock of the descriptor's own fetch to the first in which it is offered or the
        next is fetched. Executed: from `setup`, `pool_start` or, of STORE and END, the only clock
        that they take, to the first clock in which the executor is idle. Stored: of a STORE, the
        storer's transfers. Ends are exclusive: a job's results count from that clock on.
    """

    clocks: int
    spent: dict[Cause, list[int]]
    fetched: list
    executed: list
    stored: list

    @property
    def causes(self) -> dict[Cause, int]:
        """Clocks of the run by cause (the counters CYCLES_...)."""
        return {cause: sum(clocks) for cause, clocks in self.spent.items()}


def tokens(fields: dict) -> dict[str, int]:
    """The three waits of a descriptor, as arguments of a `Job`."""
    return {n: fields.get(n, 0) for n in ("wait_executed", "wait_stored", "hold_stored")}


def schedule(jobs: list[Job], descriptor: int) -> Schedule:
    """The timeline of a program (BEGIN to END); `descriptor` = `descriptor_cycles(...)`."""
    spent = {cause: [0] * len(jobs) for cause in Cause if cause != Cause.IDLE}
    fetched, executed, stored = [], [], []
    computed, written = [], []  # ends of the CONVs and POOLs, and of the STOREs, so far
    now = idle = free = 0  # where fetcher, executor and storer are

    def spend(begin, end, cause):
        """The fetcher's clocks count as far as the executor is idle."""
        spent[cause][index] += max(end - max(begin, idle), 0)

    for index, job in enumerate(jobs):
        begin, decode = now, now + descriptor
        ready = decode
        if job.opcode != Opcode.BEGIN:
            for ends, token in (computed, job.wait_executed), (written, job.wait_stored):
                ready = max(ready, end_of(ends, token))
        spend(begin, decode, Cause.DESCRIPTOR)
        spend(decode, ready, Cause.STORE)
        now = ready + DECODE_CYCLES
        spend(ready, now, Cause.DESCRIPTOR)
        for cause, clocks in job.fetch.items():
            spend(now, now + clocks, cause)
            now += clocks
        fetched.append((begin, now))
        executed.append(None)
        stored.append(None)
        if job.opcode in (Opcode.BEGIN, Opcode.IMAGE, Opcode.LOAD):
            continue

        taken = max(now, idle) + TAKE_CYCLES
        spend(now, taken, Cause.DESCRIPTOR)
        now = taken
        held = max(taken, end_of(written, job.hold_stored))
        if job.opcode in (Opcode.STORE, Opcode.END):
            held = max(held, free)
            idle = held + 1
            spent[Cause.STORE][index] += idle - taken
            if job.opcode == Opcode.STORE:
                stored[-1] = (idle, idle + job.write)
                free = idle + job.write
                written.append(free)
        else:
            idle = held
            for cause, clocks in job.execute.items():
                spent[cause][index] += clocks
                idle += clocks
            logits = max(idle, free) + job.write if job.write else idle
            spent[Cause.STORE][index] += held - taken + logits - idle
            idle = logits
            computed.append(idle)
        executed[-1] = (held, idle)
    return Schedule(idle, spent, fetched, executed, stored)


def end_of(ends: list, token: int):
    """When the number of jobs that ended reaches `token`, which counts modulo 2^16."""
    count = len(ends) - ((len(ends) - token) & 0xFFFF)
    return ends[count - 1] if count > 0 else 0
