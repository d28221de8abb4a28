"""The mask stream: against a reader straight from docs/architecture.md, and its sizes."""

import json
import sys
import zlib

import numpy as np
import pytest

from hfn_accel import bench, codec, sequence
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.huffman import MAX_LENGTH, ORDER, PERCENT, TABLES, code_lengths
from hfn_accel.modes import Mode
from hfn_accel.program import Signs
from hfn_accel.units import unit_bits

MODES = [
    Mode(),
    Mode(signs=Signs.EXCEPTIONS),
    Mode(coats=2),
    Mode(coats=7, signs=Signs.EXPLICIT),
    Mode(coats=3, signs=Signs.EXCEPTIONS),
    Mode(pruned=5),
    Mode(locked=15),
    Mode(pruned=3, locked=4, signs=Signs.EXPLICIT),
    Mode(pruned=8, locked=1, signs=Signs.EXCEPTIONS),
]


def tensor(mode, cout, fan_in, seed, density=0.3, exceptions=0.2):
    """(mask, sign plane, pattern) that go with a mode."""
    rng = np.random.default_rng(seed)
    mask = (rng.random((cout, fan_in)) < density).astype(np.uint8)
    for coat in range(1, mode.coats):
        mask += (mask == coat) & (rng.random(mask.shape) < 0.5)
    pattern = signs = None
    if mode.frozen:
        pattern = sequence.pattern(sequence.seed_state(seed), 3, cout, fan_in)
        mask[pattern < mode.frozen] = 1
        mask[pattern < mode.pruned] = 0
    if mode.signs != Signs.SEQUENCE:
        signs = (rng.random(mask.shape) < exceptions) & (mask > 0)
    return mask, signs, pattern


def specified(stream, cout, fan_in, mode, pattern, code, sign_code, config):
    """The planes, bool (planes, cout, fan_in), bit by bit as the specification says it."""
    bits = iter(np.unpackbits(np.frombuffer(stream, np.uint8), bitorder="little").tolist())
    unit, columns = unit_bits(config), config.columns
    planes = np.zeros((mode.planes, -(-cout // columns) * columns, fan_in), bool)

    def huffman(table):
        word = 0
        for length in range(1, MAX_LENGTH + 1):
            word = word << 1 | next(bits)
            first = table.limits[length - 1] >> (MAX_LENGTH - length)
            if word < first + table.counts[length]:
                byte = ORDER[sum(table.counts[:length]) + word - first]
                return [byte >> i & 1 for i in range(8)]
        raise AssertionError("no such code")

    for channel in range(0, len(planes[0]), columns):
        for k in range(fan_in):
            for first in range(channel, channel + columns, unit):
                for p in range(mode.planes):
                    is_sign = p == mode.coats
                    table = sign_code if is_sign else code if p == 0 else 0
                    if table:
                        planes[p, first : first + unit, k] = huffman(TABLES[table])
                        continue
                    for co in range(first, first + unit):
                        number = pattern[co, k] if mode.frozen and co < cout else 0
                        if p > 0:
                            read = planes[0 if is_sign else p - 1, co, k]
                        else:
                            read = not mode.frozen or number >= mode.pruned + mode.locked
                        if read:
                            planes[p, co, k] = next(bits)
                        elif p == 0:
                            planes[p, co, k] = co < cout and number >= mode.pruned
    assert not any(bits)
    assert not planes[:, cout:].any()
    return planes[:, :cout]


@pytest.mark.parametrize("columns, bus", [(1, 64), (4, 128), (8, 64), (16, 64), (64, 128)])
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_round_trip(mode, columns, bus):
    config = Config(columns=columns, axi_data_width=bus)
    rng = np.random.default_rng(columns)
    for seed in range(3):
        cout, fan_in = rng.integers(1, 3 * columns + 2), rng.integers(1, 40)
        mask, signs, pattern = tensor(mode, cout, fan_in, seed)
        coded = columns >= 8
        code = int(rng.integers(0, 16)) if coded and not mode.frozen else 0
        sign_code = int(rng.integers(0, 16)) if coded and signs is not None else 0
        given = mode, pattern, code, sign_code, config
        stream = codec.encode(mask, signs, *given)
        bits = codec.tile_bits(mask, signs, *given)
        assert len(bits) == -(-cout // columns)
        assert len(stream) == codec.stream_beats(bits.sum(), config) * config.bus_bytes
        read, read_signs = codec.decode(stream, cout, fan_in, *given)
        assert read.dtype == np.uint8 and np.array_equal(read, mask)
        if signs is None:
            assert read_signs is None
        else:
            assert read_signs.dtype == bool and np.array_equal(read_signs, signs)
        if codec.is_plain(mode, code):
            assert stream == codec.plane_bytes(mask > 0, config)
            continue
        planes = specified(stream, cout, fan_in, *given)
        assert np.array_equal(planes[: mode.coats].sum(axis=0), mask)
        if signs is not None:
            assert np.array_equal(planes[-1], signs)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_chunks(mode):
    """The stream of some output tiles has the beats that their bits say."""
    config = Config(columns=8)
    mask, signs, pattern = tensor(mode, 40, 30, 1)
    code, sign_code = codec.choose(mask, signs, mode, pattern, config)
    whole = codec.tile_bits(mask, signs, mode, pattern, code, sign_code, config)
    part = [None if rows is None else rows[16:32] for rows in (mask, signs, pattern)]
    stream = codec.encode(part[0], part[1], mode, part[2], code, sign_code, config)
    assert len(stream) == codec.stream_beats(whole[2:4].sum(), config) * 8


def test_plane_layout():
    """Two tiles of 16 channels, the second with 4; rows of 16 bits, four a beat."""
    config = Config()
    rows = np.zeros((20, 5), bool)
    rows[3, 0] = rows[0, 4] = rows[17, 1] = True
    words = np.frombuffer(codec.plane_bytes(rows, config), "<u8").tolist()
    assert words == [1 << 3, 1, 1 << 17, 0]


def test_stream_layout():
    """A unit's planes follow each other, least significant bit of a beat first."""
    config = Config(columns=8)
    mask = np.array([[1], [0], [2], [0], [0], [0], [0], [2]], np.uint8)
    signs = np.array([[1], [0], [0], [0], [0], [0], [0], [1]], bool)
    mode = Mode(coats=2, signs=Signs.EXPLICIT)
    stream = codec.encode(mask, signs, mode, None, 0, 0, config)
    assert int.from_bytes(stream, "little") == 0b10000101 | 0b110 << 8 | 0b101 << 11
    # Coded: no ones is the shortest code, 0; it is one bit for sparse planes.
    assert codec.encode(mask * 0, None, Mode(), None, 1, 0, config) == bytes(8)
    assert codec.tile_bits(mask * 0, None, Mode(), None, 1, 0, config).tolist() == [1]


def test_empty_stream_has_a_beat():
    """Nothing searchable among the channels: no bits, but a transfer."""
    mode, config = Mode(pruned=15), Config(columns=8)
    pattern = np.zeros((1, 1), np.uint8)
    mask = np.zeros((1, 1), np.uint8)
    stream = codec.encode(mask, None, mode, pattern, 0, 0, config)
    assert stream == bytes(8)
    assert codec.decode(stream, 1, 1, mode, pattern, 0, 0, config)[0].tolist() == [[0]]


@pytest.mark.parametrize("mode", MODES[1:], ids=str)
def test_damaged_sizes(mode):
    config = Config()
    mask, signs, pattern = tensor(mode, 20, 100, 5)
    given = mode, pattern, 0, 0, config
    stream = codec.encode(mask, signs, *given)
    for wrong in (stream[:-8], stream[:8], b"", stream + bytes(8)):
        with pytest.raises(HfnError, match="mask stream"):
            codec.decode(wrong, 20, 100, *given)
    with pytest.raises(HfnError, match="mask stream is 8 bytes, not 64"):
        codec.decode(bytes(8), 20, 16, Mode(), None, 0, 0, config)


@pytest.mark.parametrize("columns, mode, code, sign_code, message", [
    (16, Mode(), 16, 0, "code must be from 0 to 15, not 16"),
    (16, Mode(), -1, 0, "code must be from 0 to 15"),
    (4, Mode(), 3, 0, "code 3 needs 8 columns, the array has 4"),
    (16, Mode(pruned=1), 3, 0, "code must be 0 in this mode, not 3"),
    (16, Mode(), 0, 2, "sign_code must be 0 in this mode, not 2"),
])  # fmt: skip
def test_wrong_codes(columns, mode, code, sign_code, message):
    mask, config = np.zeros((8, 8), np.uint8), Config(columns=columns)
    for call in (codec.encode, codec.tile_bits):
        with pytest.raises(HfnError, match=message):
            call(mask, None, mode, mask, code, sign_code, config)
    with pytest.raises(HfnError, match=message):
        codec.decode(bytes(8), 8, 8, mode, mask, code, sign_code, config)


def test_choose():
    config = Config()
    for density, percent in ((0.05, 5), (0.1, 9), (0.3, 32)):
        mask, _, _ = tensor(Mode(), 64, 2000, 2, density)
        code, sign_code = codec.choose(mask, None, Mode(), None, config)
        assert abs(PERCENT[code - 1] - percent) <= 5 and sign_code == 0
    half, _, _ = tensor(Mode(), 64, 2000, 2, 0.5)
    assert codec.choose(half, None, Mode(), None, config) == (0, 0)
    mode = Mode(signs=Signs.EXCEPTIONS)
    for exceptions, coded in ((0.02, True), (0.5, False)):
        mask, signs, _ = tensor(mode, 64, 2000, 2, 0.3, exceptions)
        assert (codec.choose(mask, signs, mode, None, config)[1] > 0) == coded
    mode = Mode(pruned=4, signs=Signs.EXCEPTIONS)
    mask, signs, pattern = tensor(mode, 64, 2000, 2, 0.5, 0.02)
    code, sign_code = codec.choose(mask, signs, mode, pattern, config)
    assert code == 0 and sign_code > 0
    assert codec.choose(mask, signs, mode, pattern, Config(columns=4)) == (0, 0)


@pytest.mark.parametrize("mode", [Mode(), Mode(signs=Signs.EXCEPTIONS)], ids=str)
def test_choice_is_the_shortest(mode):
    config = Config()
    mask, signs, _ = tensor(mode, 64, 500, 3, 0.15, 0.05)
    sizes = {
        (code, sign_code): codec.tile_bits(mask, signs, mode, None, code, sign_code, config).sum()
        for code in range(16) for sign_code in (range(16) if mode.planes > 1 else [0])
    }  # fmt: skip
    assert sizes[codec.choose(mask, signs, mode, None, config)] == min(sizes.values())


def entropy(p):
    return -p * np.log2(p) - (1 - p) * np.log2(1 - p)


def test_loss_is_below_5_percent():
    """Expected bits of a weight, the best table or raw, at any density from 0.05 to 0.5."""
    ones = np.array([byte.bit_count() for byte in range(256)])
    for p in np.arange(0.05, 0.501, 0.0025):
        likely = p**ones * (1 - p) ** (8 - ones)
        best = min([1.0, *(likely @ table.codes[0] / 8 for table in TABLES.values())])
        assert 1 <= best / entropy(p) + 1e-9 < 1.05, f"density {p}"


@pytest.mark.parametrize("number", TABLES)
def test_tables(number):
    table = TABLES[number]
    lengths, codes = table.codes
    # complete and prefix-free: each of all the windows is one byte's, and each code begins them
    assert sum(count << (MAX_LENGTH - n) for n, count in enumerate(table.counts)) == 1 << MAX_LENGTH
    assert table.limits[MAX_LENGTH] == 1 << MAX_LENGTH
    assert np.all(np.diff(lengths[list(ORDER)].astype(int)) >= 0)
    for byte, (length, code) in enumerate(zip(lengths.tolist(), codes.tolist(), strict=True)):
        first_highest = int(f"{code:0{length}b}"[::-1], 2) << (MAX_LENGTH - length)
        for behind in (0, (1 << (MAX_LENGTH - length)) - 1):
            assert table.decode(first_highest | behind) == (length, byte)
    found, bytes_ = table.lookup
    for window in np.random.default_rng(number).integers(0, 1 << MAX_LENGTH, 200).tolist():
        assert table.decode(int(f"{window:015b}"[::-1], 2)) == (found[window], bytes_[window])


def test_tables_are_pinned():
    """Streams of another release must read the same."""
    assert TABLES[1].counts == (0, 1, 0, 0, 7, 1, 0, 0, 0, 0, 22, 6, 0, 0, 5, 214)
    assert len(TABLES) == 15
    codes = b"".join(array.astype("<u2").tobytes() for t in TABLES.values() for array in t.codes)
    assert zlib.crc32(codes) == 2313950168


def test_code_lengths():
    """Package-merge: free limits give Huffman's lengths, tight ones the best that fit."""
    assert code_lengths([8, 4, 2, 1, 1], 8) == [1, 2, 3, 4, 4]
    assert code_lengths([8, 4, 2, 1, 1], 3) == [1, 3, 3, 3, 3]
    assert code_lengths([5, 5, 5, 5], 2) == [2, 2, 2, 2]


def test_beats():
    config = Config()
    assert codec.stream_beats(np.array([0, 1, 64, 65]), config).tolist() == [1, 1, 1, 2]
    assert codec.tile_beats(np.array([4, 5]), config).tolist() == [1, 2]


def test_bench(tmp_path, monkeypatch, capsys):
    """What the comparison expects is what the codec takes for random masks."""
    monkeypatch.setattr(sys, "argv", ["bench", "codec", "--json", str(tmp_path / "c.json")])
    bench.main()
    result = json.loads((tmp_path / "c.json").read_text())
    config = Config()
    for density, bits in zip(result["densities"], result["codes"]["Huffman"]["bits"], strict=True):
        mask, _, _ = tensor(Mode(), 256, 2000, 4, density)
        code, _ = codec.choose(mask, None, Mode(), None, config)
        measured = codec.tile_bits(mask, None, Mode(), None, code, 0, config).sum() / mask.size
        assert abs(measured / bits - 1) < 0.01
    for code in result["codes"].values():
        assert all(b >= e for b, e in zip(code["bits"], result["entropy"], strict=True))
    assert "Huffman" in capsys.readouterr().out
