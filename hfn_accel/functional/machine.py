"""The state of the functional simulator, and what each descriptor does to it.

Three banks of bit-plane words, a mask and a parameter buffer that keep what they hold, and memory
(docs/architecture.md). What the order of the loops cannot change (strips, tiles, planes) is
computed at once.
"""

import numpy as np

from ..arithmetic import requantise
from ..config import Config
from ..images import LOGIT_BYTES, PIXEL_BYTES
from ..program import Opcode, Program
from ..shape import Window, output_addresses, tile_addresses
from ..ticket import IMAGE_BITS
from .banks import Banks
from .buffers import Buffers
from .convolve import convolve, fill, maximum


class Machine:
    """Runs of one program side by side, a descriptor at a time.

    inputs: uint8 (runs, bytes), input memory. `banks`, `buffers`, `sums` (int64 (runs, channels)
    that a pooled CONV left, or None), `workspace` and `output` (uint8 (runs, bytes)) are what the
    descriptors so far left.
    """

    def __init__(self, program: Program, config: Config, inputs: np.ndarray,
                 workspace: np.ndarray | None = None):  # fmt: skip
        header, runs = program.header, len(inputs)
        beats = -(-header["bank_words"] * config.group // config.axi_data_width)
        self.config, self.inputs = config, inputs
        self.banks = Banks(runs, beats, config.axi_data_width)
        self.buffers = Buffers(program, config)
        self.sums = None
        self.workspace = np.zeros((runs, header["workspace_bytes"]), np.uint8)
        if workspace is not None:
            self.workspace[:, : len(workspace)] = workspace
        self.output = np.zeros((runs, header["output_bytes"]), np.uint8)

    def step(self, opcode: Opcode, f: dict[str, int]) -> np.ndarray | None:
        """Execute one legal descriptor; what it wrote to a bank, uint8 (runs, channels, height,
        width), if it is a CONV or POOL (a POOL's lanes are all given)."""
        run = {Opcode.IMAGE: self._image, Opcode.LOAD: self._load, Opcode.STORE: self._store,
               Opcode.CONV: self._conv, Opcode.POOL: self._pool}.get(opcode)  # fmt: skip
        return run(f) if run else None

    def _image(self, f):
        size = f["rows"] * f["width"] * PIXEL_BYTES
        pixels = self.inputs[:, f["address"] :][:, :size]
        pixels = pixels.reshape(-1, f["rows"], f["width"], PIXEL_BYTES)[..., : f["channels"]]
        columns, granules = self.config.columns, f["granules"]
        lanes = np.zeros((len(pixels), f["rows"], f["out_width"], granules * columns), np.uint8)
        for tap in range(f["taps"]):
            x = np.arange(f["out_width"]) * f["stride"] + tap - f["pad"]
            inside = (x >= 0) & (x < f["width"])
            at = slice(tap * f["channels"], (tap + 1) * f["channels"])
            lanes[:, :, inside, at] = pixels[:, :, x[inside]]
        addresses = tile_addresses(f["base"], f["group_stride"], 0, granules,
                                   f["rows"] * f["out_width"], IMAGE_BITS, self._parts)  # fmt: skip
        self._write(f["bank"], addresses, lanes)

    def _load(self, f):
        size = f["beats"] * self.config.bus_bytes
        for g in range(f["groups"]):
            at = f["address"] + g * f["memory_stride"]
            beat = f["bank_beat"] + g * f["bank_stride"]
            self.banks.load(f["bank"], beat, self.workspace[:, at : at + size])

    def _store(self, f):
        size = f["beats"] * self.config.bus_bytes
        for g in range(f["groups"]):
            at = f["address"] + g * f["memory_stride"]
            beat = f["bank_beat"] + g * f["bank_stride"]
            self.workspace[:, at : at + size] = self.banks.store(f["bank"], beat, f["beats"])

    def _conv(self, f):
        self.buffers.fetch(f)
        weights, window = self.buffers.weights(f), Window.of(Opcode.CONV, f)
        x = self._source(f, window, weights.shape[-1])
        if f["bipolar"]:
            x = 2 * x.view(np.int8) - 1
        acc = convolve(fill(x, window), weights, window)
        if f["raw"]:
            return self._results(f, acc)
        residual = None
        if f["residual"]:
            addresses = tile_addresses(
                f["res_base"], f["res_group_stride"], f["first_part"], f["out_tiles"],
                window.out_height * window.out_width, f["res_bits"], self._parts,
            )  # fmt: skip
            tiles = self.banks.read(f["res_bank"], addresses, self.config.columns)
            lanes = tiles.transpose(0, 2, 1, 3).reshape(*acc.shape[:3], -1)
            residual = lanes[..., : f["out_channels"]]
        p = self.buffers.channels(f)
        y = requantise(acc, p["multiplier"], p["bias"], f["shift"], f["out_bits"],
                       residual, p["residual"])  # fmt: skip
        self._write(f["dst_bank"], output_addresses(Opcode.CONV, f, self.config), y)
        return y.transpose(0, 3, 1, 2)

    def _results(self, f, acc):
        sums = acc.sum((1, 2)).astype(np.int64)
        self.sums = sums if f["open"] else self.sums + sums
        if f["close"]:
            data = np.ascontiguousarray(self.sums.astype("<i4")).view(np.uint8)
            at = f["parameter_address"]
            self.output[:, at : at + f["out_channels"] * LOGIT_BYTES] = data
            self.sums = None

    def _pool(self, f):
        window = Window.of(Opcode.POOL, f)
        y = maximum(fill(self._source(f, window, f["granules"] * self.config.columns), window),
                    window)  # fmt: skip
        self._write(f["dst_bank"], output_addresses(Opcode.POOL, f, self.config), y)
        return y.transpose(0, 3, 1, 2)

    @property
    def _parts(self) -> int:
        return self.config.group // self.config.columns

    def _source(self, f, window: Window, channels: int) -> np.ndarray:
        """The pixels that a CONV or POOL reads, uint8 (runs, rows, columns, channels)."""
        group = self.config.group
        groups = np.arange(-(-channels // group)) * f["in_group_stride"]
        lanes = self.banks.read(
            f["src_bank"], groups[:, None, None, None] + window.words(), group
        )  # (runs, groups, rows, columns, lanes)
        lanes = np.moveaxis(lanes, 1, 3)
        return lanes.reshape(*lanes.shape[:3], -1)[..., :channels]

    def _write(self, bank: int, addresses: np.ndarray, values: np.ndarray):
        """Store values (runs, height, width, channels) at addresses (tiles, pixels, planes);
        lanes without a channel get 0."""
        tiles, pixels = addresses.shape[:2]
        lanes = np.zeros((len(values), pixels, tiles * self.config.columns), np.uint8)
        lanes[..., : values.shape[-1]] = values.reshape(len(values), pixels, -1)
        lanes = lanes.reshape(len(values), pixels, tiles, -1).transpose(0, 2, 1, 3)
        self.banks.write(bank, addresses, lanes)
