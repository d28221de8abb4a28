"""On-chip memory with a write port and a read port of different widths."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2


def _power_of_two(name: str, value) -> int:
    if type(value) is not int or value < 1 or value & (value - 1):
        raise ValueError(f"{name} must be a power of two, not {value!r}")
    return value


class SplitMemory(wiring.Component):
    """Simple dual-port memory of `bits` bits.

    A word is `max(write_width, read_width)` bits, and the narrower port addresses a part of it:
    each port's address is linear in units of its own width, its low bits being the part of the
    word. So bit n of the memory is bit `n % width` of unit `n // width` for either port.

    Latency: `r_data` belongs to the `r_addr` of LATENCY clocks before; one read and one write a
    clock. A word must not be read in the clock in which it is written: what is read is then
    undefined. Contents start as 0 and survive a reset; addresses beyond `bits` are undefined.

    Parameters: widths are powers of two (ValueError otherwise), `bits` is rounded up to words.
    Ports: `w_en`, `w_addr`, `w_data`; `r_addr`, `r_data`. An address has at least one bit.
    """

    LATENCY = 1

    def __init__(self, bits: int, write_width: int, read_width: int):
        _power_of_two("write_width", write_width)
        _power_of_two("read_width", read_width)
        if type(bits) is not int or bits < 1:
            raise ValueError(f"bits must be a positive integer, not {bits!r}")
        self.write_width = write_width
        self.read_width = read_width
        self.width = max(write_width, read_width)
        # Two words at least: a zero-width address would become a two-bit wire in Verilog.
        self.depth = max(2, -(-bits // self.width))
        word_bits = ceil_log2(self.depth)
        self.write_part_bits = ceil_log2(self.width // write_width)
        self.read_part_bits = ceil_log2(self.width // read_width)
        super().__init__(
            {
                "w_en": In(1),
                "w_addr": In(word_bits + self.write_part_bits),
                "w_data": In(write_width),
                "r_addr": In(word_bits + self.read_part_bits),
                "r_data": Out(read_width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=self.width, depth=self.depth, init=[])
        write = memory.write_port(granularity=self.write_width)
        read = memory.read_port()

        parts = self.width // self.write_width
        write_part = self.w_addr[: self.write_part_bits]
        m.d.comb += [
            write.addr.eq(self.w_addr[self.write_part_bits :]),
            write.data.eq(self.w_data.replicate(parts)),
            write.en.eq(self.w_en << write_part),
            read.addr.eq(self.r_addr[self.read_part_bits :]),
        ]
        if self.read_part_bits:
            read_part = Signal(self.read_part_bits)
            m.d.sync += read_part.eq(self.r_addr[: self.read_part_bits])
            m.d.comb += self.r_data.eq(read.data.word_select(read_part, self.read_width))
        else:
            m.d.comb += self.r_data.eq(read.data)
        return m
