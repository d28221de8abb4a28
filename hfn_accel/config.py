"""The one configuration object: everything that has a width or a depth derives from it."""

import re
import tomllib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from .errors import HfnError


def log2(value: int) -> int:
    """Exact logarithm of a power of two."""
    return value.bit_length() - 1


@dataclass(frozen=True, kw_only=True)
class Config:
    """Shape of one accelerator.

    rows, columns: lanes R (input channels) and columns C (output channels) of the array; powers
        of two from 1 to 64, since activation words split into whole groups of lanes.
    axi_data_width: bits of the memory bus, 64 or 128.
    accumulator_bits: width of partial sums; the compiler proves that they never overflow.
    requantisers: channels requantised a clock (U); a power of two, at most `columns` are used.
    activation_bytes: size of each of the three activation banks.
    psum_depth: output pixels of one strip, a partial sum a column each.
    mask_bytes: size of the mask buffer, which holds the masks of a layer or of a folded block.
    parameter_channels: output channels whose normalisation parameters fit (8 bytes each).
    result_words: logits that fit (4 bytes each).
    integrity: 1: the core checks the CRC-32 of all that it fetches of a program; 0: it does not.

    Raises HfnError, naming field, value and limit, for a shape that the RTL does not support.
    """

    rows: int = 16
    columns: int = 16
    axi_data_width: int = 64
    accumulator_bits: int = 24
    requantisers: int = 4
    activation_bytes: int = 65536
    psum_depth: int = 256
    mask_bytes: int = 65536
    parameter_channels: int = 512
    result_words: int = 128
    integrity: int = 1

    def __post_init__(self):
        def power_of_two(name, low, high, why):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high or value & (value - 1):
                raise HfnError(
                    f"{name} must be a power of two from {low} to {high}, not {value!r}: {why}"
                )

        split = "activation words split into whole groups of lanes"
        power_of_two("rows", 1, 64, split)
        power_of_two("columns", 1, 64, split)
        power_of_two("axi_data_width", 64, 128, "the bus carries 8 or 16 bytes a beat")
        power_of_two("requantisers", 1, 64, "columns are requantised in equal groups")
        power_of_two("activation_bytes", 256, 1 << 22, "a bank is addressed by whole bits")
        power_of_two("psum_depth", 16, 1 << 16, "a strip is addressed by whole bits")
        power_of_two("mask_bytes", 256, 1 << 22, "the buffer is addressed by whole bits")
        power_of_two("parameter_channels", 64, 1 << 13, "the buffer is addressed by whole bits")
        power_of_two("result_words", 64, 1 << 13, "the buffer is addressed by whole bits")
        if type(self.integrity) is not int or self.integrity not in (0, 1):
            raise HfnError(f"integrity must be 0 or 1, not {self.integrity!r}")
        if self.bank_words > 1 << 24:
            raise HfnError(
                f"activation_bytes must be at most {(self.group << 24) // 8} for an array of "
                f"{self.name}, not {self.activation_bytes}: descriptors count 2^24 words"
            )
        if type(self.accumulator_bits) is not int or not 12 <= self.accumulator_bits <= 32:
            raise HfnError(
                f"accumulator_bits must be from 12 to 32, not {self.accumulator_bits!r}: "
                "logits are 32-bit words"
            )

    @classmethod
    def parse(cls, pe: str | None = None, file: str | None = None) -> "Config":
        """From `--pe RxC` and `--config F.toml` (the fields above by name); `--pe` wins."""
        values = {}
        if file is not None:
            try:
                values = tomllib.loads(Path(file).read_text())
            except OSError as error:
                raise HfnError(f"cannot read {file}: {error.strerror}") from None
            except (ValueError, RecursionError) as error:
                raise HfnError(f"{file} is not TOML: {error}") from None
            unknown = sorted(set(values) - {f.name for f in fields(cls)})
            if unknown:
                raise HfnError(f"{file}: unknown configuration field {unknown[0]!r}")
        if pe is not None:
            match = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", pe)
            if not match:
                raise HfnError(f"--pe must be RxC such as 16x16, not {pe!r}")
            values |= {"rows": int(match[1]), "columns": int(match[2])}
        return cls(**values)

    def replace(self, **changes) -> "Config":
        return replace(self, **changes)

    def to_dict(self) -> dict:
        return asdict(self)

    @property
    def name(self) -> str:
        return f"{self.rows}x{self.columns}"

    @property
    def group(self) -> int:
        """Channels of one activation word: max(R, C). A word is one bit-plane of one pixel."""
        return max(self.rows, self.columns)

    @property
    def units(self) -> int:
        """Requantisers that exist: U, at most C."""
        return min(self.requantisers, self.columns)

    @property
    def bus_bytes(self) -> int:
        return self.axi_data_width // 8

    @property
    def burst_bytes(self) -> int:
        """Bursts never cross a multiple of this: 256 beats, and at most 4 KiB."""
        return min(4096, 256 * self.bus_bytes)

    @property
    def bank_words(self) -> int:
        """Words of `group` bits in one activation bank."""
        return self.activation_bytes * 8 // self.group

    @property
    def mask_words(self) -> int:
        """Mask buffer depth in bus beats."""
        return self.mask_bytes // self.bus_bytes
