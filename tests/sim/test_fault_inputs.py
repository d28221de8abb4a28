"""Mutated files: an HfnError or success, and nothing else (`make faults` tries many more)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.faults import inputs
from sim.faults.formats import FORMATS

EXAMPLES = 60


@pytest.mark.parametrize("chosen", FORMATS, ids=lambda chosen: chosen.name)
def test_a_reader_takes_or_refuses(chosen, tmp_path):
    path = tmp_path / f"input{chosen.suffix}"
    for data in chosen.good:
        assert inputs.attempt(chosen.reader, path, data) == (True, None)

    @settings(max_examples=EXAMPLES, deadline=None, database=None)
    @given(st.integers(0, 1 << 32))
    def mutated(i):
        assert inputs.attempt(chosen.reader, path, inputs.mutant(chosen, 1, i))[1] is None

    mutated()


def test_another_exception_is_a_failure(tmp_path):
    def reader(path):
        raise KeyError("x")

    assert inputs.attempt(reader, tmp_path / "x", b"")[1] == "KeyError: 'x'"


def test_what_asks_for_too_much_memory_fails():
    (tally,) = [t for t in inputs.run(1, 1, ["sample"])]
    assert tally.runs == 1
