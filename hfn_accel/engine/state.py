"""What outlives a step: who has which bank, what the buffers hold, and what is in the workspace."""

from typing import NamedTuple

import numpy as np

from ..images import BATCH_ALIGNMENT, PIXEL_BYTES
from ..program import BANKS
from .compiled import compiled
from .places import OPERAND, REGION, RING, open_ring, settle, take
from .records import Design, Network, dtype
from .regions import aligned, parameter_unit
from .tiling import tile_words

SOURCE, RESIDUAL, OUTPUT = range(3)
"""Operands of a step."""

BUFFER, PASSING, PARAMETERS = range(3)
"""Rings: the mask buffer, the part of it through which masks of a run pass, the parameters'."""

_BANK = dtype("map", "used")
"""The map that lives there (-1: none), and when the bank was used last: numbers that only grow."""

_KEPT = dtype("run", "base", "tiles")
"""Of a tensor: the run in which its masks stay, from which beat on behind the first that stay in
it, and how many tiles are there by now."""

_HERE = dtype("jobs", "workspace", "clock", "passing", "kept_base", "mask_base", "parameter_base")
"""Descriptors and bytes of workspace so far; the last `used` of a bank; the ring of masks that
pass; where what stays of a run's masks begins, and where masks and parameters lie that rounds of a
step share."""


class State(NamedTuple):
    """Arguments of `emit`, and tables: here, of one row; rings; banks; kept by tensor; regions by
    map; operands, of the step. last: by map, the step that reads it last, or that leaves it."""

    network: Network
    maps: np.ndarray
    placed: np.ndarray
    design: Design
    here: np.ndarray
    rings: np.ndarray
    banks: np.ndarray
    kept: np.ndarray
    regions: np.ndarray
    operands: np.ndarray
    last: np.ndarray


@compiled
def start(network, maps, placed, design):
    """Before the first step: banks and buffers are empty, and what comes from outside is in the
    workspace."""
    steps = network.steps
    s = State(
        network, maps, placed, design, np.zeros(1, _HERE), np.zeros(3, RING),
        np.zeros(BANKS, _BANK), np.zeros(len(network.tensors), _KEPT), np.zeros(len(maps), REGION),
        np.zeros(3, OPERAND), np.full(len(maps), -1),
    )  # fmt: skip
    open_ring(s.rings[BUFFER], 0, design.mask_words, 1)
    open_ring(s.rings[PARAMETERS], 0, design.parameter_channels, parameter_unit(design))
    s.kept.run[:] = -1
    s.here[0].clock = BANKS
    for bank in range(BANKS):
        s.banks[bank].map, s.banks[bank].used = -1, bank
    for at in range(len(steps)):
        for number in (steps[at].source, steps[at].residual):
            if number >= 0:
                if s.last[number] < 0 and maps[number].outside:
                    _settle(s, number)
                s.last[number] = max(s.last[number], at)
        left = steps[at].output
        if left >= 0:
            s.last[left] = len(steps) if maps[left].outside else at
    return s


@compiled
def _settle(s, number):
    """Give a map its place in the workspace."""
    end = settle(s.regions, number, s.design.batch * s.maps[number].size * s.design.bus_bytes)
    s.here[0].workspace = max(s.here[0].workspace, end)


@compiled
def begin(s, at):
    """Before a step: give its operands places; and if it begins a run, what stays of the masks."""
    step, p = s.network.steps[at], s.placed[at]
    if at == 0 or s.network.steps[at - 1].run != step.run:
        _keep(s, at)
    if p.spilled_output:
        _settle(s, step.output)
    before = s.here[0].clock  # banks that are used later are this step's
    for role in range(3):
        operand = s.operands[role]
        operand.map = (step.source, step.residual, step.output)[role]
        operand.slots = (
            p.spilled_source * p.source_slots,
            p.spilled_residual * p.other_slots,
            p.spilled_output * p.other_slots,
        )[role]
        if operand.map >= 0:
            _place(s, operand, before)


@compiled
def _place(s, operand, before):
    """Give an operand a bank: its home, or of those that are free the longest unused."""
    m, design, here = s.maps[operand.map], s.design, s.here[0]
    chosen = -1
    for bank in range(BANKS):
        b = s.banks[bank]
        if b.map == operand.map:
            chosen = bank
            break
        if b.map < 0 and b.used <= before and (chosen < 0 or b.used < s.banks[chosen].used):
            chosen = bank
    assert chosen >= 0  # no step has more than three maps alive
    here.clock += 1
    s.banks[chosen].used = here.clock
    operand.bank = chosen
    if not operand.slots:
        s.banks[chosen].map = operand.map
        return
    operand.size, operand.turn = design.bank_words // operand.slots, 0
    operand.held[:] = -1
    operand.address = s.regions[operand.map].address
    operand.image_bytes = m.size * design.bus_bytes
    if m.image:
        operand.image_bytes = aligned(m.height * m.image_width * PIXEL_BYTES, BATCH_ALIGNMENT)


@compiled
def _keep(s, at):
    """Give a place to what stays of the masks of the run that begins with a step."""
    steps, here, buffer = s.network.steps, s.here[0], s.rings[BUFFER]
    run, area, stays = steps[at].run, s.placed[at].area, 0
    while at < len(steps) and steps[at].run == run:
        resident, tensor = s.placed[at].resident, steps[at].tensor
        if resident and s.kept[tensor].run != run:
            kept = s.kept[tensor]
            kept.run, kept.base, kept.tiles = run, stays, 0
            stays += resident * tile_words(s.network, s.design, tensor)
        at += 1
    here.passing = BUFFER
    if stays:
        here.kept_base = take(buffer, stays + area)
        open_ring(s.rings[PASSING], here.kept_base + stays, here.kept_base + stays + area, 1)
        here.passing = PASSING


@compiled
def end(s, at):
    """After a step: maps that nobody reads any more lose their places."""
    for bank in range(BANKS):
        b = s.banks[bank]
        if b.map >= 0 and s.last[b.map] <= at:
            b.map = -1
    for number in range(len(s.regions)):
        if s.last[number] <= at:
            s.regions[number].end = 0
