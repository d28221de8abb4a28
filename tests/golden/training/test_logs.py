"""Logs: CSV and TensorBoard say the same, and each epoch once, whatever was interrupted."""

import csv

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from golden.training import loop

from . import job


def scalars(folder) -> dict[str, list]:
    """TensorBoard's scalars: tag -> [(epoch, value)]."""
    events = EventAccumulator(str(folder / "t.logs"))
    events.Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)]
            for tag in events.Tags()["scalars"]}  # fmt: skip


def check(folder, rows, names):
    table = list(csv.DictReader((folder / "t.csv").read_text().splitlines()))
    assert list(table[0]) == ["epoch", "loss", "train_accuracy", "validation_accuracy", "lr",
                              "images_per_second", "seconds"]  # fmt: skip
    assert [{k: float(v) for k, v in row.items()} for row in table] == rows
    kept = list(csv.reader((folder / "t.density.csv").read_text().splitlines()))
    assert kept[0] == ["epoch", *names] and [row[0] for row in kept[1:]] == ["1", "2", "3"]
    found = scalars(folder)
    tags = {"loss": "loss", "accuracy/train": "train_accuracy", "lr": "lr", "seconds": "seconds",
            "accuracy/validation": "validation_accuracy",
            "images_per_second": "images_per_second"}  # fmt: skip
    assert set(found) == {*tags, *(f"density/{name}" for name in names)}
    for tag, name in tags.items():
        assert found[tag] == [(row["epoch"], pytest.approx(row[name])) for row in rows]
    for i, name in enumerate(names, 1):
        expected = [(int(row[0]), pytest.approx(float(row[i]))) for row in kept[1:]]
        assert found[f"density/{name}"] == expected


NAMES = ["stem", "stage1.block1.conv1", "stage1.block1.conv2", "stage2.block1.conv1",
         "stage2.block1.conv2", "stage2.block1.shortcut", "stage2.folded.conv1",
         "stage2.folded.conv2", "classifier"]  # fmt: skip


def test_logs_of_a_whole_search(tmp_path):
    model, rows = job.train(job.recipe(threshold="global"), tmp_path)
    check(tmp_path, rows, NAMES)
    last = (tmp_path / "t.density.csv").read_text().splitlines()[-1].split(",")[1:]
    assert [float(x) for x in last] == pytest.approx(model.densities(), abs=1e-6)
    assert len(set(last)) > 1


@pytest.mark.parametrize("name, number", [("Checkpoint.save", 2), ("descend", 20)])
def test_a_resumed_search_has_every_epoch_once(tmp_path, monkeypatch, name, number):
    """Also where the logs of an epoch were there and its checkpoint not."""
    where, name = (loop.Checkpoint, "save") if "." in name else (loop, name)
    monkeypatch.setattr(where, name, getattr(where, name))
    job.at_call(number, where, name, lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        job.train(job.recipe(), tmp_path)
    monkeypatch.undo()
    _, rows = job.train(job.recipe(), tmp_path)
    check(tmp_path, rows, NAMES)


def test_lost_logs_come_back(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "descend", loop.descend)
    job.at_call(20, loop, "descend", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        job.train(job.recipe(), tmp_path)
    monkeypatch.undo()
    for path in (tmp_path / "t.csv", tmp_path / "t.density.csv", *(tmp_path / "t.logs").iterdir()):
        path.unlink()
    _, rows = job.train(job.recipe(), tmp_path)
    check(tmp_path, rows, NAMES)


def test_without_images_held_out_their_accuracy_is_empty(tmp_path):
    _, rows = job.train(job.recipe(validation=0, epochs=1), tmp_path)
    (row,) = csv.DictReader((tmp_path / "t.csv").read_text().splitlines())
    assert rows[0]["validation_accuracy"] is None and row["validation_accuracy"] == ""
    assert "accuracy/validation" not in scalars(tmp_path)
