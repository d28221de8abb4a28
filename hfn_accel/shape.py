"""What a CONV descriptor says, in the network's terms."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LayerShape:
    """Shape of one executed layer, in channels, pixels and weights.

    `cin`, `cout` channels; `in_*`, `out_*` pixels, where a pooled layer's `out_height` and
    `out_width` are those of the map that it sums over; `rows`, `columns`: the array's.
    """

    cin: int
    cout: int
    kernel: int
    in_height: int
    in_width: int
    out_height: int
    out_width: int
    in_bits: int
    pool: bool
    rows: int
    columns: int

    @classmethod
    def of(cls, header: dict[str, int], conv: dict[str, int]) -> "LayerShape":
        """From the decoded fields of BEGIN and of a CONV."""
        rows = 1 << header["log2_rows"]
        return cls(
            cin=(conv["in_tiles"] - 1) * rows + conv["last_rows"],
            cout=conv["out_channels"],
            kernel=conv["kernel"],
            in_height=conv["in_height"],
            in_width=conv["in_width"],
            out_height=(conv["strips"] - 1) * conv["strip_rows"] + conv["last_strip_rows"],
            out_width=conv["out_width"],
            in_bits=conv["in_bits"],
            pool=bool(conv["pool"]),
            rows=rows,
            columns=1 << header["log2_columns"],
        )

    @property
    def fan_in(self) -> int:
        return self.kernel * self.kernel * self.cin

    @property
    def in_tiles(self) -> int:
        return -(-self.cin // self.rows)

    @property
    def out_tiles(self) -> int:
        return -(-self.cout // self.columns)

    @property
    def pixels(self) -> int:
        """Output pixels; of a pooled layer, the pixels that it sums over."""
        return self.out_height * self.out_width

    @property
    def macs(self) -> int:
        """Useful multiply-accumulates; a pooled layer counts as run on the pooled map."""
        return self.fan_in * self.cout * (1 if self.pool else self.pixels)

    @property
    def planes(self) -> int:
        """Bit-planes that enter the array, a clock each."""
        tiles = self.out_tiles * self.kernel * self.kernel * self.in_tiles
        return tiles * self.pixels * self.in_bits
