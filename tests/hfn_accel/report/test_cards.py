"""A card says what the ticket's file, its provenance, the models and the dense trainings say."""

import pytest

from hfn_accel.config import Config
from hfn_accel.estimator import estimate_network
from hfn_accel.network import Architecture
from hfn_accel.random_ticket import random_ticket
from hfn_accel.report import cards
from hfn_accel.streams import TicketStreams
from hfn_accel.ticket import Ticket

ARCH = Architecture.parse("8x1,16x3f", classes=10, image_size=8)
ABOUT = {"dataset": "digits", "test_images": "360", "integer_accuracy": "0.9",
         "float_quantised_accuracy": "0.91", "float_accuracy": "0.925", "epochs": "12",
         "seconds": "34.5", "method": "biprop", "command": "python -m some search",
         "seed": "3"}  # fmt: skip


@pytest.fixture
def card(tmp_path):
    """A function from provenance to a card's row."""

    def row(about, **options):
        found = random_ticket(ARCH, 3, **options)
        Ticket(**vars(found) | {"provenance": about}).save(tmp_path / "t.safetensors")
        return cards.row(tmp_path / "t.safetensors")

    return row


def markdown(row) -> str:
    return cards.Cards("", cards._CARD, [row], "again").markdown()


def test_what_a_card_says(card, tmp_path):
    row, found = card(ABOUT, bits=3), random_ticket(ARCH, 3, bits=3)
    streams = TicketStreams(found, Config())
    bits = [norm.bits for norm in found.norms]
    figures = estimate_network(ARCH, bits, Config(), 16, 1, streams)
    assert row["cycles"] == figures.total_cycles
    assert row["moved_bytes"] == figures.bytes_by_class["total"] > row["coded_bytes"] > 0
    assert row["bytes"] == (tmp_path / "t.safetensors").stat().st_size
    text = markdown(row)
    for line in ("| data | digits |", "| test images, all of them | 360 |",
                 "| accuracy, integer | 90.00% |", "| float, quantised activations | 91.00% |",
                 "| float | 92.50% |", "| architecture | 8x1,16x3f |", "| method | biprop |",
                 "| activation bits | 3 |", "| seed | 3 |", "| epochs | 12 |",
                 "| search (s) | 34.5 |", f"| cycles an image on 16x16 | {row['cycles']:,} |",
                 f"| bytes moved an image on 16x16 | {row['moved_bytes']:,} |"):  # fmt: skip
        assert line in text, line
    assert text.startswith("## t\n") and "```usage\npython -m some search\n```" in text
    assert "dense" not in text and text.endswith("\n(`again`)\n")


def test_what_nobody_knows_is_left_out(card):
    row = card({})
    text = markdown(row)
    assert row["dense"] is None and row["integer_accuracy"] is None
    assert "accuracy" not in text and "None" not in text and "```" not in text
    assert "| cycles an image on 16x16 |" in text


def test_a_note_stands_on_the_card(card):
    assert "| note | by hand |" in markdown(card(ABOUT | {"note": "by hand"}))


def test_the_best_dense_training(card, tmp_path, monkeypatch):
    monkeypatch.setattr(cards, "DENSE", tmp_path / "dense.csv")
    cards.DENSE.write_text(
        "arch,dataset,epochs,seconds,accuracy,command\n"
        '"8x1,16x3f",digits,5,50,0.93,first\n"8x1,16x3f",digits,9,90,0.95,second\n'
        '"8x1,16x3f",digits,7,70,0.94,third\n"8x1,16x3f",cifar10,7,70,0.99,other data\n'
        '"8x1,16x3",digits,7,70,0.99,other network\n'
    )
    text = markdown(card(ABOUT))
    assert "| the same architecture trained densely | 95.00% after 9 epochs, 90 s |" in text
    assert "```usage\nsecond\n```" in text


def test_the_shipped_dense_trainings():
    """Every row is of a known network, and its command is of that network and data."""
    import csv

    with open(cards.DENSE, newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        arch = Architecture.parse(row["arch"], classes=10)
        assert f"--arch {arch} " in row["command"] and "--method dense" in row["command"]
        assert f"--dataset {row['dataset']} " in row["command"]
        assert 0 < float(row["accuracy"]) < 1 and float(row["seconds"]) > 0 < int(row["epochs"])
