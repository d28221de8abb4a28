"""Steps that are decided alike, so that one of them is decided for all.

They take and leave maps that are alike, and have the same masks: of the same run (steps that share
masks) those of one tensor, of runs of one step those of tensors that are alike.
"""

import numpy as np

from .compiled import compiled


@compiled
def firsts(network, maps):
    """Of every step the first that is decided like it, itself if there is none."""
    steps, tensors = network.steps, network.tensors
    first, run = np.arange(len(steps)), np.empty(len(steps), np.int64)
    for i in range(len(steps)):
        alone = _alone(steps, i)
        run[i] = -1 if alone else steps[i].run
        for n in range(i):
            if (
                first[n] == n
                and run[n] == run[i]
                and _same_shape(maps, steps[i], steps[n])
                and _same_masks(tensors, alone, steps[i].tensor, steps[n].tensor)
            ):
                first[i] = n
                break
    return first


@compiled
def distinct(first):
    """Of some steps' `firsts` each once, in order."""
    found, count = np.empty(len(first), np.int64), 0
    for i in first:
        if count == 0 or i > found[count - 1]:
            found[count] = i
            count += 1
    return found[:count]


@compiled
def _alone(steps, i):
    """Whether a step has a run of its own."""
    before = i > 0 and steps[i - 1].run == steps[i].run
    behind = i + 1 < len(steps) and steps[i + 1].run == steps[i].run
    return not (before or behind)


@compiled
def _same_masks(tensors, alone, a, b):
    """Of two tensors by number, -1 for none."""
    return a == b or (alone and a >= 0 and b >= 0 and tensors[a].alike == tensors[b].alike)


@compiled
def _same_shape(maps, a, b):
    """Whether two steps are alike in all but their masks."""
    return (
        a.pooled == b.pooled
        and a.classifier == b.classifier
        and a.kernel == b.kernel
        and a.stride == b.stride
        and a.pad == b.pad
        and a.rows == b.rows
        and a.cout == b.cout
        and _same_map(maps, a.source, b.source)
        and _same_map(maps, a.residual, b.residual)
        and _same_map(maps, a.output, b.output)
    )


@compiled
def _same_map(maps, a, b):
    """Of two numbers, -1 for none."""
    return a == b or (a >= 0 and b >= 0 and maps[a].alike == maps[b].alike)
