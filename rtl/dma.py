"""The two AXI4 masters."""

from .read_dma import ReadDma
from .write_dma import WriteDma

__all__ = ["ReadDma", "WriteDma"]
