"""What `show` says, against the ticket looked at weight by weight."""

from collections import Counter
from math import log2

import numpy as np
import pytest

from hfn_accel import codec
from hfn_accel.config import Config
from hfn_accel.program import PARAMETER_BYTES, Signs
from hfn_accel.ticket import load, show
from tests.tickets import random_mode, random_ticket

from .conftest import ARCH, MODES


def symbols(ticket, t):
    """Every bit that a decoder must be told, under what it is told that is alike."""
    mask, mode = ticket.masks[t], ticket.modes[t]
    pattern, plane = ticket.pattern(t), ticket.sign_planes[t]
    for at, coats in np.ndenumerate(mask):
        for coat in range(mode.coats):
            if (coat == 0 or coats >= coat) and not (mode.frozen and pattern[at] < mode.frozen):
                yield f"coat {coat}", coats > coat
        if mode.signs != Signs.SEQUENCE and coats:
            yield "sign", plane[at]


@pytest.mark.parametrize("seed", range(8))
def test_information(seed):
    found = random_ticket(np.random.default_rng(seed), ARCH, modes=random_mode)
    for t in range(len(found.masks)):
        count = Counter(symbols(found, t))
        of = Counter()
        for (kind, _), n in count.items():
            of[kind] += n
        bits = sum(-n * log2(n / of[kind]) for (kind, _), n in count.items())
        assert show.information(found, t) == pytest.approx(bits)


@pytest.mark.parametrize("mode", MODES)
def test_rows_are_the_ticket(saved, mode):
    path = saved(mode)
    found, config = load(path), Config(rows=8, columns=8)
    said = show.describe(found, path, config)
    assert said["bytes"] == path.stat().st_size and said["seed"] == found.seed
    assert said["arch"] == str(ARCH) and said["array"] == "8x8"
    packed = 0
    for t, (row, conv) in enumerate(zip(said["tensors"], ARCH.tensors, strict=True)):
        assert row["weights"] == found.masks[t].size
        assert row["density"] == np.count_nonzero(found.masks[t]) / found.masks[t].size
        runs = [layer for layer in ARCH.layers if layer.tensor == t]
        norms = [found.norms[layer.norm] for layer in runs if not layer.classifier]
        assert row["runs"] == len(runs) and row["bits"] == [str(n.bits) for n in norms]
        assert row["norm_bytes"] == PARAMETER_BYTES * sum(len(n.bias) for n in norms)
        parts = found.masks[t], found.sign_planes[t], found.modes[t], found.pattern(t)
        codes = codec.choose(*parts, config)
        assert row["coded_bytes"] == len(codec.encode(*parts, *codes, config))
        assert row["raw_bytes"] == len(codec.encode(*parts, 0, 0, config)) >= row["coded_bytes"]
        assert row["shape"] == f"{conv.cout}x{conv.cin}x{conv.kernel}x{conv.kernel}"
        packed += row["packed_bytes"]
    assert packed == sum(len(found.parts()[1][name]) for name in ("masks", "signs"))
    for key in ("weights", "packed_bytes", "coded_bytes", "norm_bytes"):
        assert said["total"][key] == sum(row[key] for row in said["tensors"])
    kept = sum(map(np.count_nonzero, found.masks))
    assert said["total"]["density"] == kept / sum(m.size for m in found.masks)


def test_modes_in_words():
    words = {name: show.mode_text(mode) for name, mode in MODES.items()}
    assert words == {
        "plain": "plain", "coats": "3 coats", "frozen": "5/16 pruned, 3/16 locked",
        "exceptions": "signs with exceptions", "explicit": "2 coats, explicit signs",
    }  # fmt: skip


def test_text_names_everything(saved):
    path = saved("coats", bits=1, bipolar=True)
    text = show.text(show.describe(load(path), path))
    for conv in ARCH.tensors:
        assert conv.name.partition("[")[0] in text
    for part in (str(ARCH), "3 coats", "1b", "seed 1", "random ticket 1", "class 3"):
        assert part in text
