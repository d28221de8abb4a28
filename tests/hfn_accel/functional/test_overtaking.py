"""Whatever order the tokens leave open, a compiled program computes the same.

Fetcher, executor and storer of the hardware overlap; here they take turns in orders as different
as the tokens allow, the fetcher and the storer as far ahead and behind as they may.
"""

import numpy as np
import pytest

from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.functional import execute
from hfn_accel.functional.machine import Machine
from hfn_accel.images import pack_runs
from hfn_accel.program import Opcode
from tests.hfn_accel.descriptors import rebuilt
from tests.tickets import random_images, random_mode, random_ticket

FETCHES = (Opcode.IMAGE, Opcode.LOAD)
EXECUTES = (Opcode.CONV, Opcode.POOL)
NOTHING = {"fetch_mask": 0, "fetch_parameters": 0}


class Overlap:
    """Three engines on one machine; each method does an engine's next job, if its tokens allow."""

    def __init__(self, program, config, images):
        self.machine = Machine(program, config, pack_runs(images, program.header["batch"]))
        self.descriptors = program.descriptors
        self.fetched = self.taken = 1  # descriptors
        self.executed = self.stored = 0
        self.pending = []

    def fetch(self) -> bool:
        if self.fetched == len(self.descriptors):
            return False
        opcode, f = self.descriptors[self.fetched]
        if f["wait_executed"] > self.executed or f["wait_stored"] > self.stored:
            return False
        if opcode in FETCHES:
            self.machine.step(opcode, f)
        elif opcode == Opcode.CONV:
            self.machine.buffers.fetch(f)
        self.fetched += 1
        return True

    def execute(self) -> bool:
        if self.taken == self.fetched:
            return False
        opcode, f = self.descriptors[self.taken]
        if f["hold_stored"] > self.stored:
            return False
        if opcode in EXECUTES:
            self.machine.step(opcode, f | NOTHING if opcode == Opcode.CONV else f)
            self.executed += 1
        elif opcode == Opcode.STORE:
            self.pending.append(f)
        self.taken += 1
        return True

    def store(self) -> bool:
        if not self.pending:
            return False
        self.machine.step(Opcode.STORE, self.pending.pop(0))
        self.stored += 1
        return True

    def run(self, order) -> np.ndarray:
        """`order()`: the engines by preference, before each job. The output memory."""
        while any(getattr(self, engine)() for engine in order()):
            pass
        assert self.taken == self.stored + self.executed + len(self.descriptors) - sum(
            opcode in (*EXECUTES, Opcode.STORE) for opcode, _ in self.descriptors
        ), "the tokens let nobody go on"
        return self.machine.output


def orders(rng):
    engines = ["fetch", "execute", "store"]
    yield lambda: ["fetch", "execute", "store"]
    yield lambda: ["fetch", "store", "execute"]
    yield lambda: ["execute", "store", "fetch"]
    for _ in range(3):
        yield lambda: list(rng.permutation(engines))


def compiled(seed: int):
    rng = np.random.default_rng(seed)
    ticket = random_ticket(rng, modes=random_mode if seed % 2 else None, bottlenecks=True,
                           imagenet=True, bits=(8, 8), sizes=(8, 14))  # fmt: skip
    config = Config(rows=4, columns=8, psum_depth=32, mask_bytes=16384, parameter_channels=128,
                    activation_bytes=2048 if seed == 4 else 1024)  # fmt: skip
    images = random_images(rng, ticket.arch, 2)
    return compile(ticket, config, batch=2), config, images


@pytest.mark.parametrize("seed", range(8))
def test_any_order_that_the_tokens_allow(seed):
    program, config, images = compiled(seed)
    machine = Machine(program, config, pack_runs(images, 2))
    for opcode, f in program.descriptors:
        machine.step(opcode, f)
    assert execute(program, config, images).logits.any()
    for order in orders(np.random.default_rng(seed)):
        assert (Overlap(program, config, images).run(order) == machine.output).all()


@pytest.mark.parametrize("name", ["wait_executed", "wait_stored", "hold_stored"])
def test_without_tokens_some_order_differs(name):
    program, config, images = compiled(1)
    want = Overlap(program, config, images).run(lambda: ["execute", "store", "fetch"])
    changes = {i: {name: 0} for i, (_, f) in enumerate(program.descriptors) if f.get(name)}
    less = rebuilt(program, changes)
    assert any((Overlap(less, config, images).run(order) != want).any()
               for order in orders(np.random.default_rng(0)))  # fmt: skip
