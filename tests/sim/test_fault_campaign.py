"""A sample of every campaign of `make faults`, and what its judge must see."""

from dataclasses import replace

import pytest

from hfn_accel.registers import ErrorCode
from sim.faults import batch, hardware
from sim.faults.batch import FOREVER, Fault
from sim.faults.campaigns import CAMPAIGNS, WELL
from sim.faults.case import Case
from sim.faults.target import PLAIN

SAMPLE = 12  # cases of a campaign


@pytest.fixture(scope="module")
def known():
    return hardware.probe(PLAIN)


def found(case: Case, commands=None):
    (answers,) = batch.run(PLAIN.config, PLAIN.layout.memory, [commands or case.commands(PLAIN)])
    return case.found(PLAIN, answers)


@pytest.mark.parametrize("campaign", CAMPAIGNS, ids=lambda campaign: campaign.name)
def test_a_sample_of_each_campaign(known, campaign):
    share = SAMPLE / campaign.count(known)
    chosen = hardware.numbers(campaign, PLAIN, known, 1, share)
    tally = hardware.tally(campaign, PLAIN, known, 1, chosen)
    assert tally.runs == SAMPLE and tally.problems == []


def test_the_target_has_every_kind_of_descriptor():
    assert {opcode.name for opcode, _ in PLAIN.program.descriptors} == {
        "BEGIN", "IMAGE", "CONV", "POOL", "LOAD", "STORE", "END"}  # fmt: skip


def test_a_case_follows_from_seed_and_number(known):
    campaign = CAMPAIGNS[-1]
    cases = [hardware.draw(campaign, PLAIN, known, seed, i) for seed in (1, 2) for i in (5, 6)]
    assert len({case.name for case in cases}) == 4
    assert cases[0] == hardware.draw(campaign, PLAIN, known, 1, 5)


def test_a_write_outside_the_regions_is_seen():
    case = Case("good", WELL)
    fewer = [c for c in case.commands(PLAIN) if c[0] != "region"] + []
    fewer.insert(0, ("region", 0, 0))
    result = found(case, fewer)
    assert result.problems == ("stray write",) and result.end == "done"


def test_a_hang_is_seen_and_recovered_from():
    case = Case("silence", WELL, registers=(("WATCHDOG", 0),), limit=20_000,
                faults=(Fault("R", 100, FOREVER),))  # fmt: skip
    assert found(case).problems == ("hang",)


def test_a_wrong_code_is_seen():
    case = Case("error", frozenset([ErrorCode.READ_DECERR]), faults=(Fault("R", 9, response=2),))
    result = found(case)
    assert (result.end, result.problems) == ("READ_SLVERR", ("wrong code",))


def test_wrong_logits_are_seen():
    image = bytearray(PLAIN.layout.memory[PLAIN.layout.inputs[0] :][:64])
    patch = (PLAIN.layout.inputs[0], bytes(255 - value for value in image))
    case = Case("another image", WELL, right=True, patches=(patch,))
    assert found(case).problems == ("wrong logits",)
    assert found(replace(case, right=False)).problems == ()
