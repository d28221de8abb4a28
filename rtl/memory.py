"""On-chip memory with a write port of one or two widths and a read port of another."""

from amaranth import Module, Mux
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .delay import delayed

RAM_ATTRIBUTES = {"ram_style": "block", "no_rw_check": 1}
"""Of every memory, in Verilog: block RAM, and no logic for a word that is read in the clock in
which it is written, which never matters (Yosys knows both, other tools the first)."""


def _power_of_two(name: str, value) -> int:
    if type(value) is not int or value < 1 or value & (value - 1):
        raise ValueError(f"{name} must be a power of two, not {value!r}")
    return value


class SplitMemory(wiring.Component):
    """Simple dual-port memory of `bits` bits.

    A word is as wide as the widest access; a narrower one addresses a part of it. Addresses are
    linear: `r_addr` in units of `read_width`, `w_addr` in units of the smaller of `write_widths`,
    their low bits being the part of the word. So bit n of the memory is bit `n % width` of unit
    `n // width` for every access.

    With two `write_widths`, a write with `w_wide` has the larger one: its `w_addr` must be a
    multiple of larger / smaller. `w_data` has the larger width, and a narrow write uses its low
    bits.

    Latency: `r_data` belongs to the `r_addr` of `latency` clocks before, 1 or 2: with 2, the word
    that the memory gives passes a register before a part of it is chosen. One read and one write a
    clock; reading stands still, `r_data` included, in a clock without `r_en`. A word must not be
    read in the clock in which it is written: what is read is then undefined. Contents start as 0
    and survive a reset; addresses beyond `bits` are undefined.

    Parameters: widths are powers of two (ValueError otherwise), `bits` is rounded up to words.
    Ports: `w_en`, `w_wide` (only with two widths), `w_addr`, `w_data`; `r_en` (1 if nothing drives
    it), `r_addr`, `r_data`. An address has at least one bit.
    """

    def __init__(self, bits: int, write_widths: tuple[int, ...], read_width: int, latency: int = 1):
        if len(write_widths) not in (1, 2):
            raise ValueError(f"write_widths must be one or two widths, not {write_widths!r}")
        for width in write_widths:
            _power_of_two("write_widths", width)
        _power_of_two("read_width", read_width)
        if type(bits) is not int or bits < 1:
            raise ValueError(f"bits must be a positive integer, not {bits!r}")
        if latency not in (1, 2):
            raise ValueError(f"latency must be 1 or 2, not {latency!r}")
        self.latency = latency
        self.narrow, self.wide = min(write_widths), max(write_widths)
        self.read_width = read_width
        self.width = max(self.wide, read_width)
        # Two words at least: a zero-width address would become a two-bit wire in Verilog.
        self.depth = max(2, -(-bits // self.width))
        word_bits = ceil_log2(self.depth)
        self.write_part_bits = ceil_log2(self.width // self.narrow)
        self.read_part_bits = ceil_log2(self.width // read_width)
        super().__init__(
            {
                "w_en": In(1),
                **({"w_wide": In(1)} if len(write_widths) == 2 else {}),
                "w_addr": In(word_bits + self.write_part_bits),
                "w_data": In(self.wide),
                "r_en": In(1, init=1),
                "r_addr": In(word_bits + self.read_part_bits),
                "r_data": Out(read_width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self.width, depth=self.depth, init=[], attrs=RAM_ATTRIBUTES
        )
        write = memory.write_port(granularity=self.narrow)
        read = memory.read_port()

        enable, data = self.w_en, self.w_data[: self.narrow].replicate(self.width // self.narrow)
        if self.narrow < self.wide:
            parts = self.wide // self.narrow
            enable = Mux(self.w_wide, enable.replicate(parts), enable)
            data = Mux(self.w_wide, self.w_data.replicate(self.width // self.wide), data)
        m.d.comb += [
            write.addr.eq(self.w_addr[self.write_part_bits :]),
            write.data.eq(data),
            write.en.eq(enable << self.w_addr[: self.write_part_bits]),
            read.addr.eq(self.r_addr[self.read_part_bits :]),
            read.en.eq(self.r_en),
        ]
        word, part = read.data, self.r_addr[: self.read_part_bits]
        with m.If(self.r_en):
            word = delayed(m, word, self.latency - 1, "word")[-1]
            if self.read_part_bits:
                part = delayed(m, part, self.latency, "part")[-1]
        if self.read_part_bits:
            word = word.word_select(part, self.read_width)
        m.d.comb += self.r_data.eq(word)
        return m
