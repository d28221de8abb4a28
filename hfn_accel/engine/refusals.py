"""Why a step cannot be cut, however little of the masks stays, and how much would be enough."""

from .bands import least_words, spilled
from .compiled import compiled
from .maps import always_spilled, words
from .records import ACTIVATIONS, MASKS, Refusal
from .tiling import groups_of


@compiled
def refusal(network, maps, design, index, need):
    """The Refusal of a step, whose row of NEED is given; figure and limit are bytes."""
    step, have = network.steps[index], design.bank_words
    groups = maps[step.output].groups if step.output >= 0 else 0
    if not step.pooled:
        fine, whole = need.tile_words * need.fine, need.tile_words * need.whole
        if fine > design.mask_words:
            enough, limit = fine * design.bus_bytes, design.mask_words * design.bus_bytes
            return Refusal(MASKS, index, enough, limit, -1)
        if whole <= design.mask_words:
            groups = min(groups, groups_of(design, 0, need.whole)[1])
    enough = _enough(step, maps, design.batch, groups, have)
    for number in (step.source, step.residual, step.output):
        if number >= 0 and not always_spilled(maps[number]):
            bank = words(maps[number], design.batch)
            enough = min(enough, _enough(step, maps, design.batch, groups, bank))
    bytes_, limit = -(-enough * design.group // 8), have * design.group // 8
    return Refusal(ACTIVATIONS, index, bytes_, limit, -1)


@compiled
def _enough(step, maps, batch, groups, bank):
    """Words of a bank, at least `bank`, in which a band fits if what exceeds `bank` is spilled."""
    return max(bank, least_words(step, maps, spilled(step, maps, batch, bank), groups))
