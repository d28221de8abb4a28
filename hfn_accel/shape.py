"""What a CONV or POOL descriptor says, in the network's terms, and which words it touches."""

from dataclasses import dataclass

import numpy as np

from . import codec
from .config import Config
from .modes import Mode
from .program import Opcode, Program, Signs

_WORDS = 1 << 24  # `src_base` is modulo this
_ROWS = 1 << 16  # `y_first` is two's complement of this


@dataclass(frozen=True, kw_only=True)
class LayerShape:
    """Shape of one executed CONV, in channels, pixels and weights.

    `cin`, `cout` channels; `in_*` pixels of the map that is read; `out_*` pixels that are computed,
    of a pooled layer those that it sums over. `close`: a pooled layer's sums leave. `rows`,
    `columns`: the array's.
    """

    cin: int
    cout: int
    kernel_height: int
    kernel_width: int
    in_height: int
    in_width: int
    out_height: int
    out_width: int
    in_bits: int
    coats: int
    pool: bool
    close: bool
    rows: int
    columns: int

    @classmethod
    def of(cls, header: dict[str, int], conv: dict[str, int]) -> "LayerShape":
        """From the decoded fields of BEGIN and of a CONV."""
        rows = 1 << header["log2_rows"]
        same = ("kernel_height", "kernel_width", "in_height", "in_width", "out_width", "in_bits",
                "coats")  # fmt: skip
        return cls(
            cin=(conv["in_tiles"] - 1) * rows + conv["last_rows"],
            cout=conv["out_channels"],
            out_height=(conv["strips"] - 1) * conv["strip_rows"] + conv["last_strip_rows"],
            pool=bool(conv["pool"]),
            close=bool(conv["close"]),
            rows=rows,
            columns=1 << header["log2_columns"],
            **{name: conv[name] for name in same},
        )

    @property
    def fan_in(self) -> int:
        return self.kernel_height * self.kernel_width * self.cin

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
        """Useful multiply-accumulates: a weight counts once a pixel, however many coats it has.

        A pooled layer counts as run on the pooled map, so only where its sums leave.
        """
        if self.pool:
            return self.fan_in * self.cout * self.close
        return self.fan_in * self.cout * self.pixels

    @property
    def planes(self) -> int:
        """Bit-planes that enter the array, a clock each; every coat is a pass of its own."""
        tiles = self.out_tiles * self.kernel_height * self.kernel_width * self.in_tiles
        return tiles * self.pixels * self.in_bits * self.coats


@dataclass(frozen=True, kw_only=True)
class Window:
    """What a CONV or POOL reads of its source.

    `y_first`, `x_first`: map row and column of the first output pixel's first tap, negative in the
    padding; pixels outside `in_height` x `in_width` are zero. `base`: word of that tap's first
    plane, modulo 2^24. `bits` planes a pixel, `row_stride` words a map row.
    """

    y_first: int
    x_first: int
    in_height: int
    in_width: int
    kernel_height: int
    kernel_width: int
    stride: int
    stride_x: int
    out_height: int
    out_width: int
    bits: int
    row_stride: int
    base: int

    @classmethod
    def of(cls, opcode: Opcode, f: dict[str, int]) -> "Window":
        """From the decoded fields of a CONV or POOL."""
        if opcode == Opcode.CONV:
            own = {
                "kernel_height": f["kernel_height"], "kernel_width": f["kernel_width"],
                "stride_x": f["stride_x"], "bits": f["in_bits"],
                "out_height": (f["strips"] - 1) * f["strip_rows"] + f["last_strip_rows"],
            }  # fmt: skip
        else:
            own = {
                "kernel_height": f["kernel"], "kernel_width": f["kernel"],
                "stride_x": f["stride"], "bits": f["bits"], "out_height": f["out_height"],
            }  # fmt: skip
        y_first = f["y_first"] - (_ROWS if f["y_first"] >= _ROWS // 2 else 0)
        same = ("in_height", "in_width", "stride", "out_width", "row_stride")
        return cls(y_first=y_first, x_first=-f["pad_x"], base=f["src_base"], **own,
                   **{name: f[name] for name in same})  # fmt: skip

    @property
    def height(self) -> int:
        """Rows from the first tap of the first output row to the last tap of the last."""
        return (self.out_height - 1) * self.stride + self.kernel_height

    @property
    def width(self) -> int:
        return (self.out_width - 1) * self.stride_x + self.kernel_width

    @property
    def rows(self) -> range:
        """Map rows that are read."""
        return range(max(0, self.y_first), min(self.in_height, self.y_first + self.height))

    @property
    def columns(self) -> range:
        return range(max(0, self.x_first), min(self.in_width, self.x_first + self.width))

    @property
    def padding(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Zero pixels before and behind the rows and the columns that are read."""
        top, left = max(0, -self.y_first), max(0, -self.x_first)
        return ((top, self.height - top - len(self.rows)),
                (left, self.width - left - len(self.columns)))  # fmt: skip

    @property
    def first_word(self) -> int:
        """The lowest word that is read; at least one pixel must be."""
        down, right = self.rows[0] - self.y_first, self.columns[0] - self.x_first
        return (self.base + down * self.row_stride + right * self.bits) % _WORDS

    @property
    def size(self) -> int:
        """Words from the first to the last that is read of a group."""
        return (len(self.rows) - 1) * self.row_stride + len(self.columns) * self.bits

    def words(self) -> np.ndarray:
        """int64 (rows, columns, bits): the words of group 0 that are read."""
        pixels = np.arange(len(self.columns) * self.bits).reshape(-1, self.bits)
        rows = np.arange(len(self.rows))[:, None, None] * self.row_stride
        return self.first_word + rows + pixels


def tile_addresses(base: int, group_stride: int, first_part: int, tiles: int, pixels: int,
                   bits: int, parts: int) -> np.ndarray:  # fmt: skip
    """int64 (tiles, pixels, bits): where column tiles of a map lie in a bank, in units of C lanes.

    `base`: word of the first pixel's first plane in the first group; the first tile is part
    `first_part` of it, of `parts` = G / C. Pixels follow each other without a gap.
    """
    group, part = np.divmod(first_part + np.arange(tiles), parts)
    words = np.arange(pixels * bits).reshape(pixels, bits)
    return (base + group[:, None, None] * group_stride + words) * parts + part[:, None, None]


def output_addresses(opcode: Opcode, f: dict[str, int], config: Config) -> np.ndarray:
    """int64 (tiles, pixels, planes): what a CONV or POOL writes, in units of C lanes."""
    window = Window.of(opcode, f)
    conv = opcode == Opcode.CONV
    return tile_addresses(
        f["dst_base"], f["out_group_stride"], f["first_part"] if conv else 0,
        f["out_tiles"] if conv else f["granules"], window.out_height * window.out_width,
        f["out_bits"] if conv else f["bits"], config.group // config.columns,
    )  # fmt: skip


def output_channels(program: Program) -> dict[int, int]:
    """Channels that every CONV that writes a bank and every POOL writes, by descriptor index.

    A POOL copies whole column tiles; what it has beyond the channels of its layer's CONVs is
    nothing. Of a program without `origins` a POOL counts with all its lanes.
    """
    descriptors, columns = program.descriptors, 1 << program.header["log2_columns"]
    origins = program.origins or (None,) * len(descriptors)
    layer_channels, result = {}, {}
    for index, ((opcode, f), origin) in enumerate(zip(descriptors, origins, strict=True)):
        if opcode == Opcode.CONV and not f["raw"]:
            result[index] = f["out_channels"]
            if origin:
                end = origin.channel + f["out_channels"]
                layer_channels[origin.layer] = max(end, layer_channels.get(origin.layer, 0))
        elif opcode == Opcode.POOL:
            result[index] = f["granules"] * columns
    for index, origin in enumerate(origins):
        if origin and origin.pooled and origin.layer in layer_channels:
            known = layer_channels[origin.layer] - origin.channel
            result[index] = min(result[index], known)
    return result


def mode(f: dict[str, int]) -> Mode:
    """How a CONV's weights are said."""
    return Mode(coats=f["coats"], signs=Signs(f["signs"]), pruned=f["pruned"], locked=f["locked"])


def plane_beats(f: dict[str, int], config: Config) -> int:
    """Bus beats of the whole of a CONV's plane."""
    return f["out_tiles"] * codec.tile_beats(f["fan_in"], config)
