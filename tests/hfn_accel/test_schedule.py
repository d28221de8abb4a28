"""`hfn_accel.schedule` against engines that are stepped clock by clock."""

from random import Random

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
    """Fetcher, executor and storer, one step a clock; `spent` as in `Schedule`."""

    def __init__(self, jobs, descriptor):
        self.jobs, self.descriptor = jobs, descriptor
        self.executed = self.stored = self.storing = 0
        self.offer, self.complete = None, False
        self.spent = {cause: [0] * len(jobs) for cause in list(Cause)[1:]}
        fetcher, executor = self.fetcher(), self.executor()
        while True:
            waiting, cause = next(fetcher), next(executor, Cause.IDLE)
            if cause == Cause.IDLE:
                break
            if cause is None:
                self.spent[waiting][self.fetching] += 1
            else:
                self.spent[cause][self.executing] += 1
            self.executed += self.complete
            self.complete = False
            self.stored += self.storing == 1
            self.storing = max(0, self.storing - 1)

    def fetcher(self):
        for index, job in enumerate(self.jobs):
            self.fetching = index
            yield from [Cause.DESCRIPTOR] * self.descriptor
            while job.wait_executed > self.executed or job.wait_stored > self.stored:
                yield Cause.STORE
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
        assert plan.clocks == sum(plan.causes.values())
        assert plan.spent == engines.spent, f"seed {seed}"


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
