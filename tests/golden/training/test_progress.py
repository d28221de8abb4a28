"""Progress on a terminal, and nowhere else."""

import io
import re
import sys

import pytest

from golden.training import loop, progress

from . import job


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_sees_every_epoch(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(progress, "_SECONDS", 0)
    _, rows = job.train(job.recipe(), tmp_path)
    lines = sys.stderr.getvalue().split("\n")
    assert len(lines) == 4 and lines[-1] == ""
    for row, line in zip(rows, lines, strict=False):
        drawn = line.split("\r")[1:]
        assert len(drawn) == job.STEPS
        match = re.fullmatch(
            rf"epoch {row['epoch']}/3  step 9/9  loss {row['loss']:.3f}  accuracy "
            rf"{row['train_accuracy']:.1%}  [\d,]+ images/s  (\d+):(\d\d):(\d\d) left\x1b\[K"
            rf"  validation {row['validation_accuracy']:.1%}", drawn[-1])  # fmt: skip
        assert match, drawn[-1]
    assert match.groups() == ("0", "00", "00")


def test_time_left_is_that_of_all_steps_to_come(monkeypatch):
    """3 of 9 steps of the second of 3 epochs, the last two of them in 8 s: 60 s for 15 more."""
    line = progress.Progress(job.recipe(), job.STEPS, True)
    state = loop.State(metrics=loop.torch.ones(job.STEPS, 2), epoch=1, step=1)
    monkeypatch.setattr(progress.time, "monotonic", lambda: 100.0)
    line.begin(state)
    state.step = 3
    assert line.text(state, 108.0).endswith("4 images/s  0:01:00 left")


@pytest.mark.parametrize("terminal, shown", [(True, False), (False, True)])
def test_otherwise_it_is_quiet(tmp_path, monkeypatch, terminal, shown):
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    job.train(job.recipe(epochs=1), tmp_path, progress=shown)
    assert sys.stderr.getvalue() == ""


def test_an_error_stands_on_a_line_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(progress, "_SECONDS", 0)
    monkeypatch.setattr(loop, "descend", loop.descend)
    job.at_call(3, loop, "descend", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        job.train(job.recipe(), tmp_path)
    assert sys.stderr.getvalue().endswith("left\x1b[K\n")
