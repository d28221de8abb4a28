"""Bench of `MaskDecoder` against `hfn_accel.codec`: whole layers, damaged and short streams."""

import cocotb
import numpy as np

from hfn_accel import codec, program, sequence
from hfn_accel.config import Config
from hfn_accel.engine.durations import decode_cycles, plain_cycles
from hfn_accel.errors import HfnError
from hfn_accel.huffman import TABLES
from hfn_accel.modes import Mode
from hfn_accel.program import Opcode, Signs
from hfn_accel.units import UNIT, unit_bits
from sim.benches.clocked import Clocked
from sim.runner import parameters

PARAMETERS = parameters()
CONFIG = Config(**PARAMETERS["config"])
COLUMNS, BUS = CONFIG.columns, CONFIG.axi_data_width
SIZE = unit_bits(CONFIG)
MASK_BEATS = program.offsets(Opcode.CONV)["mask_beats"][0]
BEAT_UNITS = BUS // SIZE
MODES = [
    *[Mode(coats=coats, signs=signs) for coats in (1, 2, 7) for signs in Signs],
    Mode(pruned=5),
    Mode(locked=4, signs=Signs.EXCEPTIONS),
    Mode(pruned=8, locked=7),  # most units have no bits
    Mode(pruned=3, locked=9, signs=Signs.EXPLICIT),
]


class Layer:
    """A random tensor, its stream, and where its planes belong."""

    def __init__(self, rng, mode=None, longest=False, whole=False):
        self.rng = rng
        while True:
            self._draw(mode, longest, whole or longest)
            if self.base + self.mode.planes * self.plane_beats <= CONFIG.mask_words:
                break
        numpy = np.random.default_rng(rng.getrandbits(32))
        shape, mode = (self.cout, self.fan_in), self.mode
        seed, tensor = rng.getrandbits(64) | 1, rng.randrange(1 << 20)
        pattern = sequence.pattern(seed, tensor, *shape) if mode.frozen else None
        density = 1 if longest else rng.choice((0.02, 0.1, 0.3, 0.5, 0.9))
        mask = (numpy.random(shape) < density).astype(np.uint8)
        for coat in range(1, mode.coats):
            mask += (mask == coat) & (numpy.random(shape) < 0.5)
        if mode.frozen:
            mask[pattern < mode.frozen] = 1
            mask[pattern < mode.pruned] = 0
        signs = None
        if mode.signs != Signs.SEQUENCE:
            signs = (numpy.random(shape) < rng.choice((0.05, 0.5))) & (mask > 0)
        coded = (mask, signs, mode, pattern, self.code, self.sign_code, CONFIG)
        self.pattern, self.stream = pattern, codec.encode(*coded)
        self.bits = int(codec.tile_bits(*coded).sum())
        planes = [mask > coat for coat in range(mode.coats)] + [signs] * (signs is not None)
        self.planes = [codec.plane_bytes(plane, CONFIG) for plane in planes]
        self.conv = int.from_bytes(program.encode(
            Opcode.CONV, coats=mode.coats, signs=mode.signs, pruned=mode.pruned,
            locked=mode.locked, code=self.code, sign_code=self.sign_code, fan_in=self.fan_in,
            out_tiles=self.tiles, out_channels=self.cout, mask_base=self.base,
            plane_beats=self.plane_beats,
            pattern_state=sequence.pattern_state(seed, tensor) if mode.frozen else 0,
        ), "little")  # fmt: skip

    def _draw(self, mode, longest, whole):
        rng = self.rng
        self.mode = mode = Mode() if longest else mode or rng.choice(MODES)
        codes = [*[0] * len(TABLES), *TABLES] if SIZE == UNIT else [0]  # one in two is raw
        self.code = 0 if mode.frozen else 1 if longest else rng.choice(codes)
        self.sign_code = rng.choice(codes) if mode.signs != Signs.SEQUENCE else 0
        self.plain = codec.is_plain(mode, self.code)
        self.cout, self.fan_in = rng.randint(1, 3 * COLUMNS), rng.randint(1, 512 // COLUMNS + 4)
        if whole:  # output tiles
            self.cout = -(-self.cout // COLUMNS) * COLUMNS
        self.tiles = -(-self.cout // COLUMNS)
        self.plane_beats = self.tiles * codec.tile_beats(self.fan_in, CONFIG)
        self.base = rng.randrange(CONFIG.mask_words)
        self.units = self.tiles * self.fan_in * COLUMNS // SIZE

    def decode(self, stream: bytes) -> list[np.ndarray] | None:
        """The planes of another stream; None if it has not the length that it needs."""
        try:
            mask, signs = codec.decode(stream, self.cout, self.fan_in, self.mode, self.pattern,
                                       self.code, self.sign_code, CONFIG)  # fmt: skip
        except HfnError:
            return None
        planes = [mask > coat for coat in range(self.mode.coats)]
        return planes + [signs] * (signs is not None)

    def cycles(self, latency: int) -> int:
        if self.plain:
            return plain_cycles(len(self.stream) // CONFIG.bus_bytes, latency)
        return decode_cycles(self.units, self.mode.planes, latency)

    def places(self) -> list[int]:
        """Unit addresses in the order of the stream."""
        tile_units = self.fan_in * COLUMNS // SIZE
        tile_places = self.plane_beats // self.tiles * BEAT_UNITS
        return [
            (self.base + p * self.plane_beats) * BEAT_UNITS + tile * tile_places + unit
            for tile in range(self.tiles) for unit in range(tile_units)
            for p in range(self.mode.planes)
        ]  # fmt: skip

    def expected(self) -> dict[int, int]:
        """Every unit of the planes by its address."""
        result = {}
        for p, plane in enumerate(self.planes):
            word = int.from_bytes(plane, "little")
            begin = (self.base + p * self.plane_beats) * BEAT_UNITS
            for i in range(self.plane_beats * BEAT_UNITS):
                result[begin + i] = word >> (i * SIZE) & ((1 << SIZE) - 1)
        return result


class Decoder(Clocked):
    """The block between a stream and a mask buffer that keeps what is written."""

    def __init__(self, dut):
        super().__init__(dut, PARAMETERS["seed"], pulses=["start", "abort", "i_valid"],
                         data=["conv", "i_data", "i_last"])  # fmt: skip

    async def run(self, layer, stream=None, latency=1, gap=0.0, abort_at=None):
        """(writes as (unit address, wide, data), clocks from start to the first with busy low,
        whether the whole stream was taken). Unless aborted, `wrong` is what the codec says."""
        stream = layer.stream if stream is None else stream
        beats = [int.from_bytes(stream[i : i + CONFIG.bus_bytes], "little")
                 for i in range(0, len(stream), CONFIG.bus_bytes)]  # fmt: skip
        writes, taken, valid = [], 0, False
        conv = layer.conv | len(beats) << MASK_BEATS
        wrong = abort_at is None and layer.decode(stream) is None
        await self.clock(start=1, conv=conv)
        assert not self.get("busy") and not self.get("w_en")
        limit = latency + 20 + 30 * (layer.units * layer.mode.planes + len(beats))
        for elapsed in range(1, limit):
            inputs = {"conv": conv}
            if taken < len(beats) and elapsed > latency:
                valid = valid or self.rng.random() >= gap
                inputs |= {"i_valid": valid, "i_data": beats[taken],
                           "i_last": taken == len(beats) - 1}  # fmt: skip
            await self.clock(**inputs, abort=elapsed == abort_at)
            if self.get("w_en"):
                assert self.get("busy")
                writes.append(tuple(self.get(name) for name in ("w_addr", "w_wide", "w_data")))
            if not self.get("busy"):
                break
            if valid and self.get("i_ready"):
                taken, valid = taken + 1, False
        else:
            raise AssertionError(f"busy for {limit} clocks")
        for _ in range(3):
            await self.clock(i_valid=1)
            assert not self.get("busy") and not self.get("w_en")
            assert abort_at is not None or self.get("wrong") == wrong
        return writes, elapsed, taken == len(beats)

    def check(self, layer, writes, complete=True):
        """What is written is right, in order, and all of it unless `complete` is False."""
        expected = layer.expected()
        if layer.plain:
            places = [(layer.base + i) * BEAT_UNITS for i in range(layer.plane_beats)]
        else:
            places = layer.places()
        if complete:
            assert len(writes) == len(places)
        for (address, wide, data), place in zip(writes, places, strict=False):
            assert (address, wide) == (place, layer.plain)
            unit = [data >> i & ((1 << SIZE) - 1) for i in range(0, BUS, SIZE)]
            for i, value in enumerate(unit if wide else unit[:1]):
                assert value == expected[address + i], f"unit {address + i}: {layer.mode}"


async def start(dut):
    decoder = Decoder(dut)
    await decoder.start()
    return decoder


@cocotb.test()
async def random_gaps(dut):
    """A stream with pauses."""
    decoder = await start(dut)
    for _ in range(PARAMETERS["layers"]):
        layer = Layer(decoder.rng)
        writes, _, taken = await decoder.run(layer, gap=decoder.rng.choice((0.3, 0.9)))
        decoder.check(layer, writes)
        assert taken


@cocotb.test()
async def full_throughput(dut):
    """A beat whenever it is ready: the closed form, clock for clock."""
    decoder = await start(dut)
    for mode in MODES:
        layer = Layer(decoder.rng, mode)
        latency = decoder.rng.choice((1, 2, 3, 17, 512))
        writes, clocks, taken = await decoder.run(layer, latency=latency)
        decoder.check(layer, writes)
        assert taken and clocks == layer.cycles(latency), (layer.mode, layer.code)


@cocotb.test()
async def longest_codes(dut):
    """Codes of 15 bits, one a clock."""
    decoder = await start(dut)
    for _ in range(PARAMETERS["layers"] if SIZE == UNIT else 0):
        layer = Layer(decoder.rng, longest=True)
        writes, clocks, _ = await decoder.run(layer)
        decoder.check(layer, writes)
        assert layer.bits == 15 * layer.units and clocks == layer.cycles(1)


@cocotb.test()
async def damaged(dut):
    """Flipped bits: another tensor, or a wrong length; the walk is the same, and ends."""
    decoder = await start(dut)
    for _ in range(2 * PARAMETERS["layers"]):
        layer = Layer(decoder.rng, whole=True)
        stream = bytearray(layer.stream)
        for _ in range(decoder.rng.randint(1, 3)):
            stream[decoder.rng.randrange(len(stream))] ^= 1 << decoder.rng.randrange(8)
        writes, _, taken = await decoder.run(layer, bytes(stream), gap=0.2)
        wide = {(layer.base + i) * BEAT_UNITS for i in range(layer.plane_beats)}
        places = sorted(wide) if layer.plain else layer.places()
        assert taken and [w[0] for w in writes] == places[: len(writes)]
        planes = layer.decode(bytes(stream))
        if planes is not None and not layer.plain:
            layer.planes = [codec.plane_bytes(plane, CONFIG) for plane in planes]
            decoder.check(layer, writes)


@cocotb.test()
async def short_and_long(dut):
    """A stream of any other number of beats is wrong, and taken to its end."""
    decoder = await start(dut)
    for _ in range(PARAMETERS["layers"]):
        layer = Layer(decoder.rng)
        beats = len(layer.stream) // CONFIG.bus_bytes
        more = decoder.rng.randbytes(CONFIG.bus_bytes * decoder.rng.randint(1, 3))
        writes, _, taken = await decoder.run(layer, layer.stream + more, gap=0.2)
        decoder.check(layer, writes[: layer.plane_beats] if layer.plain else writes)
        assert taken and layer.decode(layer.stream + more) is None
        for some in {1, beats // 2, beats - 1} & set(range(1, beats)):
            part = layer.stream[: some * CONFIG.bus_bytes]
            writes, _, taken = await decoder.run(layer, part, gap=decoder.rng.choice((0, 0.2)))
            decoder.check(layer, writes[: some * BUS // 15], complete=False)
            assert taken and layer.decode(part) is None
            assert len(writes) >= (some if layer.plain else 1)


@cocotb.test()
async def aborted(dut):
    """Abort in any clock is the end, and leaves nothing for the next layer."""
    decoder = await start(dut)
    for _ in range(PARAMETERS["layers"]):
        layer = Layer(decoder.rng)
        at = decoder.rng.randint(1, layer.cycles(0))
        _, clocks, _ = await decoder.run(layer, abort_at=at)
        assert clocks == at + 1
        layer = Layer(decoder.rng)
        writes, _, _ = await decoder.run(layer)
        decoder.check(layer, writes)
