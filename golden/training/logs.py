"""Logs of a search: CSV files for tables and plots, event files for TensorBoard."""

import csv
import io
import time

from torch.utils.tensorboard import SummaryWriter

from hfn_accel.files import atomic_write, make_folder

from .files import RunFiles

_TAGS = {"train_accuracy": "accuracy/train", "validation_accuracy": "accuracy/validation"}


class Logs:
    """A row of metrics and the kept fraction of each weight tensor, epoch by epoch.

    The files begin with the epochs that the search has behind it (its state's rows and
    densities) whatever an interrupted run left there, so that no epoch is there twice.
    """

    def __init__(self, files: RunFiles, arch, state):
        self._files, self._state = files, state
        self._names = [conv.name.partition("[")[0] for conv in arch.tensors]
        for old in make_folder(files.logs).glob("events.out.tfevents.*"):
            old.unlink()
        self._events = SummaryWriter(files.logs)
        end = time.time() - sum(row["seconds"] for row in state.rows)
        for row, densities in zip(state.rows, state.densities, strict=True):
            end += row["seconds"]
            self._add_events(row, densities, end)
        self._write()

    def add(self):
        """The state has a finished epoch more."""
        self._add_events(self._state.rows[-1], self._state.densities[-1], time.time())
        self._write()

    def close(self):
        self._events.close()

    def _add_events(self, row, densities, end):
        values = {_TAGS.get(name, name): value for name, value in row.items()}
        values |= {f"density/{n}": d for n, d in zip(self._names, densities, strict=True)}
        for tag, value in values.items():
            if tag != "epoch" and value is not None:
                self._events.add_scalar(tag, value, row["epoch"], walltime=end)

    def _write(self):
        self._events.flush()
        if rows := self._state.rows:
            _write_csv(self._files.metrics, [rows[0], *(row.values() for row in rows)])
            kept = ([i, *densities] for i, densities in enumerate(self._state.densities, 1))
            _write_csv(self._files.densities, [["epoch", *self._names], *kept])


def _write_csv(path, rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    atomic_write(path, text.getvalue().encode())
