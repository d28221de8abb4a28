"""A line that shows how far a search is, on a terminal only."""

import sys
import time

_SECONDS = 0.5  # between two drawings, each of which waits for the device


class Progress:
    """`shown`: whether to draw at all, if standard error is a terminal."""

    def __init__(self, recipe, steps: int, shown: bool):
        self._recipe, self._steps = recipe, steps
        self._shown = shown and sys.stderr.isatty()
        self._began = self._drawn = 0.0
        self._first, self._open = 0, False

    def begin(self, state):
        """An epoch begins, or goes on, at the step of `state` (a checkpoint's)."""
        self._began, self._first = time.monotonic(), state.step

    def step(self, state):
        """A step more is done."""
        if not self._shown:
            return
        now = time.monotonic()
        if state.step == self._steps or now - self._drawn > _SECONDS:
            self._drawn = now
            self._draw(f"\r{self.text(state, now)}\033[K")

    def text(self, state, now: float) -> str:
        """The line at that time: epoch, step, means of the epoch so far, speed, time left."""
        rate = (state.step - self._first) / max(now - self._began, 1e-9)
        left = (self._recipe.epochs - state.epoch) * self._steps - state.step
        minutes, seconds = divmod(round(left / max(rate, 1e-9)), 60)
        loss, right = state.metrics[: state.step].mean(0).tolist()
        return (f"epoch {state.epoch + 1}/{self._recipe.epochs}  step {state.step}/{self._steps}  "
                f"loss {loss:.3f}  accuracy {right:.1%}  {rate * self._recipe.batch:,.0f} images/s"
                f"  {minutes // 60}:{minutes % 60:02}:{seconds:02} left")  # fmt: skip

    def epoch(self, row: dict):
        """An epoch is done, with these metrics."""
        if self._shown:
            held_out = row["validation_accuracy"]
            self._draw("\n" if held_out is None else f"  validation {held_out:.1%}\n")

    def end(self):
        """Leave the line, as far as it came."""
        if self._open:
            self._draw("\n")

    def _draw(self, text: str):
        self._open = not text.endswith("\n")
        print(text, end="", file=sys.stderr, flush=True)
