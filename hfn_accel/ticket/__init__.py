"""The ticket: everything that a Hidden-Fold Network is, in one .safetensors file without pickles.

It holds the architecture, the seed, the masks, and the integer normalisation parameters of every
executed layer; never a weight. See docs/ticket.md for the layout, and for
`python -m hfn_accel.ticket`, which shows, verifies, compares and measures tickets.
"""

from .contents import IMAGE_BITS, Ticket
from .file import find
from .reading import load

__all__ = ["IMAGE_BITS", "Ticket", "find", "load"]
