"""Measurements of networks by their activation bits, kept from one run of a search to the next."""

import json
import sys
from pathlib import Path

from .errors import HfnError
from .files import atomic_write, read_bytes


class Measurements:
    """Losses and accuracies, kept in a file that belongs to one search."""

    def __init__(self, path: Path, identity: str, measure):
        self._path, self._identity, self._measure, self.known = path, identity, measure, {}
        if path.exists():
            try:
                kept = json.loads(read_bytes(path))
                known = {tuple(bits): (float(loss), float(right))
                         for bits, (loss, right) in kept["measured"]}  # fmt: skip
                whose = kept["identity"]
            except (ValueError, LookupError, TypeError, RecursionError) as error:
                raise HfnError(f"{path} is damaged ({error}); delete it") from None
            if whose != identity:
                raise HfnError(f"{path} is of another search or other images; delete or move it")
            self.known = known

    def __call__(self, bits: tuple[int, ...]) -> tuple[float, float]:
        """(loss, accuracy) of a network with these bits."""
        if bits not in self.known:
            self.known[bits] = self._measure(bits)
            kept = {"identity": self._identity, "measured": list(self.known.items())}
            atomic_write(self._path, json.dumps(kept).encode())
            if sys.stderr.isatty():
                print(f"\r{len(self.known)} networks measured\033[K", end="", file=sys.stderr,
                      flush=True)  # fmt: skip
        return self.known[bits]
