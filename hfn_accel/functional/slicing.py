"""Per-layer start: some descriptors of a program as a program of its own.

A failure late in a long run can then be looked at without the run: the functional simulator
computes what the descriptors find (`functional.state_before`), and the slice loads it from the
workspace. Both simulators run a slice as they run any program.
"""

from copy import deepcopy

import numpy as np

from .. import codec
from ..config import Config
from ..errors import HfnError
from ..program import BANKS, DESCRIPTOR_BYTES, PARAMETER_BYTES, Opcode, Program, encode, seal
from ..shape import mode, plane_beats
from .buffers import pattern
from .machine import Machine

_ALIGNMENT = 64  # of what is placed in the image and the workspace


def slice_program(program: Program, config: Config, first: int, last: int, state: Machine,
                  run: int = 0) -> tuple[Program, np.ndarray]:  # fmt: skip
    """Descriptors `first` to `last` (included) of a program, and its workspace, uint8 (bytes,).

    `state`: the machine before `first` (`functional.state_before`), of whose runs `run` is taken.
    Three LOADs fill the banks. A CONV fetches what was fetched before `first`, and then waits for
    all CONVs before it. Inputs and outputs are the program's. Raises HfnError if the descriptors
    are not within the program, or begin with sums that a pooled CONV left.
    """
    descriptors = program.descriptors
    if not 1 <= first <= last < len(descriptors) - 1:
        raise HfnError(f"a slice must be within descriptors 1 to {len(descriptors) - 2}, "
                       f"not {first} to {last}")  # fmt: skip
    if state.sums is not None:
        raise HfnError(f"descriptor {first} finds a pooled sum that is not complete: begin earlier")
    workspace, loads = _bank_loads(state, run, config)
    image = _Image(1 + len(loads) + last - first + 2)
    tokens, held = _Tokens(descriptors[:first]), _Held(program, config, state)
    made = [encode(Opcode.LOAD, **f) for f in loads]
    for opcode, f in descriptors[first : last + 1]:
        f = f | tokens.rebased(f)
        if opcode == Opcode.CONV:
            fetches = held.place(f, image)
            if any(value > f[name] for name, value in fetches.items() if "fetch" in name):
                fetches["wait_executed"] = tokens.executed
            f |= fetches
        tokens.count(opcode)
        made.append(encode(opcode, **_values(f)))
    made.append(encode(Opcode.END))
    body = b"".join(made) + bytes(image.data)
    begin = encode(Opcode.BEGIN, **_values(program.header | {
        "workspace_bytes": len(workspace), "descriptors": len(made) + 1,
        "image_bytes": DESCRIPTOR_BYTES + len(body),
    }))  # fmt: skip
    before, part = 1 + len(loads), slice(first, last + 1)
    notes = program.notes and ("",) * before + program.notes[part] + ("",)
    origins = program.origins and (None,) * before + program.origins[part] + (None,)
    return Program(seal(begin + body), notes, origins), workspace


def _values(fields: dict[str, int]) -> dict[str, int]:
    return {name: value for name, value in fields.items() if name != "opcode"}


def _bank_loads(state: Machine, run: int, config: Config) -> tuple[np.ndarray, list[dict]]:
    """The workspace with the banks' contents behind it, and LOADs of them."""
    workspace = state.workspace[run]
    parts, loads = [_padded(workspace)], []
    for bank in range(BANKS):
        bits = np.packbits(state.banks.bits[bank, run], bitorder="little")
        loads.append({"bank": bank, "address": sum(map(len, parts)), "groups": 1,
                      "beats": len(bits) // config.bus_bytes})  # fmt: skip
        parts.append(_padded(bits))
    return np.concatenate(parts), loads


def _padded(data: np.ndarray) -> np.ndarray:
    return np.concatenate([data, np.zeros(-len(data) % _ALIGNMENT, np.uint8)])


class _Image:
    """Regions behind the descriptors."""

    def __init__(self, descriptors: int):
        self.first = descriptors * DESCRIPTOR_BYTES
        self.data = bytearray(-self.first % _ALIGNMENT)

    def add(self, data: bytes) -> int:
        """Place data; its address."""
        address = self.first + len(self.data)
        self.data += data + bytes(-len(data) % _ALIGNMENT)
        return address


class _Tokens:
    """Counts of what came before a descriptor: skipped, and within the slice."""

    def __init__(self, skipped: list[tuple[Opcode, dict[str, int]]]):
        self.executed = self.stored = 0
        for opcode, _ in skipped:
            self.count(opcode)
        self.skipped_executed, self.skipped_stored = self.executed, self.stored
        self.executed = self.stored = 0

    def count(self, opcode: Opcode):
        """A descriptor came."""
        self.executed += opcode in (Opcode.CONV, Opcode.POOL)
        self.stored += opcode == Opcode.STORE

    def rebased(self, f: dict[str, int]) -> dict[str, int]:
        """The next descriptor's tokens: as many of the last before it need not be complete."""
        new = {}
        for name, skipped, count in (
            ("wait_executed", self.skipped_executed, self.executed),
            ("wait_stored", self.skipped_stored, self.stored),
            ("hold_stored", self.skipped_stored, self.stored),
        ):
            incomplete = (skipped + count - f[name]) % (1 << 16)
            new[name] = max(0, count - incomplete)
        return new


class _Held:
    """What of the mask and parameter buffers was fetched within the slice."""

    def __init__(self, program: Program, config: Config, state: Machine):
        self.image, self.config = program.image, config
        self.buffers = deepcopy(state.buffers)
        self.masks = np.zeros(program.header["mask_words"], bool)
        self.parameters = np.zeros(program.header["parameter_channels"], bool)
        self.copied: dict[tuple[int, int], int] = {}

    def place(self, f: dict[str, int], image: _Image) -> dict[str, int]:
        """Fields of a CONV's fetches in the slice; what they need is added to the image."""
        self.buffers.fetch(f)
        return self._mask(f, image) | ({} if f["raw"] else self._parameters(f, image))

    def _mask(self, f, image) -> dict[str, int]:
        beats, bus = plane_beats(f, self.config), self.config.bus_bytes
        starts = [f["mask_base"] + p * f["plane_beats"] for p in range(mode(f).planes)]
        known = all(self.masks[s : s + beats].all() for s in starts)
        for s in starts:
            self.masks[s : s + beats] = True
        if f["fetch_mask"]:
            place = f["mask_address"], f["mask_beats"] * bus
            return {"fetch_mask": 1, "mask_address": self._copy(image, *place)}
        if known:
            return {"fetch_mask": 0}
        coats, plane = self.buffers.planes(f)
        numbers = pattern(mode(f), f["pattern_state"], *coats.shape)
        stream = codec.encode(coats, plane, mode(f), numbers, 0, 0, self.config)
        return {"fetch_mask": 1, "code": 0, "sign_code": 0, "mask_beats": len(stream) // bus,
                "mask_address": image.add(stream)}  # fmt: skip

    def _parameters(self, f, image) -> dict[str, int]:
        base, count = f["parameter_base"], f["out_channels"]
        known = self.parameters[base : base + count].all()
        self.parameters[base : base + count] = True
        if f["fetch_parameters"]:
            place = f["parameter_address"], count * PARAMETER_BYTES
            return {"fetch_parameters": 1, "parameter_address": self._copy(image, *place)}
        if known:
            return {"fetch_parameters": 0}
        records = self.buffers.channels(f).tobytes()
        return {"fetch_parameters": 1, "parameter_address": image.add(records)}

    def _copy(self, image: _Image, address: int, size: int) -> int:
        """Where a region of the program's image lies in the slice's."""
        key = address, size
        if key not in self.copied:
            self.copied[key] = image.add(self.image[address : address + size])
        return self.copied[key]
