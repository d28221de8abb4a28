"""Memories of a design, and that its buffers are block RAM."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hfn_accel.errors import HfnError

BUFFER_BITS = 2048
"""A memory of more bits than this is a buffer; smaller ones, such as a file of counters, may be
look-up tables or flip-flops."""

_MEMORY = re.compile(r"^  cell \$mem_v2 (\S+)\n(.*?)^  end$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Memory:
    """name: hierarchical, without the top module."""

    name: str
    width: int
    words: int

    @property
    def bits(self) -> int:
        return self.width * self.words


def memories(dump: str) -> list[Memory]:
    """Memories that are written, from Yosys's `dump t:$mem_v2`; others are tables of constants."""
    found = []
    for name, body in _MEMORY.findall(dump):
        numbers = dict(re.findall(r"parameter \\(WIDTH|SIZE|WR_PORTS) (\d+)", body))
        if int(numbers["WR_PORTS"]):
            found.append(Memory(name.lstrip("\\"), int(numbers["WIDTH"]), int(numbers["SIZE"])))
    return found


def refuse_buffers(found: list[Memory], cells: Mapping[str, str], block_ram: str):
    """Raises HfnError for a buffer that became something else than block RAM.

    cells: type of every mapped cell by name, which begins with its memory's. block_ram: pattern of
    the types that are block RAM.
    """
    blocks = [name for name, kind in cells.items() if re.fullmatch(block_ram, kind)]
    for memory in found:
        if memory.bits > BUFFER_BITS and not any(b.startswith(f"{memory.name}.") for b in blocks):
            raise HfnError(f"the buffer {memory.name} ({memory.words} words of {memory.width} "
                           "bits) is not in block RAM")  # fmt: skip
