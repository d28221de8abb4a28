"""Runs the campaigns against the core and counts what comes of them."""

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from hfn_accel.errors import HfnError

from . import batch
from .campaigns import CAMPAIGNS, WELL, Campaign, Probe
from .case import Case
from .target import Target

SHARE = 2000  # cases that are made, run and judged at a time


@dataclass
class Tally:
    """What a campaign against a target came to. problems: (case, its name, what is wrong)."""

    campaign: str
    target: str
    runs: int = 0
    ends: Counter = field(default_factory=Counter)
    strays: int = 0
    problems: list[tuple[int, str, str]] = field(default_factory=list)


def probe(target: Target) -> Probe:
    """A good run. Raises HfnError if the core cannot do that."""
    case = Case("good", WELL, right=True)
    (answers,) = batch.run(target.config, target.layout.memory, [case.commands(target)])
    found = case.found(target, answers)
    if found.problems:
        raise HfnError(f"{target.name}: a run without a fault fails: {', '.join(found.problems)}")
    counts = next(answer[1:] for answer in answers if answer[0] == "counts")
    return Probe(dict(zip(batch.CHANNELS, map(int, counts), strict=False)), found.clocks)


def draw(campaign: Campaign, target: Target, known: Probe, seed: int, i: int) -> Case:
    """Case i: it follows from the seed and the names alone."""
    key = zlib.crc32(f"{campaign.name} {target.name}".encode())
    return campaign.draw(np.random.default_rng([seed, key, i]), i, target, known)


def numbers(campaign: Campaign, target: Target, known: Probe, seed: int, scale: float) -> list[int]:
    """Which cases are run: all against the first target, a sample against the others."""
    every = campaign.count(known)
    wanted = every if target is campaign.targets[0] else min(every, campaign.sampled)
    wanted = max(1, round(wanted * scale))
    return sorted(np.random.default_rng(seed).permutation(every)[:wanted].tolist())


def run(seed: int, *, names: Sequence[str] = (), target: str | None = None, scale: float = 1,
        only: int | None = None) -> Iterator[Tally]:  # fmt: skip
    """Campaigns (all, or those of the names), each against its targets, or the one of that name.
    scale: a fraction of the cases; only: the one case of that number."""
    probes = {}
    for campaign in CAMPAIGNS:
        if names and campaign.name not in names:
            continue
        for at in campaign.targets:
            if target is None or at.name == target:
                known = probes[at] = probes.get(at) or probe(at)
                chosen = numbers(campaign, at, known, seed, scale) if only is None else [only]
                yield tally(campaign, at, known, seed, chosen)


def tally(campaign: Campaign, target: Target, known: Probe, seed: int,
          chosen: Sequence[int]) -> Tally:  # fmt: skip
    """The cases of these numbers, run and judged."""
    result = Tally(campaign.name, target.name)
    for at in range(0, len(chosen), SHARE):
        part = chosen[at : at + SHARE]
        cases = [draw(campaign, target, known, seed, i) for i in part]
        answers = batch.run(target.config, target.layout.memory,
                            [case.commands(target) for case in cases])  # fmt: skip
        for i, case, answer in zip(part, cases, answers, strict=True):
            found = case.found(target, answer)
            result.runs += 1
            result.ends[found.end] += 1
            result.strays += found.strays > 0
            result.problems += [(i, case.name, f"{p} ({found.end})") for p in found.problems]
    return result
