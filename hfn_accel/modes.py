"""How the weights of one tensor are said: coats, where signs come from, what is frozen.

Sources: Okoshi et al., "Multicoated Supermasks Enhance Hidden Networks", ICML 2022; Otsuka et al.,
"Partially Frozen Random Networks Contain Compact Strong Lottery Tickets", 2024.
"""

from dataclasses import dataclass

from .errors import HfnError
from .program import Signs

MAX_COATS = 7
FROZEN_PARTS = 16  # pruned and locked weights are counted in sixteenths


@dataclass(frozen=True, kw_only=True)
class Mode:
    """A weight is its sign times the number of coats, 0...`coats`, that it is in.

    signs: from the weight sequence, from it with exceptions, or all explicit. pruned, locked:
    sixteenths of the weights that the frozen pattern makes 0 and 1 whatever a search finds; only
    with one coat, and at least a sixteenth stays searchable. Raises HfnError for other modes.
    """

    coats: int = 1
    signs: Signs = Signs.SEQUENCE
    pruned: int = 0
    locked: int = 0

    def __post_init__(self):
        for name, value, low, high in (
            ("coats", self.coats, 1, MAX_COATS),
            ("pruned", self.pruned, 0, FROZEN_PARTS - 1),
            ("locked", self.locked, 0, FROZEN_PARTS - 1),
        ):
            if not low <= value <= high:
                raise HfnError(f"{name} must be from {low} to {high}, not {value!r}")
        if self.signs not in list(Signs):
            raise HfnError(f"signs must be from 0 to {max(Signs)}, not {self.signs!r}")
        if self.frozen >= FROZEN_PARTS:
            raise HfnError(f"pruned + locked must be below {FROZEN_PARTS}, not {self.frozen}")
        if self.frozen and self.coats > 1:
            raise HfnError(f"frozen weights need one coat, not {self.coats}")

    @property
    def frozen(self) -> int:
        """Sixteenths of the weights that cost no mask bit."""
        return self.pruned + self.locked

    @property
    def planes(self) -> int:
        """Planes in the mask buffer: one a coat, and one of signs unless they are generated."""
        return self.coats + (self.signs != Signs.SEQUENCE)


PLAIN = Mode()
