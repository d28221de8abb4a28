"""Tokens against the duties that docs/architecture.md gives the compiler, see also hazards."""

import numpy as np

from hfn_accel.engine import tokens
from hfn_accel.engine.records import ACCESS, JOB, table
from hfn_accel.program import Opcode


def empty(count: int):
    """Jobs and accesses, BEGIN first, that touch nothing."""
    jobs, accesses = table(JOB, count + 1), table(ACCESS, count + 1)
    jobs.opcode[0] = Opcode.BEGIN
    for name in ("source_bank", "residual_bank", "output_bank", "map"):
        accesses[name] = -1
    return jobs, accesses


def test_loads_wait_for_stores_of_the_same_memory():
    rng = np.random.default_rng(7)
    jobs, accesses = empty(300)
    stores, want = {}, [0]
    for n in range(1, 301):
        a = accesses[n]
        a.map, a.image = place = tuple(rng.integers(0, 2, 2))
        a.group_first, group_end = np.sort(rng.integers(0, 9, 2))
        a.row_first, row_end = np.sort(rng.integers(0, 9, 2))
        a.group_end, a.row_end = group_end + 1, row_end + 1
        if rng.integers(4):
            jobs[n].opcode = Opcode.STORE
            a.source_bank, a.source_end = 0, 1
            stores[sum(jobs.opcode == Opcode.STORE)] = place, a
        else:
            jobs[n].opcode = Opcode.LOAD
            a.output_bank, a.output_first, a.output_end = 1, n, n + 1
            last = [i for i, (there, b) in stores.items() if there == place
                    and a.group_first < b.group_end and b.group_first < a.group_end
                    and a.row_first < b.row_end and b.row_first < a.row_end]  # fmt: skip
            want.append(max([want[-1], *last]))
    tokens.fill(jobs, accesses)
    assert jobs.wait_stored[jobs.opcode == Opcode.LOAD].tolist() == want[1:]


def test_tokens_stay_in_range_over_long_runs():
    """Counts are modulo 2^16; a token is never so old that it would look like one to come."""
    count = 70000
    jobs, accesses = empty(count)
    jobs.opcode[1:], accesses.source_end[1:], accesses.output_end[1:] = Opcode.POOL, 1, 1
    accesses.source_bank[1:], accesses.output_bank[1:] = 0, 1
    tokens.fill(jobs, accesses)
    assert ((np.arange(count) - jobs.wait_executed[1:]) % (1 << 16)).max() < 1 << 15
