"""The mask and parameter buffers of the functional simulator; both keep what they hold."""

from functools import lru_cache

import numpy as np

from .. import codec, sequence
from ..config import Config
from ..modes import Mode
from ..program import PARAMETER_BYTES, Program, Signs
from ..shape import mode

PARAMETERS = np.dtype([("multiplier", "<i2"), ("residual", "<i2"), ("bias", "<i4")])


def pattern(mode: Mode, pattern_state: int, cout: int, fan_in: int) -> np.ndarray | None:
    """Numbers of the frozen pattern from a descriptor's state on; None if nothing is frozen."""
    if not mode.frozen:
        return None
    # `sequence.pattern` starts at a seed state: once around the sequence to get there
    state = sequence.decimate(pattern_state, sequence.BITS - sequence.PATTERN_LOG2)
    return sequence.pattern(sequence.jump(state, sequence.PATTERN - 1), 0, cout, fan_in)


class Buffers:
    """What CONVs fetch, and what they make of it."""

    def __init__(self, program: Program, config: Config):
        header = program.header
        self.config = config
        self.image = np.frombuffer(program.image, np.uint8)
        self.masks = np.zeros((header["mask_words"], config.bus_bytes), np.uint8)
        self.parameters = np.zeros(header["parameter_channels"] * PARAMETER_BYTES, np.uint8)

    def fetch(self, f: dict[str, int]):
        """Carry out a CONV's fetches."""
        bus = self.config.bus_bytes
        if f["fetch_mask"]:
            stream = self.image[f["mask_address"] :][: f["mask_beats"] * bus].tobytes()
            if not codec.is_plain(mode(f), f["code"]):
                stream = _decode(
                    stream, f["out_channels"], f["fan_in"], mode(f), f["pattern_state"],
                    f["code"], f["sign_code"], self.config,
                )  # fmt: skip
            planes = np.frombuffer(stream, np.uint8).reshape(mode(f).planes, -1, bus)
            for p, plane in enumerate(planes):
                base = f["mask_base"] + p * f["plane_beats"]
                self.masks[base : base + len(plane)] = plane
        if f["fetch_parameters"]:
            size = -(-f["out_channels"] * PARAMETER_BYTES // bus) * bus
            at = f["parameter_base"] * PARAMETER_BYTES
            records = self.image[f["parameter_address"] :][:size]
            self.parameters[at : at + len(records)] = records

    def planes(self, f: dict[str, int]) -> tuple[np.ndarray, np.ndarray | None]:
        """The weights in the mask buffer: coats uint8 and sign plane bool (cout, fan_in), as in
        a ticket; no sign plane where signs come from the sequence alone.
        """
        tiles, beats = f["out_tiles"], codec.tile_beats(f["fan_in"], self.config)
        bits = []
        for p in range(mode(f).planes):
            base = f["mask_base"] + p * f["plane_beats"]
            tile = self.masks[base : base + tiles * beats].reshape(tiles, -1)
            count = f["fan_in"] * self.config.columns
            rows = np.unpackbits(tile, axis=1, count=count, bitorder="little")
            rows = rows.reshape(tiles, f["fan_in"], -1).transpose(0, 2, 1)
            bits.append(rows.reshape(-1, f["fan_in"])[: f["out_channels"]])
        coats = sum(bits[1 : f["coats"]], start=bits[0])
        return coats, bits[-1].astype(bool) if f["signs"] != Signs.SEQUENCE else None

    def weights(self, f: dict[str, int]) -> np.ndarray:
        """int8 (cout, kernel_height, kernel_width, cin)."""
        weights, plane = self.planes(f)
        weights = weights.view(np.int8)
        if f["signs"] != Signs.EXPLICIT:
            weights = weights * _signs(f["sign_state"], *weights.shape)
        if plane is not None:
            weights = np.where(plane, -weights, weights)
        return weights.reshape(len(weights), f["kernel_height"], f["kernel_width"], -1)

    def channels(self, f: dict[str, int]) -> np.ndarray:
        """A CONV's parameters, (cout,) of PARAMETERS."""
        at = f["parameter_base"] * PARAMETER_BYTES
        size = f["out_channels"] * PARAMETER_BYTES
        return self.parameters[at : at + size].view(PARAMETERS)


@lru_cache(maxsize=64)
def _signs(state: int, cout: int, fan_in: int) -> np.ndarray:
    """Bands and iterations of a folded block ask for the same signs again."""
    return sequence.signs(state, 0, cout, fan_in)


@lru_cache(maxsize=64)
def _decode(stream: bytes, cout: int, fan_in: int, mode: Mode, pattern_state: int, code: int,
            sign_code: int, config: Config) -> bytes:  # fmt: skip
    """The planes of a coded stream as they lie in the mask buffer, one behind the other."""
    numbers = pattern(mode, pattern_state, cout, fan_in)
    coats, signs = codec.decode(stream, cout, fan_in, mode, numbers, code, sign_code, config)
    planes = [coats > coat for coat in range(mode.coats)]
    planes += [] if signs is None else [signs]
    return b"".join(codec.plane_bytes(plane, config) for plane in planes)
