"""Integer accuracy over a whole test set."""

import numpy as np
import pytest

from hfn_accel.errors import HfnError
from hfn_accel.network import Architecture
from hfn_accel.random_ticket import random_ticket
from hfn_accel.ticket import Ticket, accuracy
from tests.tickets import reference

pytest.importorskip("torch")
pytest.importorskip("sklearn")
SHAPE = {"classes": 10, "in_channels": 1, "image_size": 8}
DIGITS = tuple("0123456789")


def digits_ticket(**change):
    arch = Architecture.parse("4x1,6x2f", **SHAPE | change.pop("shape", {}))
    about = {"class_names": DIGITS, "provenance": {"dataset": "digits"}} | change
    return Ticket(**vars(random_ticket(arch, 3, bits=2)) | about)


@pytest.fixture(scope="module")
def wanted():
    """Right predictions, one an image of the test set, by the reference in tests/tickets.py."""
    from golden import data

    digits = data.load("digits")
    logits, _ = reference(digits_ticket(), digits.test_images.transpose(0, 2, 3, 1))
    return logits.argmax(1) == digits.test_labels


@pytest.mark.parametrize("batch", [7, 250, 1000])
def test_every_image_counts_once(monkeypatch, wanted, batch):
    """Whatever the batches, of which the last is not full."""
    monkeypatch.setattr(accuracy, "BATCH", batch)
    said = accuracy.measure(digits_ticket(), None)
    assert said["images"] == len(wanted) == 360 and said["dataset"] == "digits"
    assert said["correct"] == np.count_nonzero(wanted) > 0
    assert said["accuracy"] == said["correct"] / 360 and said["seconds"] >= 0


def test_a_data_set_that_is_named(wanted):
    said = accuracy.measure(digits_ticket(provenance={}), None, "digits")
    assert said["correct"] == np.count_nonzero(wanted)


def test_progress_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    accuracy.measure(digits_ticket(), None)
    shown = capsys.readouterr().err
    assert "250 of 360 images" in shown and "360 of 360" in shown and shown.endswith("\n")
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    accuracy.measure(digits_ticket(), None)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("change, dataset, message", [
    ({"provenance": {}}, None, "does not say of which data it is: give --dataset"),
    ({"provenance": {"dataset": "letters"}}, None, "dataset must be one of"),
    ({}, "cifar10", "cifar10 needs --data DIR"),
    ({"class_names": tuple("abcdefghij")}, None, "digits and the ticket are of different classes"),
    ({"shape": {"image_size": 9}}, None, "images of digits are 1 x 8 x 8, .* 1 x 9 x 9"),
    ({"shape": {"in_channels": 3}}, None, "images of digits are 1 x 8 x 8, .* 3 x 8 x 8"),
])  # fmt: skip
def test_bad_input(change, dataset, message):
    with pytest.raises(HfnError, match=message):
        accuracy.measure(digits_ticket(**change), None, dataset)
