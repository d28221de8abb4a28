"""Bench of `TileFiller`: whole layers against `tile_rows` and `hfn_accel.sequence.signs`."""

from collections import deque

import cocotb

from hfn_accel import sequence
from hfn_accel.config import Config
from hfn_accel.program import Signs
from hfn_accel.timing import FILL_CYCLES, MASK_CYCLES
from rtl.tile_filler import LAYER, TileFiller, mask_address_bits, tile_rows
from sim.benches.clocked import Clocked
from sim.runner import parameters

PARAMETERS = parameters()
CONFIG = Config(**PARAMETERS["config"])
ROWS, COLUMNS = CONFIG.rows, CONFIG.columns


class Filler(Clocked):
    """The block between a mask buffer with random contents and a shadow tile."""

    def __init__(self, dut):
        super().__init__(dut, PARAMETERS["seed"], pulses=["setup", "go"],
                         data=[*LAYER, "mask_data"])  # fmt: skip
        self.masks = [self.rng.getrandbits(COLUMNS) for _ in range(1 << mask_address_bits(CONFIG))]
        self.shadow = [(self.rng.getrandbits(COLUMNS), 0)] * ROWS
        self.asked = deque(maxlen=MASK_CYCLES)  # mask rows that were addressed in the clocks before
        self.layer = {}

    async def clock(self, **inputs):
        if len(self.asked) == MASK_CYCLES:
            inputs.setdefault("mask_data", self.asked[0])
        await super().clock(**self.layer | inputs)
        if self.get("rst"):
            return
        self.asked.append(self.masks[self.get("mask_addr")])
        assert self.get("row_en") or not self.get("clear")
        # what this clock's outputs leave in the shadow tile at its end
        if self.get("clear"):
            self.shadow = [(0, sign) for _, sign in self.shadow]
        if self.get("row_en"):
            self.shadow[self.get("row_index")] = self.get("row_mask"), self.get("row_sign")

    async def setup(self, layer):
        """Choose a seed and a tensor; returns the tensor's sign bits (out channel, k)."""
        seed, tensor = self.rng.getrandbits(64) | 1, self.rng.randrange(1 << 20)
        state = sequence.jump(seed, sequence.address(tensor, 0, 0))
        taps = layer["kernel_height"] * layer["kernel_width"]
        fan_in = taps * ((layer["in_tiles"] - 1) * ROWS + layer["last_rows"])
        self.layer = layer
        await self.clock(setup=1, sign_state=state)
        return sequence.signs(seed, tensor, layer["out_tiles"] * COLUMNS, fan_in) < 0

    def draw(self):
        """A layer that fits the mask buffer."""
        rng = self.rng
        while True:
            kernel = rng.choice(((1, 1), (1, 1), (2, 1), (1, 3), (3, 3)))
            layer = {"kernel_height": kernel[0], "kernel_width": kernel[1],
                     "in_tiles": rng.randint(1, 3), "last_rows": rng.randint(1, ROWS),
                     "coats": rng.choice((1, 1, 2, 3)), "signs": rng.choice(list(Signs)),
                     "strips": rng.randint(1, 3), "out_tiles": rng.randint(1, 3),
                     "mask_base": rng.randrange(16), "plane_beats": 0}  # fmt: skip
            used = max(a for t in tile_rows(CONFIG, layer) for _, _, a, _ in t) + 1
            beats = -(-used // (CONFIG.axi_data_width // COLUMNS)) - layer["mask_base"]
            layer["plane_beats"] = beats + rng.randrange(3)
            tiles = list(tile_rows(CONFIG, layer))
            if max(max(a, s or 0) for t in tiles for _, _, a, s in t) < len(self.masks):
                return layer, tiles

    def sign(self, layer, address, sequence: list[int]) -> list[int]:
        """The signs of a row whose bit in the sign plane is at `address`."""
        plane = [self.masks[address] >> c & 1 for c in range(COLUMNS)] if layer["signs"] else None
        if layer["signs"] == Signs.EXCEPTIONS:
            return [a ^ b for a, b in zip(plane, sequence, strict=True)]
        return plane or sequence

    async def run(self, layer, tiles, wait, stop=None):
        """Fill `tiles`; `wait()` clocks pass before a `go`. `stop` abandons the fill after one."""
        negative = await self.setup(layer)
        tiles_a_channel = len(tiles) // layer["out_tiles"]
        ready, due = 0, None  # what the shadow tile must have at the end of the next clock

        async def idle(**inputs):
            nonlocal due
            await self.clock(**inputs)
            assert self.get("ready") == ready
            if due is None:
                assert not self.get("row_en")
            else:
                self.check(*due)
            due = None

        for number, rows in enumerate(tiles):
            for _ in range(wait()):
                await idle()
            await idle(go=1)
            for elapsed in range(1, fill(layer, rows)):
                await self.clock()
                assert not self.get("ready"), f"ready {elapsed} clocks after go"
                assert elapsed >= TileFiller.ROW_CYCLES or not self.get("row_en")
                if stop == (number, elapsed):
                    return
            ready = 1
            first = number // tiles_a_channel * COLUMNS
            expected = {
                row: (
                    self.masks[address],
                    self.sign(layer, sign, negative[first : first + COLUMNS, k].tolist()),
                )
                for row, k, address, sign in rows
            }
            due = number, expected
        # Beyond the last tile: `go` only lowers `ready`.
        await idle(go=1)
        ready = 0
        for _ in range(2 * ROWS + 4):
            await idle()

    def check(self, number: int, expected: dict):
        """The shadow tile has these masks and signs, and no weights in other rows."""
        for row, (mask, sign) in enumerate(self.shadow):
            if row not in expected:
                assert mask == 0
                continue
            assert mask == expected[row][0], f"tile {number} row {row}"
            signs = [sign >> c & 1 for c in range(COLUMNS)]
            assert signs == expected[row][1], f"tile {number} row {row}"


def fill(layer, rows) -> int:
    """Clocks from `go` to `ready`."""
    return len(rows) * (2 if layer["signs"] else 1) + FILL_CYCLES


async def start(dut):
    filler = Filler(dut)
    await filler.start()
    for _ in range(3):
        await filler.clock()
        assert not filler.get("ready")
    return filler


@cocotb.test()
async def random_gaps(dut):
    """Layers with pauses between tiles."""
    filler = await start(dut)
    for _ in range(PARAMETERS["layers"]):
        await filler.run(*filler.draw(), wait=lambda: filler.rng.choice((0, 1, 3, 20)))


@cocotb.test()
async def full_throughput(dut):
    """The next `go` in the clock in which `ready` rises."""
    filler = await start(dut)
    for _ in range(PARAMETERS["layers"]):
        await filler.run(*filler.draw(), wait=lambda: 0)


@cocotb.test()
async def abandoned(dut):
    """A `setup` during a fill, at any of its clocks, starts afresh."""
    filler = await start(dut)
    layer, tiles = filler.draw()
    for elapsed in range(1, fill(layer, tiles[0])):
        await filler.run(layer, tiles, wait=lambda: 2, stop=(0, elapsed))
    for _ in range(PARAMETERS["layers"]):
        layer, tiles = filler.draw()
        number = filler.rng.randrange(len(tiles))
        elapsed = filler.rng.randrange(1, fill(layer, tiles[number]))
        await filler.run(layer, tiles, wait=lambda: 0, stop=(number, elapsed))
    await filler.run(*filler.draw(), wait=lambda: 2)
