"""What may not overtake what: the three tokens of every descriptor, by the duties that
docs/architecture.md gives the compiler, and as small as they allow."""

import numpy as np

from ..program import BANKS, Opcode
from .compiled import compiled
from .records import dtype

_MODULO = 1 << 16
_OLDEST = 1 << 8  # tokens are never further behind, so that counts modulo 2^16 stay in order

_USE = dtype("number", "first", "end", "low", "high", "before")
"""A rectangle (an interval if low, high are 0, 1) that the job of this number used; before: index
of the use before of the same thing, -1 if there is none."""

_EACH = 4  # uses of a job at most
# things that are used; `heads` has the last use of each
_READ, _SENT, _MASKS, _PARAMETERS, _MEMORY = 0, BANKS, 2 * BANKS, 2 * BANKS + 1, 2 * BANKS + 2
"""_READ + bank: by CONVs and POOLs; _SENT + bank: by STOREs; _MEMORY + number: of the image of a
map, by STOREs. Numbers of _READ, _MASKS and _PARAMETERS count CONVs and POOLs, the rest STOREs."""


@compiled
def fill(jobs, accesses):
    """Write the tokens of every job (BEGIN has none), given what it touches."""
    maps, images = accesses.map.max() + 1, accesses.image.max() + 1
    heads = np.full(_MEMORY + maps * images, -1)
    uses = np.empty(_EACH * len(jobs), _USE)
    written, sending = np.zeros(BANKS, np.int64), np.zeros(BANKS, np.int64)  # the last, by bank
    executed = stored = 0
    waited = held = gone = 0  # for: CONVs and POOLs by the fetcher, STOREs by executor, fetcher
    for n in range(1, len(jobs)):
        job, a = jobs[n], accesses[n]
        executes = job.opcode == Opcode.CONV or job.opcode == Opcode.POOL
        memory = _MEMORY + a.map * images + a.image
        waited, gone = max(waited, executed - _OLDEST), max(gone, stored - _OLDEST)
        if job.opcode == Opcode.IMAGE or job.opcode == Opcode.LOAD:
            bank, first, end = a.output_bank, a.output_first, a.output_end
            waited = max(written[bank], _last(uses, heads[_READ + bank], waited, first, end))
            gone = _last(uses, heads[_SENT + bank], gone, first, end)
            if a.map >= 0:
                gone = _last(uses, heads[memory], gone, a.group_first, a.group_end, a.row_first,
                             a.row_end)  # fmt: skip
        if a.mask_fetched:
            waited = _last(uses, heads[_MASKS], waited, a.mask_first, a.mask_end)
        if a.parameter_fetched:
            waited = _last(uses, heads[_PARAMETERS], waited, a.parameter_first, a.parameter_end)
        held = max(held, gone)  # what is executed was fetched before
        if executes:
            held = max(held, sending[a.source_bank])
            if a.residual_bank >= 0:
                held = max(held, sending[a.residual_bank])
            if a.output_bank >= 0:
                held = _last(uses, heads[_SENT + a.output_bank], held, a.output_first,
                             a.output_end)  # fmt: skip
        elif job.opcode == Opcode.END:
            held = stored
        job.wait_executed = waited % _MODULO
        job.wait_stored = gone % _MODULO
        job.hold_stored = held % _MODULO

        at = n * _EACH
        if executes:
            executed += 1
            _add(uses, heads, _READ + a.source_bank, at, executed, a.source_first, a.source_end)
            if a.residual_bank >= 0:
                _add(uses, heads, _READ + a.residual_bank, at + 1, executed, a.residual_first,
                     a.residual_end)  # fmt: skip
            if a.output_bank >= 0:
                written[a.output_bank] = executed
            if a.mask_end:
                _add(uses, heads, _MASKS, at + 2, executed, a.mask_first, a.mask_end)
            if a.parameter_end:
                _add(uses, heads, _PARAMETERS, at + 3, executed, a.parameter_first,
                     a.parameter_end)  # fmt: skip
        elif job.opcode == Opcode.STORE:
            stored += 1
            sending[a.source_bank] = stored
            _add(uses, heads, _SENT + a.source_bank, at, stored, a.source_first, a.source_end)
            _add(uses, heads, memory, at + 1, stored, a.group_first, a.group_end, a.row_first,
                 a.row_end)  # fmt: skip


@compiled
def _add(uses, heads, thing, at, number, first, end, low=0, high=1):
    """Make uses[at] the last use of a thing."""
    use = uses[at]
    use.number, use.first, use.end, use.low, use.high = number, first, end, low, high
    use.before = heads[thing]
    heads[thing] = at


@compiled
def _last(uses, head, least, first, end, low=0, high=1):
    """The largest number, at least `least`, of a use that overlaps, from uses[head] backwards."""
    while head >= 0:
        use = uses[head]
        if use.number <= least:
            break
        if use.first < end and first < use.end and use.low < high and low < use.high:
            return use.number
        head = use.before
    return least
