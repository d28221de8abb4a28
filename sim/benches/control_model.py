"""What `Control` must do with a random program: by kind, in order; and what memory then holds."""

from collections import Counter

from hfn_accel.config import Config
from hfn_accel.program import DESCRIPTOR_BYTES, Opcode
from hfn_accel.registers import ReadClass
from sim.benches.control_program import BASE, INPUT, OUTPUT, WORKSPACE, Step, beats

KINDS = ("image", "mask", "parameter", "load", "execute", "result")


def bank_beat(bank: int, place: int, config: Config) -> int:
    """What the banks hold; bank 3 is the result store."""
    word = (bank << 24 | place) * 0x9E3779B97F4A7C15F39CC0605CEDC835
    return word >> 3 & ((1 << config.axi_data_width) - 1)


class Model:
    """`events[kind]`: of what is read, (step, bank, place, word) a beat; else steps. `classes`:
    beats read of each class. `data`: memory at the end."""

    def __init__(self, steps: list[Step], data: bytes, config: Config):
        self.config, self.data = config, bytearray(data)
        self.events = {kind: [] for kind in KINDS}
        self.classes, self.results = Counter(), 0
        for i, step in enumerate(steps):
            self.classes[ReadClass.DESCRIPTOR] += DESCRIPTOR_BYTES // config.bus_bytes
            {Opcode.IMAGE: self._image, Opcode.LOAD: self._load, Opcode.STORE: self._store,
             Opcode.CONV: self._conv, Opcode.POOL: self._pool}.get(
                step.opcode, lambda *_: None)(i, step.fields)  # fmt: skip

    def _read(self, kind, i, read_class, address, count, bank=None, place=None):
        width = self.config.bus_bytes
        self.classes[read_class] += count
        for beat in range(count):
            word = int.from_bytes(self.data[address + beat * width :][:width], "little")
            at = None if place is None else (place + beat) & 0xFFFFFF
            self.events[kind].append((i, bank, at, word))

    def _write(self, address, words):
        width = self.config.bus_bytes
        data = b"".join(word.to_bytes(width, "little") for word in words)
        self.data[address : address + len(data)] = data

    def _image(self, i, f):
        count = beats(4 * f["width"] * f["rows"], self.config)
        self._read("image", i, ReadClass.ACTIVATION, INPUT + f["address"], count)

    def _groups(self, f):
        for group in range(f["groups"]):
            yield (WORKSPACE + f["address"] + group * f["memory_stride"],
                   f["bank_beat"] + group * f["bank_stride"])  # fmt: skip

    def _load(self, i, f):
        for memory, place in self._groups(f):
            self._read("load", i, ReadClass.ACTIVATION, memory, f["beats"], f["bank"], place)

    def _store(self, i, f):
        for memory, place in self._groups(f):
            self._write(memory, [bank_beat(f["bank"], place + j, self.config)
                                 for j in range(f["beats"])])  # fmt: skip

    def _pool(self, i, f):
        self.events["execute"].append(i)

    def _conv(self, i, f):
        if f["fetch_parameters"]:
            self._read("parameter", i, ReadClass.PARAMETER, BASE + f["parameter_address"],
                       beats(8 * f["out_channels"], self.config), None,
                       8 * f["parameter_base"] // self.config.bus_bytes)  # fmt: skip
        if f["fetch_mask"]:
            read_class = ReadClass.WEIGHT if f["signs"] == 2 else ReadClass.MASK
            self._read("mask", i, read_class, BASE + f["mask_address"], f["mask_beats"])
        self.events["execute"].append(i)
        if f["raw"] and f["close"]:
            self.events["result"].append(i)
            count = beats(4 * f["out_channels"], self.config)
            words = [bank_beat(3, self.results + j, self.config) for j in range(count)]
            self._write(OUTPUT + f["parameter_address"], words)
            self.results += count
