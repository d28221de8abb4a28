"""What a sweep may say, and the points that it says."""

import itertools
import tomllib

import numpy as np
import pytest

from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.exploration import space, sweep
from hfn_accel.exploration.columns import DESIGN_COLUMNS
from hfn_accel.exploration.goals import MAXIMISED, MINIMISED

NETWORK = 'network = "hfn-resnet18"\n'


def parse(text: str) -> sweep.Sweep:
    return sweep.parse(tomllib.loads(text))


def points(found: sweep.Sweep) -> list[tuple]:
    """(workload's columns, design) of every point, in order."""
    result = []
    for chunk in found.space.chunks:
        numbers = found.space.numbers(chunk)
        designs = found.space.designs(numbers)
        about = tuple(found.space.variants[chunk.variant].columns.values())
        for i, number in enumerate(numbers.tolist()):
            assert found.space.variant(number) is found.space.variants[chunk.variant]
            result.append((number, about, tuple(int(designs[c][i]) for c in DESIGN_COLUMNS)))
    return result


def test_points_are_the_product_of_the_axes(monkeypatch):
    monkeypatch.setattr(space, "CHUNK", 7)
    found = parse(
        "[axes]\n" + NETWORK + 'folding = ["none", "3,4"]\ndensity = [0.2, 0.3]\n'
        'pe = ["8x16", "4x8", "16x16"]\nlatency = [9, 16]\ncoded = [true, false]\nbatch = 3\n'
    )
    listed = points(found)
    assert [number for number, *_ in listed] == list(range(len(listed)))
    config = Config()
    expected = {
        (folding, density, r, c, coded, latency)
        for folding, density, (r, c), coded, latency in itertools.product(
            ("none", "3,4"), (0.2, 0.3), ((8, 16), (4, 8), (16, 16)), (0, 1), (9, 16))
    }  # fmt: skip
    at = DESIGN_COLUMNS.index
    assert {
        (about[1], about[6], d[0], d[1], d[at("coded")], d[at("latency_cycles")])
        for _, about, d in listed
    } == expected and len(expected) == len(listed) == found.space.size  # fmt: skip
    for _, about, d in listed:
        assert about[0] == "hfn-resnet18 for cifar100" and about[-1] == "8"
        assert d[at("mask_buffer_bytes")] == config.mask_bytes and d[at("batch_images")] == 3
    order = [(about, d[1], d[at("bus_bits")], -d[at("coded")]) for _, about, d in listed]
    changes = sum(a != b for a, b in itertools.pairwise(order))
    assert changes == len(set(order)) - 1  # points of the same mask streams are neighbours


def test_a_sample_keeps_numbers_and_designs(monkeypatch):
    monkeypatch.setattr(space, "CHUNK", 5)
    axes = "[axes]\n" + NETWORK + 'pe = ["4x4", "8x8"]\nmask_bytes = [256, 512, 1024]\n' \
           'density = [0.1, 0.2, 0.3]\n'  # fmt: skip
    every = points(parse(axes))
    for count, seed in ((1, 0), (7, 1), (17, 2), (18, 3), (99, 4)):
        sampled = parse(axes + f"[sample]\npoints = {count}\nseed = {seed}")
        drawn = points(sampled)
        assert len(drawn) == min(count, len(every)) == sampled.space.size
        assert all(every[number] == (number, *rest) for number, *rest in drawn)
        again = parse(axes + f"[sample]\npoints = {count}\nseed = {seed}")
        assert points(again) == drawn and again.about == sampled.about
    other = parse(axes + "[sample]\npoints = 7\nseed = 8")
    assert points(other) != points(parse(axes + "[sample]\npoints = 7\nseed = 1"))


def test_a_sample_of_more_points_than_memory_holds():
    ranges = {"parameter_channels": range(6, 13), "result_words": range(6, 13),
              "mask_bytes": range(8, 22), "activation_bytes": range(8, 22),
              "requantisers": range(7), "psum_depth": range(4, 16)}  # fmt: skip
    lines = [f"{axis} = {[1 << i for i in powers]}" for axis, powers in ranges.items()]
    lines += [f"latency = {list(range(1, 500))}"]
    text = "[axes]\n" + NETWORK + "\n".join(lines)
    with pytest.raises(HfnError, match=r"the limit is .*\[sample\]"):
        parse(text)
    found = parse(text + "\n[sample]\npoints = 20")
    assert len(points(found)) == 20 and max(points(found))[0] > 10**8


def test_constraints_on_axes_leave_points_out():
    axes = "[axes]\n" + NETWORK + 'pe = ["4x4", "8x16", "16x16"]\ndensity = [0.1, 0.3]\n'
    found = parse(axes + "[constraints]\ncolumns_channels = {min = 5}\nrows_lanes = {max = 8}\n"
                  "density_ratio = 0.3")  # fmt: skip
    assert [(about[6], d[:2]) for _, about, d in points(found)] == [(0.3, (8, 16))]


def test_equal_workloads_count_once(ticket):
    found = parse("[axes]\n" + NETWORK + 'folding = ["own", "3,4", "4,3"]\n'
                  'activation_bits = ["own", 8, 4]')  # fmt: skip
    assert [about[-1] for _, about, _ in points(found)] == ["8", "4"]
    found = parse(f'[axes]\nticket = "{ticket}"\nactivation_bits = ["own", 3]')
    assert [about[-1] for _, about, _ in points(found)] == ["own", "3"]


def test_fit_is_each_workload_s_own(ticket):
    found = parse('[axes]\nnetwork = ["hfn-resnet18", "hfn-wrn50"]\nmask_bytes = ["fit", 256]')
    sizes = {}
    for _, about, d in points(found):
        sizes.setdefault(about[0], []).append(d[DESIGN_COLUMNS.index("mask_buffer_bytes")])
    assert sizes["hfn-resnet18 for cifar100"] == [1 << 19, 1 << 20, 1 << 21, 256]
    assert sizes["hfn-wrn50 for cifar100"] == [1 << 21, 1 << 22, 256]


def test_default_objectives():
    assert parse("[axes]\n" + NETWORK).goals.objectives.columns == MINIMISED
    shipped = parse('[axes]\nticket = "cifar10-32x1-64x2f-128x3f"').goals.objectives
    assert shipped.minimise == MINIMISED and shipped.maximise == MAXIMISED


def test_the_digest_tells_sweeps_apart(ticket, tmp_path):
    def digest(text):
        return parse(text).about["digest"]

    text = f'[axes]\nticket = "{ticket}"\nlatency = 9\n'
    same = [text, text + '[objectives]\nminimise = ["macs"]', text + "[constraints]\nmacs = 1"]
    assert len(set(map(digest, same))) == 1
    other = [text, text.replace("9", "10"), text + "coded = false", "[axes]\n" + NETWORK]
    assert len(set(map(digest, other))) == len(other)
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(ticket.read_bytes())
    text = f'[axes]\nticket = "{copy}"\n'
    before = digest(text)
    from hfn_accel.ticket import load

    found = load(ticket)
    object.__setattr__(found, "seed", found.seed + 1)
    found.save(copy)
    assert digest(text) != before


def test_shipped_sweeps():
    for name, least in (("shipped-ticket", 800), ("hfn-resnet50", 10_000)):
        assert sweep.read(name).space.size >= least


@pytest.mark.parametrize("text, words", [
    ("[axes]\nmask_byte = 256", "unknown axis 'mask_byte': did you mean 'mask_bytes'?"),
    ("[axes]\nqqq = 256", "unknown axis 'qqq': known are"),
    ("[axis]\npe = 1", "unknown section 'axis': did you mean 'axes'?"),
    ("axes = 3", "[axes] must be a section"),
    ("", "a ticket or a network"),
    ("[axes]", "a ticket or a network"),
    ("[axes", "is not TOML"),
    ('[axes]\nticket = "t"\nnetwork = "hfn-resnet18"', "a ticket or a network"),
    ('[axes]\nticket = "cifar10-32x1-64x2f-128x3f"\ncoats = 2', "a ticket has its own coats"),
    ("[axes]\nticket = 3", "ticket must be text"),
    ("[axes]\nticket = 'none.safetensors'", "cannot read none.safetensors"),
    ("[axes]\n" + NETWORK + "coats = [1, 2]\npruned = [0, 4]", "frozen weights need one coat"),
    ("[axes]\n" + NETWORK + "coats = 'two'", "coats must be an integer"),
    ("[axes]\n" + NETWORK + "pe = []", "axis pe has no value"),
    ("[axes]\n" + NETWORK + "pe = [[1]]", "pe must be a value or a list of values"),
    ("[axes]\n" + NETWORK + "pe = {a = 1}", "pe must be a value or a list of values"),
    ("[axes]\n" + NETWORK + "pe = 16", "pe must be RxC"),
    ("[axes]\n" + NETWORK + "pe = '12x8'", "rows must be a power of two"),
    ("[axes]\n" + NETWORK + "mask_bytes = 1000", "mask_bytes must be a power of two"),
    ("[axes]\n" + NETWORK + "mask_bytes = 'big'", "mask_bytes must be a power of two"),
    ("[axes]\n" + NETWORK + "result_words = 'fit'", "result_words must be a power of two"),
    ("[axes]\n" + NETWORK + "latency = 0", "latency must be an integer from 1 to 512"),
    ("[axes]\n" + NETWORK + "coded = 2", "coded must be an integer from 0 to 1"),
    ("[axes]\n" + NETWORK + "activation_bits = 9", "activation_bits must be own or 1 to 8"),
    ("[axes]\n" + NETWORK + "density = 0", "density must be above 0"),
    ("[axes]\n" + NETWORK + "folding = '5'", "folding must be"),
    ("[axes]\nnetwork = 'x'", "network must be one of"),
    ("[axes]\n" + NETWORK + "[constraints]\ncycle = 3", "unknown column in [constraints] 'cycle': "
     "did you mean 'cycles'?"),
    ("[axes]\n" + NETWORK + "[constraints]\ncycles = {max = 3, min = 4}", "min 4 is above max 3"),
    ("[axes]\n" + NETWORK + "[constraints]\ncycles = {most = 3}", "unknown limit"),
    ("[axes]\n" + NETWORK + "[constraints]\ncycles = {}", "cycles needs min or max"),
    ("[axes]\n" + NETWORK + "[constraints]\ncycles = 'few'", "must be limited by a number"),
    ("[axes]\n" + NETWORK + "[constraints]\ncycles = {max = nan}", "must be limited by a number"),
    ("[axes]\n" + NETWORK + "[constraints]\nfolding = {max = 3}", "folding is text"),
    ("[axes]\n" + NETWORK + "[constraints]\nbus_bits = {min = 100}", "no point is left: no "
     "combination of the axes meets bus_bits = {min = 100}"),
    ("[axes]\n" + NETWORK + "[constraints]\nfolding = 'all'", "no point is left"),
    ("[axes]\n" + NETWORK + "[objectives]\nminimize = ['cycles']", "did you mean 'minimise'?"),
    ("[axes]\n" + NETWORK + "[objectives]\nminimise = ['cycels']", "did you mean 'cycles'?"),
    ("[axes]\n" + NETWORK + "[objectives]\nminimise = [3]", "must be a list of columns"),
    ("[axes]\n" + NETWORK + "[objectives]\nminimise = ['macs']\nmaximise = ['macs']",
     "cannot both minimise and maximise macs"),
    ("[axes]\n" + NETWORK + "[sample]\nseed = 1", "[sample] points must be an integer above 0"),
    ("[axes]\n" + NETWORK + "[sample]\npoints = 5\nseed = -1", "[sample] seed must be"),
    ("[axes]\n" + NETWORK + "[sample]\npoint = 5", "did you mean 'points'?"),
])  # fmt: skip
def test_bad_sweeps_name_file_and_fault(tmp_path, text, words):
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    with pytest.raises(HfnError) as refused:
        sweep.read(path)
    assert str(refused.value).startswith(str(path)) and words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(HfnError, match="cannot read .*no.toml"):
        sweep.read(tmp_path / "no.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(HfnError, match="binary.toml is not TOML"):
        sweep.read(tmp_path / "binary.toml")


def test_numbers_of_chunks(monkeypatch):
    monkeypatch.setattr(space, "CHUNK", 4)
    found = parse("[axes]\n" + NETWORK + 'density = [0.1, 0.2]\npe = ["4x4", "8x8", "4x8"]\n'
                  "latency = [1, 2, 3]").space  # fmt: skip
    sizes = [chunk.stop - chunk.start for chunk in found.chunks]
    assert sizes == [4, 4, 1] * 2
    np.testing.assert_array_equal(np.concatenate([found.numbers(c) for c in found.chunks]),
                                  np.arange(18))  # fmt: skip
