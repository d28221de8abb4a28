"""What descriptors cannot say."""

import numpy as np

from ..program import FIELDS, Opcode
from ..sequence import MAX_PATTERN_FAN_IN
from .compiled import compiled
from .records import BATCH, FAN_IN, FIELD, FITS, JOB, Refusal

_WIDTHS = {op: {f.name: f.bits for f in fields} for op, fields in FIELDS.items()}
_MAX_BATCH = (1 << _WIDTHS[Opcode.BEGIN]["batch"]) - 1
_MAX_FAN_IN = (1 << _WIDTHS[Opcode.CONV]["fan_in"]) - 1

_LARGEST = np.array([[(1 << _WIDTHS.get(opcode, {}).get(name, 64)) - 1 for name in JOB.names]
                     for opcode in range(max(Opcode) + 1)], np.uint64).view(np.int64)  # fmt: skip
"""By opcode and column of JOB; all ones where anything is allowed."""


@compiled
def check(network, design):
    """Refusal of what no plan can mend: BATCH, or the first tensor's FAN_IN."""
    if not 1 <= design.batch <= _MAX_BATCH:
        return Refusal(BATCH, -1, design.batch, _MAX_BATCH, -1)
    for number in range(len(network.tensors)):
        tensor = network.tensors[number]
        limit = MAX_PATTERN_FAN_IN if tensor.pruned + tensor.locked else _MAX_FAN_IN
        if tensor.fan_in > limit:
            for n in range(len(network.steps)):
                if network.steps[n].tensor == number:
                    return Refusal(FAN_IN, n, tensor.fan_in, limit, -1)
    return Refusal(FITS, -1, 0, 0, -1)


@compiled
def check_fields(jobs):
    """Refusal of the first value that its FIELD cannot hold."""
    columns = len(_LARGEST[0])
    values = jobs.view(np.int64).reshape((len(jobs), columns))
    for n in range(len(jobs)):
        largest, excess = _LARGEST[jobs[n].opcode], 0
        for column in range(columns):
            excess |= values[n, column] & ~largest[column]  # of a negative value too
        if excess:
            for column in range(columns):
                if values[n, column] & ~largest[column]:
                    return Refusal(FIELD, jobs[n].step, values[n, column], largest[column], column)
    return Refusal(FITS, -1, 0, 0, -1)
