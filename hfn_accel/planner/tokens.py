"""What may not overtake what: the three tokens of every descriptor, by the duties that
docs/architecture.md gives the compiler, and as small as they allow."""

from collections import defaultdict, deque
from typing import NamedTuple

from ..program import Opcode

_MODULO = 1 << 16
_OLDEST = 1 << 8  # tokens are never further behind, so that counts modulo 2^16 stay in order


class Access(NamedTuple):
    """What a descriptor touches. Of every pair and six, ends are exclusive.

    reads, writes: parts of banks, (bank, first word, end).
    memory: of LOAD and STORE, the part of the workspace: (map, image) -> first group, end, first
        row, end.
    masks, parameters: parts of the buffers that a CONV uses, (first, end), and whether it fetches
        them.
    """

    reads: tuple[tuple[int, int, int], ...] = ()
    writes: tuple[tuple[int, int, int], ...] = ()
    memory: tuple[tuple[int, int], tuple[int, int, int, int]] | None = None
    masks: tuple[int, int] | None = None
    parameters: tuple[int, int] | None = None
    fetches: tuple[bool, bool] = (False, False)


class _Past:
    """Rectangles (intervals if only two bounds are given) with the numbers of the jobs that used
    them, in order."""

    def __init__(self):
        self.uses = deque()

    def add(self, number: int, over: int, first: int, end: int, low: int = 0, high: int = 1):
        """Forgets the jobs up to `over`, for which everybody has waited."""
        while self.uses and self.uses[0][0] <= over:
            self.uses.popleft()
        self.uses.append((number, first, end, low, high))

    def last(self, least: int, first: int, end: int, low: int = 0, high: int = 1) -> int:
        """The largest number of a use that overlaps, at least `least`."""
        for number, *use in reversed(self.uses):
            if number <= least:
                break
            if use[0] < end and first < use[1] and use[2] < high and low < use[3]:
                return number
        return least


def tokens(jobs: list[tuple[Opcode, Access]]) -> list[dict[str, int]]:
    """The tokens' fields of every job, in program order (BEGIN has none)."""
    executed = stored = 0
    waited = held = gone = 0  # for: CONVs and POOLs by the fetcher, STOREs by executor, fetcher
    read, sent = defaultdict(_Past), defaultdict(_Past)  # by bank: by CONVs and POOLs, by STOREs
    written, sending = defaultdict(int), defaultdict(int)  # by bank: the last of each
    memory, masks, parameters = defaultdict(_Past), _Past(), _Past()
    found = []
    for opcode, access in jobs:
        waited, gone = max(waited, executed - _OLDEST), max(gone, stored - _OLDEST)
        if opcode in (Opcode.IMAGE, Opcode.LOAD):
            ((bank, *part),) = access.writes
            waited = max(written[bank], read[bank].last(waited, *part))
            gone = sent[bank].last(gone, *part)
            if access.memory:
                place, rows = access.memory
                gone = memory[place].last(gone, *rows)
        elif opcode == Opcode.CONV:
            for past, part, fetch in zip((masks, parameters), (access.masks, access.parameters),
                                         access.fetches, strict=True):  # fmt: skip
                if fetch:
                    waited = past.last(waited, *part)
        held = max(held, gone)  # what is executed was fetched before
        if opcode in (Opcode.CONV, Opcode.POOL):
            held = max(held, *(sending[bank] for bank, *_ in access.reads))
            for bank, *part in access.writes:
                held = sent[bank].last(held, *part)
        elif opcode == Opcode.END:
            held = stored
        found.append({
            "wait_executed": waited % _MODULO,
            "wait_stored": gone % _MODULO,
            "hold_stored": held % _MODULO,
        })  # fmt: skip
        if opcode in (Opcode.CONV, Opcode.POOL):
            executed += 1
            for bank, *part in access.reads:
                read[bank].add(executed, waited, *part)
            for bank, *_ in access.writes:
                written[bank] = executed
            if opcode == Opcode.CONV:
                masks.add(executed, waited, *access.masks)
                if access.parameters:
                    parameters.add(executed, waited, *access.parameters)
        elif opcode == Opcode.STORE:
            stored += 1
            ((bank, *part),) = access.reads
            sent[bank].add(stored, gone, *part)
            sending[bank] = stored
            memory[access.memory[0]].add(stored, gone, *access.memory[1])
    return found
