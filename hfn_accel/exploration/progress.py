"""A line that shows how far a sweep is, on a terminal only."""

import sys
import time

_WIDTH = 30
_SECONDS = 0.2  # between two drawings


class Progress:
    """`total` points, of which `done` are there from an earlier run."""

    def __init__(self, total: int, done: int):
        self._total, self._done, self._first = total, done, done
        self._began, self._drawn = time.monotonic(), 0.0
        self._shown = sys.stderr.isatty()

    def add(self, points: int):
        """So many more are finished."""
        self._done += points
        now = time.monotonic()
        if self._shown and (self._done == self._total or now - self._drawn > _SECONDS):
            self._drawn = now
            print(f"\r{self.text(now)}\033[K", end="", file=sys.stderr, flush=True)

    def text(self, now: float) -> str:
        """The line at that time: bar, points, rate, time left."""
        rate = (self._done - self._first) / max(now - self._began, 1e-9)
        left = round((self._total - self._done) / max(rate, 1e-9))
        bar = "#" * (_WIDTH * self._done // self._total)
        minutes, seconds = divmod(left, 60)
        return (f"[{bar:{_WIDTH}}] {self._done:,}/{self._total:,} points  {rate:,.0f}/s  "
                f"{minutes}:{seconds:02} left")  # fmt: skip

    def end(self):
        """Leave the line, as far as it came."""
        if self._shown and self._drawn:
            print(file=sys.stderr)
