"""`hfn_accel.engine.timeline` against engines that are stepped clock by clock."""

from dataclasses import dataclass, field
from random import Random

import numpy as np

from hfn_accel.config import Config
from hfn_accel.engine import records
from hfn_accel.engine.durations import CAUSE_COUNT
from hfn_accel.engine.records import Design
from hfn_accel.engine.timeline import descriptor_cycles, end_of, timeline
from hfn_accel.program import Opcode
from hfn_accel.registers import Cause
from hfn_accel.timing import DECODE_CYCLES

FETCHES = {
    Opcode.IMAGE: [(Cause.LOAD,)], Opcode.LOAD: [(Cause.LOAD,)], Opcode.POOL: [()],
    Opcode.STORE: [()],
    Opcode.CONV: [(), (Cause.PARAMETER,), (Cause.MASK,), (Cause.PARAMETER, Cause.MASK)],
}  # fmt: skip


@dataclass
class Job:
    """A descriptor: clocks of its phases, of its execution, of its writes; and its tokens."""

    opcode: Opcode
    fetch: dict = field(default_factory=dict)
    execute: dict = field(default_factory=dict)
    write: int = 0
    wait_executed: int = 0
    wait_stored: int = 0
    hold_stored: int = 0


def run(jobs: list[Job], descriptor: int):
    """What `timeline` says of them."""
    clocks = np.zeros((len(jobs), CAUSE_COUNT), np.int64)
    for row, job in zip(clocks, jobs, strict=True):
        for cause, count in (job.fetch | job.execute).items():
            row[cause] = count
        row[Cause.STORE] = job.write
    names = "wait_executed", "wait_stored", "hold_stored"
    table = records.jobs([(j.opcode, {n: getattr(j, n) for n in names}) for j in jobs])
    return timeline(table, clocks, descriptor)


def draw(rng, length):
    """Jobs of a legal program."""
    jobs, executed, stored = [Job(Opcode.BEGIN)], 0, 0
    for _ in range(length):
        opcode = rng.choice(list(FETCHES))
        fetch = {cause: rng.randint(1, 60) for cause in rng.choice(FETCHES[opcode])}
        execute, write = {}, 0
        if opcode == Opcode.CONV:
            causes = Cause.FILL, Cause.COMPUTE, Cause.STALL, Cause.DRAIN
            execute = {cause: rng.randint(1, 60) for cause in causes}
            write = rng.choice((0, rng.randint(4, 90)))
        if opcode == Opcode.POOL:
            execute = {Cause.POOL: rng.randint(2, 90)}
        if opcode == Opcode.STORE:
            write = rng.randint(4, 300)
        jobs.append(Job(opcode, fetch, execute, write, *(
            max(0, most - rng.randrange(3)) for most in (executed, stored, stored)
        )))  # fmt: skip
        executed += opcode in (Opcode.CONV, Opcode.POOL)
        stored += opcode == Opcode.STORE
    return [*jobs, Job(Opcode.END)]


class Engines:
    """Fetcher, executor and storer, one step a clock; `spent` as `timeline` has it."""

    def __init__(self, jobs, descriptor):
        self.jobs, self.descriptor = jobs, descriptor
        self.executed = self.stored = self.storing = 0
        self.offer, self.complete = None, False
        self.spent = np.zeros((len(jobs), CAUSE_COUNT), np.int64)
        fetcher, executor = self.fetcher(), self.executor()
        while True:
            waiting, cause = next(fetcher), next(executor, Cause.IDLE)
            if cause == Cause.IDLE:
                break
            if cause is None:
                self.spent[self.fetching, waiting] += 1
            else:
                self.spent[self.executing, cause] += 1
            self.executed += self.complete
            self.complete = False
            self.stored += self.storing == 1
            self.storing = max(0, self.storing - 1)

    def fetcher(self):
        for index, job in enumerate(self.jobs):
            self.fetching = index
            yield from [Cause.DESCRIPTOR] * (self.descriptor + DECODE_CYCLES - 2)
            cause = Cause.DESCRIPTOR
            while cause:  # what was counted a clock ago is looked at
                ready = job.wait_executed <= self.executed and job.wait_stored <= self.stored
                yield cause
                cause = None if ready else Cause.STORE
            yield Cause.DESCRIPTOR
            for cause, clocks in job.fetch.items():
                yield from [cause] * clocks
            if job.opcode not in (Opcode.BEGIN, Opcode.IMAGE, Opcode.LOAD):
                self.offer = self.fetching
                while self.offer:
                    yield Cause.DESCRIPTOR
        while True:
            yield Cause.IDLE

    def executor(self):
        while True:
            taken, self.offer = self.offer, None
            yield None
            if taken is None:
                continue
            self.executing, job = taken, self.jobs[taken]
            cause = Cause.DESCRIPTOR
            while cause:
                ready = job.hold_stored <= self.stored
                yield cause
                cause = None if ready else Cause.STORE
            clocks = [cause for cause, count in job.execute.items() for _ in range(count)]
            yield from clocks[:-1]
            if clocks:
                self.complete = not job.write
                yield clocks[-1]
            if job.write or job.opcode == Opcode.END:
                while self.storing:
                    yield Cause.STORE
            if job.opcode == Opcode.CONV and job.write:
                yield from [Cause.STORE] * (job.write - 1)
                self.complete = True
                yield Cause.STORE
            if job.opcode in (Opcode.STORE, Opcode.END):
                yield Cause.STORE
                self.storing = job.write
            if job.opcode == Opcode.END:
                return


def test_clock_for_clock():
    for seed in range(60):
        rng = Random(seed)
        jobs, descriptor = draw(rng, 30), rng.randint(8, 40)
        spent, _, executed, _ = run(jobs, descriptor)
        assert spent.sum() == executed[-1, 1]
        np.testing.assert_array_equal(spent, Engines(jobs, descriptor).spent, f"seed {seed}")


def test_spans():
    jobs = [
        Job(Opcode.BEGIN),
        Job(Opcode.IMAGE, {Cause.LOAD: 20}),
        Job(Opcode.CONV, {Cause.PARAMETER: 5, Cause.MASK: 6}, {Cause.FILL: 3, Cause.COMPUTE: 50}),
        Job(Opcode.STORE, write=40),
        Job(Opcode.POOL, execute={Cause.POOL: 9}, wait_executed=1, hold_stored=1),
        Job(Opcode.END),
    ]
    spent, *spans = run(jobs, 10)
    none = (-1, -1)
    assert [list(map(tuple, span)) for span in spans] == [
        [(0, 13), (13, 46), (46, 70), (71, 84), (126, 139), (140, 153)],
        [none, none, (72, 125), (127, 128), (169, 178), (180, 181)],
        [none, none, none, (128, 168), none, none],
    ]
    causes = spent.sum(0)
    assert causes.sum() == 181
    assert {c: causes[c] for c in Cause if causes[c]} == {
        Cause.DESCRIPTOR: 13 + 13 + 13 + 2 + 2 + 11 + 2 + 2, Cause.LOAD: 20,
        Cause.PARAMETER: 5, Cause.MASK: 6, Cause.FILL: 3, Cause.COMPUTE: 50, Cause.POOL: 9,
        Cause.STORE: 1 + 28 + 1,
    }  # fmt: skip


def test_tokens():
    """Counts are modulo 2^16; one that is behind is no wait."""
    none, two = np.zeros(0, np.int64), np.array([5, 9])
    assert end_of(none, 0) == 0 and end_of(two, 0xFFFF) == 0
    assert [end_of(two, n) for n in (0, 1, 2)] == [0, 5, 9]
    ends = np.arange(70_000)
    assert end_of(ends, 70_000 & 0xFFFF) == 69_999
    assert end_of(ends, 69_000 & 0xFFFF) == 68_999


def test_descriptors():
    for bus, beats in ((64, 14), (128, 7)):
        assert descriptor_cycles(Design.of(Config(axi_data_width=bus), 5)) == beats + 5 + 3
