"""Tokens against the duties that docs/architecture.md gives the compiler, see also hazards."""

import numpy as np

from hfn_accel.planner.tokens import Access, tokens
from hfn_accel.program import Opcode


def test_loads_wait_for_stores_of_the_same_memory():
    rng = np.random.default_rng(7)

    def rectangle():
        groups, rows = sorted(rng.integers(0, 9, 2)), sorted(rng.integers(0, 9, 2))
        return groups[0], groups[1] + 1, rows[0], rows[1] + 1

    jobs, stores, want = [], [], []
    for n in range(200):
        memory = (0, 0), rectangle()
        if rng.integers(4):
            stores.append(memory[1])
            access = Access(reads=((0, 0, 1),), memory=memory)
            jobs.append((Opcode.STORE, access))
        else:
            access = Access(writes=((1, n, n + 1),), memory=memory)
            jobs.append((Opcode.LOAD, access))
            a = memory[1]
            last = [i for i, b in enumerate(stores, 1) if a[0] < b[1] and b[0] < a[1]
                    and a[2] < b[3] and b[2] < a[3]]  # fmt: skip
            want.append(max([*want[-1:], *last], default=0))
    found = tokens(jobs)
    assert [f["wait_stored"] for f, (op, _) in zip(found, jobs, strict=True)
            if op == Opcode.LOAD] == want  # fmt: skip


def test_tokens_stay_in_range_over_long_runs():
    """Counts are modulo 2^16; a token is never so old that it would look like one to come."""
    job = Opcode.POOL, Access(reads=((0, 0, 1),), writes=((1, 0, 1),))
    found = tokens([job] * 70000)
    for done, token in enumerate(found):
        assert (done - token["wait_executed"]) % (1 << 16) < 1 << 15
