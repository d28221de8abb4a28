"""The mask stream: how a tensor's planes are written in memory (docs/architecture.md).

Masks are uint8 (cout, fan_in) of 0...coats, sign planes bool (cout, fan_in), patterns as of
`sequence.pattern`; a sign plane is given where `mode.signs` needs it, a pattern where `mode`
freezes. Channels beyond `cout` of the last output tile have no weights: 0 in every plane, and
nothing to decide where frozen. In hardware: `rtl/mask_decoder.py`. Why so: docs/codec.md.
"""

import numpy as np

from .config import Config
from .errors import HfnError
from .huffman import MAX_LENGTH, TABLES
from .modes import Mode
from .program import Signs
from .units import DEPOSIT, EXTRACT, ONES, UNIT, to_rows, to_units, unit_bits

_BLOCK = 1 << 20  # bit positions looked at in one go


def is_plain(mode: Mode, code: int) -> bool:
    """Whether the stream is the plane as it lies in the mask buffer."""
    return mode.planes == 1 and not mode.frozen and code == 0


def stream_beats(bits, config: Config):
    """Bus beats of a coded stream of `bits` bits, at least 1 (arrays too)."""
    return np.maximum(1, -(-bits // config.axi_data_width))


def tile_beats(fan_in, config: Config):
    """Bus beats of one output tile of a plane in the mask buffer (arrays too)."""
    return -(-fan_in * config.columns // config.axi_data_width)


def plane_bytes(rows: np.ndarray, config: Config) -> bytes:
    """The plane of bool (cout, fan_in) as it lies in the mask buffer.

    Output tile after output tile, each padded to whole bus beats; within a tile, a row of C bits
    for each k, least significant bit first. Channels beyond cout have 0. R has no influence:
    a tile's rows follow each other in address order.
    """
    columns, (cout, fan_in) = config.columns, rows.shape
    tiles = -(-cout // columns)
    padded = np.zeros((tiles * columns, fan_in), bool)
    padded[:cout] = rows
    bits = padded.reshape(tiles, columns, fan_in).transpose(0, 2, 1).reshape(tiles, -1)
    packed = np.packbits(bits, axis=1, bitorder="little")
    plane = np.zeros((tiles, tile_beats(fan_in, config) * config.bus_bytes), np.uint8)
    plane[:, : packed.shape[1]] = packed
    return plane.tobytes()


def choose(mask, sign_plane, mode: Mode, pattern, config: Config) -> tuple[int, int]:
    """(code, sign_code) of the fewest bits for a whole tensor; raw where no table has fewer."""
    code = sign_code = 0
    if unit_bits(config) == UNIT:
        first = to_units(mask > 0, config)
        if not mode.frozen:
            code = _best(first, UNIT * first.size)
        if mode.signs != Signs.SEQUENCE:
            sign_code = _best(to_units(sign_plane, config), ONES[first].sum(dtype=np.int64))
    return code, sign_code


def tile_bits(
    mask, sign_plane, mode: Mode, pattern, code: int, sign_code: int, config: Config
) -> np.ndarray:
    """Bits of each output tile, int64 (out_tiles,); of a plain stream, those of whole beats.

    The stream of some tiles has `stream_beats(sum of their bits)` beats.
    """
    _check(mode, code, sign_code, config)
    if is_plain(mode, code):
        bits = tile_beats(mask.shape[1], config) * config.axi_data_width
        return np.full(-(-len(mask) // config.columns), bits, np.int64)
    lengths, _ = _symbols(mask, sign_plane, mode, pattern, code, sign_code, config)
    return lengths.sum(axis=(1, 2, 3), dtype=np.int64)


def encode(
    mask, sign_plane, mode: Mode, pattern, code: int, sign_code: int, config: Config
) -> bytes:
    """The stream of these output channels, whole bus beats.

    Raises HfnError for a code that does not go with mode or configuration.
    """
    _check(mode, code, sign_code, config)
    if is_plain(mode, code):
        return plane_bytes(mask > 0, config)
    symbols = _symbols(mask, sign_plane, mode, pattern, code, sign_code, config)
    lengths, values = (array.ravel() for array in symbols)
    ends = np.cumsum(lengths, dtype=np.int64)
    starts = ends - lengths
    bits = np.zeros(stream_beats(ends[-1], config) * config.axi_data_width, np.uint8)
    for i in range(lengths.max()):
        longer = lengths > i
        bits[starts[longer] + i] = values[longer] >> i & 1
    return np.packbits(bits, bitorder="little").tobytes()


def decode(
    stream: bytes, cout: int, fan_in: int, mode: Mode, pattern, code: int, sign_code: int,
    config: Config,
) -> tuple[np.ndarray, np.ndarray | None]:  # fmt: skip
    """(mask, sign plane or None) of a stream.

    Raises HfnError if the stream has not the beats that it needs, or as `encode`.
    """
    _check(mode, code, sign_code, config)
    tiles, data = -(-cout // config.columns), np.frombuffer(stream, np.uint8)
    if is_plain(mode, code):
        _check_size(stream, tiles * tile_beats(fan_in, config), config)
        row_bits = fan_in * config.columns
        bits = np.unpackbits(data.reshape(tiles, -1), axis=1, count=row_bits, bitorder="little")
        rows = bits.reshape(tiles, fan_in, -1).transpose(0, 2, 1)
        return rows.reshape(-1, fan_in)[:cout].copy(), None
    shape = tiles, fan_in, config.columns // unit_bits(config)
    frozen = _frozen(pattern, mode, shape, config)
    searchable, locked = (units.ravel() for units in frozen)
    windows, tables = _windows(data), _tables(mode, code, sign_code)
    starts, end = _starts(windows, 8 * len(data), mode, tables, searchable, locked)
    _check_size(stream, stream_beats(end, config), config)
    planes, _ = _read(windows, starts, mode, tables, searchable, locked)
    planes = [to_rows(plane.reshape(shape), cout, config) for plane in planes]
    mask = sum(planes[1 : mode.coats], start=planes[0])
    return mask, planes[-1].astype(bool) if mode.signs != Signs.SEQUENCE else None


def _check(mode, code, sign_code, config):
    for name, value, allowed in (
        ("code", code, not mode.frozen),
        ("sign_code", sign_code, mode.signs != Signs.SEQUENCE),
    ):
        if not 0 <= value <= len(TABLES):
            raise HfnError(f"{name} must be from 0 to {len(TABLES)}, not {value!r}")
        if value and unit_bits(config) < UNIT:
            raise HfnError(f"{name} {value} needs {UNIT} columns, the array has {config.columns}")
        if value and not allowed:
            raise HfnError(f"{name} must be 0 in this mode, not {value}")


def _check_size(stream, beats, config):
    if len(stream) != beats * config.bus_bytes:
        raise HfnError(f"mask stream is {len(stream)} bytes, not {beats * config.bus_bytes}")


def _best(units, raw_bits):
    """The table of the fewest bits for these units; 0 if raw bits are as few."""
    histogram = np.bincount(units.ravel(), minlength=256)
    bits = {number: histogram @ table.codes[0] for number, table in TABLES.items()}
    best = min(bits, key=bits.get)
    return best if bits[best] < raw_bits else 0


def _tables(mode, code, sign_code):
    """The table of each plane."""
    return [code] + [0] * (mode.coats - 1) + [sign_code] * (mode.planes - mode.coats)


def _under(planes, mode, searchable):
    """Where the next plane has raw bits, given those before it."""
    if not planes:
        return searchable
    return planes[0] if len(planes) == mode.coats else planes[-1]


def _frozen(pattern, mode, shape, config):
    """Units of plane 0: (those to search, those locked); all to search if nothing is frozen."""
    if not mode.frozen:
        return np.full(shape, (1 << unit_bits(config)) - 1, np.uint8), np.zeros(shape, np.uint8)
    locked = (pattern >= mode.pruned) & (pattern < mode.frozen)
    return to_units(pattern >= mode.frozen, config), to_units(locked, config)


def _symbols(mask, sign_plane, mode, pattern, code, sign_code, config):
    """(lengths uint8, values uint16), (out_tiles, fan_in, C / unit, planes): in stream order."""
    rows = [mask > coat for coat in range(mode.coats)]
    rows += [sign_plane] * (mode.planes - mode.coats)
    planes, symbols = [], []
    for plane, table in zip(rows, _tables(mode, code, sign_code), strict=True):
        plane = to_units(plane, config)
        if table:
            symbols.append([array[plane] for array in TABLES[table].codes])
        else:
            searchable, _ = _frozen(pattern, mode, plane.shape, config)
            under = _under(planes, mode, searchable)
            symbols.append([ONES[under], EXTRACT[under, plane].astype(np.uint16)])
        planes.append(plane)
    lengths, values = zip(*symbols, strict=True)
    return np.stack(lengths, axis=-1), np.stack(values, axis=-1)


def _windows(data):
    """uint16: the MAX_LENGTH bits from each bit on, and zeros behind the end as far as a unit that
    begins in the stream can reach."""
    padded = np.concatenate([data, np.zeros(24, np.uint8)]).astype(np.uint32)
    words = padded[:-2] | padded[1:-1] << 8 | padded[2:] << 16
    windows = words[:, None] >> np.arange(8, dtype=np.uint32) & (1 << MAX_LENGTH) - 1
    return windows.astype(np.uint16).ravel()


def _read(windows, at, mode, tables, searchable, locked):
    """(planes of the units that begin at these bits, where they end)."""
    planes = []
    for table in tables:
        if table:
            lengths, plane = (array[windows[at]] for array in TABLES[table].lookup)
        else:
            under = _under(planes, mode, searchable)
            lengths, plane = ONES[under], DEPOSIT[under, windows[at] & 0xFF]
        planes.append(plane if planes else plane | locked)
        at = at + lengths
    return planes, at


def _starts(windows, bits, mode, tables, searchable, locked):
    """(the bit at which each unit begins, where the last ends) in a stream of `bits` bits.

    How far it is from a unit to the next depends on the bits there and on how many weights are
    searchable, not which; each locked one adds a bit to a raw sign plane. So the distances are
    looked up for all positions at once, and what is left is a chain of additions.
    """
    counts, none = ONES[searchable], np.uint8(0)
    more = ONES[locked] if mode.planes > 1 and not tables[-1] else np.zeros_like(counts)
    distances = [b""] * (UNIT + 1)
    for count in np.unique(counts).tolist():
        for begin in range(0, bits + 1, _BLOCK):
            at = np.arange(begin, min(begin + _BLOCK, bits + 1))
            under = np.full(len(at), (1 << count) - 1, np.uint8)
            ends = _read(windows, at, mode, tables, under, none)[1]
            distances[count] += (ends - at).astype(np.uint8).tobytes()
    starts, at = [], 0
    for count, extra in zip(counts.tobytes(), more.tobytes(), strict=True):
        if at > bits:
            break
        starts.append(at)
        at += distances[count][at] + extra
    if at > bits:
        raise HfnError("mask stream ends before its last unit")
    return np.array(starts), at
