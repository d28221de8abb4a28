"""From a ticket and a configuration to a program image.

`engine` says what lies and happens where. Here the descriptors get their LFSR states, the image
gets its masks and parameters, and it is proved that no accumulator overflows.
"""

import numpy as np

from . import sequence
from .arithmetic import signed_bits
from .config import Config
from .engine.plan import Plan, plan
from .errors import exceeded
from .program import DESCRIPTOR_BYTES, Opcode, Program, encode, pack_parameters, seal
from .streams import TicketStreams
from .ticket import Ticket


def compile(ticket: Ticket, config: Config, *, batch: int = 1, coded: bool = True) -> Program:
    """The ticket's program for one configuration; a run classifies `batch` images.

    `coded`: mask streams take the code of the fewest bits; else all are raw.
    Raises HfnError, naming layer, figure and limit, for a network that the configuration's
    buffers or the descriptors' fields cannot hold, or whose accumulators could overflow.
    """
    arch, streams = ticket.arch, TicketStreams(ticket, config, coded)
    bits = check_accumulators(ticket, config)
    p = plan(arch, [norm.bits for norm in ticket.norms], config, streams=streams, batch=batch,
             bipolar=[norm.bipolar for norm in ticket.norms])  # fmt: skip
    begin, *items = p.items
    body = bytearray(begin.fields["image_bytes"] - DESCRIPTOR_BYTES)
    for index, item in enumerate(items):
        values = dict(item.fields)
        if item.opcode == Opcode.CONV:
            values |= _states(ticket, item.origin)
        at = index * DESCRIPTOR_BYTES
        body[at : at + DESCRIPTOR_BYTES] = encode(item.opcode, **values)
    for address, data in _regions(ticket, streams, p):
        at = address - DESCRIPTOR_BYTES
        body[at : at + len(data)] = data
    header = encode(Opcode.BEGIN, **begin.fields, accumulator_bits=max(bits))
    return Program(seal(header + bytes(body)), tuple(item.note for item in p.items),
                   tuple(item.origin for item in p.items))  # fmt: skip


def check_accumulators(ticket: Ticket, config: Config) -> list[int]:
    """`accumulator_bits`; HfnError, naming layer, figure and limit, if a sum could overflow."""
    bits, limit = accumulator_bits(ticket), config.accumulator_bits
    for conv, need in zip(ticket.arch.layers, bits, strict=True):
        if need > limit:
            raise exceeded(conv.name, "bits of accumulator", need, limit, "accumulator_bits")
    return bits


def accumulator_bits(ticket: Ticket) -> list[int]:
    """Bits that every executed layer's accumulators need, whatever the image."""
    extremes = [_extremes(ticket.weights(t)) for t in range(len(ticket.masks))]
    bits = []
    for conv in ticket.arch.layers:
        negative, positive, all_ = extremes[conv.tensor]
        if ticket.bipolar_of(conv.source):
            negative = positive = all_
        largest = (1 << ticket.bits_of(conv.source)) - 1
        if conv.classifier:
            largest *= conv.out_size**2
        bits.append(signed_bits(-negative * largest, positive * largest))
    return bits


def _extremes(weights: np.ndarray) -> tuple[int, int, int]:
    """The largest sum, over an output channel, of negative, of positive and of all magnitudes."""
    negative = -np.minimum(weights, 0).sum(1, dtype=np.int64)
    positive = np.maximum(weights, 0).sum(1, dtype=np.int64)
    return int(negative.max()), int(positive.max()), int((negative + positive).max())


def _states(ticket: Ticket, origin) -> dict[str, int]:
    """LFSR states at a CONV's first weight, and its shift."""
    conv = ticket.arch.layers[origin.layer]
    at = ticket.state, conv.tensor, origin.channel
    values = {"sign_state": sequence.tensor_state(*at)}
    if ticket.modes[conv.tensor].frozen:
        values["pattern_state"] = sequence.pattern_state(*at)
    if not conv.classifier:
        values["shift"] = ticket.norms[conv.norm].shift
    return values


def _regions(ticket: Ticket, streams: TicketStreams, p: Plan):
    """(address in the image, bytes) of every mask stream and of every layer's parameters."""
    for chunk, address in p.masks.items():
        yield address, streams.encode(*chunk)
    for layer, address in p.parameters.items():
        norm = ticket.norms[layer]
        yield address, pack_parameters(norm.multiplier, norm.residual, norm.bias)
