"""The campaigns: what is done to which runs, and how they must end."""

from collections.abc import Callable
from dataclasses import dataclass

from hfn_accel.program import DESCRIPTOR_BYTES, PARAMETER_BYTES, Opcode, offsets
from hfn_accel.registers import ErrorCode

from . import mutate
from .batch import CHANNELS, FOREVER, Fault
from .case import ANY, Case
from .image import get, put
from .target import BROAD, CODED, PLAIN, UNCHECKED, Target

WELL = frozenset([None])
STALL = 3000  # clocks
PATIENCE = 400  # clocks of the watchdog where it must bite
READS = {1: ErrorCode.READ_PROTOCOL, 2: ErrorCode.READ_SLVERR, 3: ErrorCode.READ_DECERR}
WRITES = {1: ErrorCode.WRITE_SLVERR, 2: ErrorCode.WRITE_SLVERR, 3: ErrorCode.WRITE_DECERR}


@dataclass(frozen=True)
class Probe:
    """A run of a target without a fault: its transfers by channel, and its clocks."""

    transfers: dict[str, int]
    clocks: int


@dataclass(frozen=True)
class Campaign:
    """`draw(rng, i, target, probe)` is case i; `count(probe)` of them are all there are.

    sampled: of the targets but the first, only so many, drawn at random.
    """

    name: str
    draw: Callable
    count: Callable[[Probe], int]
    targets: tuple[Target, ...] = (PLAIN,)
    sampled: int = 200


def _read_error(rng, i, target, probe):
    at, response = divmod(i, 3)
    response += 1
    return Case(f"R {at} answers {response}", frozenset([READS[response]]),
                faults=(Fault("R", at, response=response),))  # fmt: skip


def _last(rng, i, target, probe):
    at, kind = divmod(i, 3)
    kind = ("wrong", "cut", "longer")[kind]
    return Case(f"R {at} last {kind}", frozenset([ErrorCode.READ_PROTOCOL]),
                faults=(Fault("R", at, last=kind),))  # fmt: skip


def _write_error(rng, i, target, probe):
    at, response = divmod(i, 3)
    response += 1
    return Case(f"B {at} answers {response}", frozenset([WRITES[response]]),
                faults=(Fault("B", at, response=response),))  # fmt: skip


def _transfer(i, probe) -> tuple[str, int]:
    """The i-th of all transfers: channel and index."""
    for channel in CHANNELS:
        if i < probe.transfers[channel]:
            return channel, i
        i -= probe.transfers[channel]
    raise IndexError(i)


def _transfers(probe) -> int:
    return sum(probe.transfers.values())


def _stall(rng, i, target, probe):
    channel, at = _transfer(i, probe)
    return Case(f"{channel} {at} waits {STALL}", WELL, right=True,
                faults=(Fault(channel, at, STALL),))  # fmt: skip


def _silence(rng, i, target, probe):
    channel, at = _transfer(i, probe)
    return Case(f"{channel} {at} never comes", frozenset([ErrorCode.TIMEOUT]),
                registers=(("WATCHDOG", PATIENCE),),
                faults=(Fault(channel, at, FOREVER),))  # fmt: skip


def _reset(rng, i, target, probe):
    clock, kind = divmod(i, 2)
    kind = ("reset", "hard")[kind]
    return Case(f"{kind} at clock {clock}", ANY, stop=(kind, clock))


def _mixed(rng, i, target, probe):
    """Random latencies and stalls, some faults at once, and now and then a reset among them."""
    faults = []
    for _ in range(int(rng.integers(1, 4))):
        channel, at = _transfer(int(rng.integers(_transfers(probe))), probe)
        fault = {"clocks": int(rng.choice([0, 1, 50, STALL]))}
        if channel in "RB" and rng.random() < 0.7:
            fault["response"] = int(rng.integers(1, 4))
        if channel == "R" and rng.random() < 0.3:
            fault["last"] = str(rng.choice(["wrong", "cut", "longer"]))
        faults.append(Fault(channel, at, **fault))
    codes = {None, *READS.values(), *WRITES.values()}
    stop = None
    if rng.random() < 0.2:
        stop = str(rng.choice(["reset", "hard"])), int(rng.integers(3 * probe.clocks))
    return Case(f"{faults}", frozenset(codes), right=True, faults=tuple(faults), stop=stop,
                seed=int(rng.integers(1 << 32)), latency=int(rng.integers(1, 60)))  # fmt: skip


def _convs(target, fetch: str) -> list[tuple[int, bytes]]:
    """Index and bytes of the CONVs that fetch."""
    return [(i, d) for i, d in enumerate(target.descriptors)
            if d[0] == Opcode.CONV and get(d, Opcode.CONV, fetch)]  # fmt: skip


def _flip(name: str, code: ErrorCode, rng, target, address: int, size: int) -> Case:
    """A bit of so many bytes from an address on."""
    bit = int(rng.integers(8 * size))
    at = address + bit // 8
    value = bytes([target.layout.memory[at] ^ 1 << bit % 8])
    expected = frozenset([code]) if target.config.integrity else ANY
    return Case(f"{name}: bit {bit}", expected, patches=((at, value),))


def _mask_bit(rng, i, target, probe):
    convs = _convs(target, "fetch_mask")
    index, conv = convs[i % len(convs)]
    size = get(conv, Opcode.CONV, "mask_beats") * target.config.bus_bytes
    return _flip(f"masks of {index}", ErrorCode.MASK_CRC, rng, target,
                 get(conv, Opcode.CONV, "mask_address"), size)  # fmt: skip


def _parameter_bit(rng, i, target, probe):
    convs = _convs(target, "fetch_parameters")
    index, conv = convs[i % len(convs)]
    size = get(conv, Opcode.CONV, "out_channels") * PARAMETER_BYTES
    return _flip(f"parameters of {index}", ErrorCode.PARAMETER_CRC, rng, target,
                 get(conv, Opcode.CONV, "parameter_address"), size)  # fmt: skip


def _descriptor_bit(rng, i, target, probe):
    index = i % len(target.descriptors)
    case = _flip(f"descriptor {index}", ErrorCode.DESCRIPTOR_CRC, rng, target,
                 index * DESCRIPTOR_BYTES, DESCRIPTOR_BYTES)  # fmt: skip
    bit = 8 * (case.patches[0][0] % DESCRIPTOR_BYTES)
    table = offsets(Opcode.END)
    for name, code in (("version", ErrorCode.BAD_VERSION), ("magic", ErrorCode.BAD_MAGIC)):
        first, bits = table[name]
        if first <= bit < first + bits:
            return Case(case.name, frozenset([code]), patches=case.patches)
    return case


def _mask_length(rng, i, target, probe):
    """A stream some beats longer or shorter than it must be, its CRC right."""
    convs = _convs(target, "fetch_mask")
    index, conv = convs[i % len(convs)]
    beats = get(conv, Opcode.CONV, "mask_beats")
    now = int(rng.choice([n for n in range(max(1, beats - 8), beats + 5) if n != beats]))
    parts = target.descriptors
    parts[index] = put(conv, Opcode.CONV, mask_beats=now)
    return Case(f"mask of {index}: {now} beats, not {beats}", frozenset([ErrorCode.MASK_LENGTH]),
                image=target.image(parts))  # fmt: skip


def _region(rng, i, target, probe):
    """Sizes and addresses at random: nothing may be written behind a size."""
    fields = target.program.header
    (output, _), (workspace, _) = target.regions
    sizes = {"OUTPUT": fields["output_bytes"], "WORKSPACE": target.used_workspace}
    name = ("OUTPUT", "WORKSPACE")[i % 2]
    size = int(rng.choice([0, 1, sizes[name] - 1, sizes[name], sizes[name] + 1,
                           int(rng.integers(2 * sizes[name])), 0xFFFFFFFF]))  # fmt: skip
    registers, expected = [(f"{name}_SIZE", size)], WELL
    if size < sizes[name]:
        expected = frozenset([ErrorCode.WRITE_REGION])
    if rng.random() < 0.2:  # at the end of the addresses: a region never goes round
        registers.append((f"{name}_ADDR", 0x1_0000_0000 - 64 * int(rng.integers(1, 20))))
        expected = frozenset(
            [ErrorCode.WRITE_REGION, ErrorCode.WRITE_DECERR, ErrorCode.READ_DECERR]
        )
    return Case(f"{registers}", expected, registers=tuple(registers), right=len(registers) == 1)


def _program(rng, i, target, probe):
    image, name = mutate.program(rng, target)
    return Case(name, ANY, image=image, registers=(("WATCHDOG", 5000),),
                limit=12 * probe.clocks)  # fmt: skip


def _number(value: int) -> Callable[[Probe], int]:
    return lambda probe: value


ALL, BITS = (PLAIN, CODED, BROAD), (PLAIN, CODED, BROAD, UNCHECKED)
CAMPAIGNS = (
    Campaign("read-error", _read_error, lambda p: 3 * p.transfers["R"], ALL),
    Campaign("last", _last, lambda p: 3 * p.transfers["R"], ALL),
    Campaign("write-error", _write_error, lambda p: 3 * p.transfers["B"], ALL),
    Campaign("stall", _stall, _transfers, ALL, 100),
    Campaign("silence", _silence, _transfers, ALL, 100),
    Campaign("reset", _reset, lambda p: 2 * p.clocks, ALL),
    Campaign("mixed", _mixed, _number(1000), ALL),
    Campaign("descriptor-bit", _descriptor_bit, _number(1000), BITS),
    Campaign("mask-bit", _mask_bit, _number(1000), BITS),
    Campaign("parameter-bit", _parameter_bit, _number(500), BITS),
    Campaign("mask-length", _mask_length, _number(300), ALL, 100),
    Campaign("region", _region, _number(300), ALL, 100),
    Campaign("program", _program, _number(10_000), BITS, 1000),
)  # fmt: skip
