"""`hfn_accel.schedule` against engines that are stepped clock by clock."""

from random import Random

import numpy as np

from hfn_accel.config import Config
from hfn_accel.program import Opcode
from hfn_accel.registers import Cause
from hfn_accel.schedule import (
    Job,
    descriptor_cycles,
    end_of,
    load_cycles,
    read_cycles,
    schedule,
    store_cycles,
    tokens,
    write_cycles,
)

FETCHES = {
    Opcode.IMAGE: [(Cause.LOAD,)], Opcode.LOAD: [(Cause.LOAD,)], Opcode.POOL: [()],
    Opcode.STORE: [()],
    Opcode.CONV: [(), (Cause.PARAMETER,), (Cause.MASK,), (Cause.PARAMETER, Cause.MASK)],
}  # fmt: skip


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
    """Fetcher, executor and storer, one step a clock; `causes` are their clocks."""

    def __init__(self, jobs, descriptor):
        self.jobs, self.descriptor = jobs, descriptor
        self.executed = self.stored = self.storing = 0
        self.offer, self.complete = None, False
        self.causes = dict.fromkeys(list(Cause)[1:], 0)
        fetcher, executor = self.fetcher(), self.executor()
        while True:
            waiting, cause = next(fetcher), next(executor, Cause.IDLE)
            if cause == Cause.IDLE:
                break
            self.causes[waiting if cause is None else cause] += 1
            self.executed += self.complete
            self.complete = False
            self.stored += self.storing == 1
            self.storing = max(0, self.storing - 1)

    def fetcher(self):
        for job in self.jobs:
            yield from [Cause.DESCRIPTOR] * self.descriptor
            while job.wait_executed > self.executed or job.wait_stored > self.stored:
                yield Cause.STORE
            yield Cause.DESCRIPTOR
            for cause, clocks in job.fetch.items():
                yield from [cause] * clocks
            if job.opcode not in (Opcode.BEGIN, Opcode.IMAGE, Opcode.LOAD):
                self.offer = job
                while self.offer:
                    yield Cause.DESCRIPTOR
        while True:
            yield Cause.IDLE

    def executor(self):
        while True:
            job, self.offer = self.offer, None
            yield None
            if job is None:
                continue
            while job.hold_stored > self.stored:
                yield Cause.STORE
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
        plan, engines = schedule(jobs, descriptor), Engines(jobs, descriptor)
        assert plan.causes == engines.causes, f"seed {seed}"
        assert plan.clocks == sum(engines.causes.values())


def test_spans():
    jobs = [
        Job(Opcode.BEGIN),
        Job(Opcode.IMAGE, {Cause.LOAD: 20}),
        Job(Opcode.CONV, {Cause.PARAMETER: 5, Cause.MASK: 6}, {Cause.FILL: 3, Cause.COMPUTE: 50}),
        Job(Opcode.STORE, write=40),
        Job(Opcode.POOL, execute={Cause.POOL: 9}, wait_executed=1, hold_stored=1),
        Job(Opcode.END),
    ]
    plan = schedule(jobs, 10)
    assert plan.fetched == [(0, 11), (11, 42), (42, 64), (65, 76), (119, 130), (131, 142)]
    assert plan.executed == [None, None, (65, 118), (119, 120), (160, 169), (170, 171)]
    assert plan.stored == [None, None, None, (120, 160), None, None]
    assert plan.clocks == 171 == sum(plan.causes.values())
    assert {c: n for c, n in plan.causes.items() if n} == {
        Cause.DESCRIPTOR: 11 + 11 + 11 + 1 + 1 + 10 + 1 + 1, Cause.LOAD: 20,
        Cause.PARAMETER: 5, Cause.MASK: 6, Cause.FILL: 3, Cause.COMPUTE: 50, Cause.POOL: 9,
        Cause.STORE: 1 + 29 + 1,
    }  # fmt: skip


def test_arrays():
    """Durations that are arrays over designs give what every design gives alone."""
    rng = Random(5)
    base, descriptors = draw(rng, 25), np.array([9, 17, 30])

    def scaled(value, factor):
        return value and value * factor

    def scale(factor):
        return [Job(job.opcode, {c: scaled(n, factor) for c, n in job.fetch.items()},
                    {c: scaled(n, factor) for c, n in job.execute.items()},
                    scaled(job.write, factor), job.wait_executed, job.wait_stored,
                    job.hold_stored) for job in base]  # fmt: skip

    factors = np.array([1, 3, 7])
    together = schedule(scale(factors), descriptors)
    for i, (factor, descriptor) in enumerate(zip(factors, descriptors, strict=True)):
        alone = schedule(scale(int(factor)), int(descriptor))
        assert together.clocks[i] == alone.clocks
        for cause, clocks in alone.causes.items():
            assert np.broadcast_to(together.causes[cause], 3)[i] == clocks


def test_tokens():
    """Counts are modulo 2^16; one that is behind is no wait."""
    assert end_of([], 0) == 0 and end_of([5, 9], 0xFFFF) == 0
    assert [end_of([5, 9], n) for n in (0, 1, 2)] == [0, 5, 9]
    ends = list(range(70_000))
    assert end_of(ends, 70_000 & 0xFFFF) == 69_999
    assert end_of(ends, 69_000 & 0xFFFF) == 68_999
    assert tokens({"wait_executed": 3}) == {"wait_executed": 3, "wait_stored": 0, "hold_stored": 0}


def test_durations():
    assert read_cycles(10, 5) == 16 and write_cycles(10, 5) == 17
    assert descriptor_cycles(Config(axi_data_width=64), 5) == 12 + 5 + 2
    assert descriptor_cycles(Config(axi_data_width=128), 5) == 6 + 5 + 2
    assert load_cycles(3, 10, 5) == 3 * 17 and store_cycles(3, 10, 5) == 3 * 18
