"""Energy of runs and of weights."""

import itertools
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from hfn_accel import energy, energy_plots, sequence
from hfn_accel.config import Config
from hfn_accel.energy_tables import (
    ADDERS,
    DRAMS,
    NODES,
    Sram,
    constants,
    sram_read_pj,
    sram_write_pj,
)  # fmt: skip
from hfn_accel.errors import HfnError
from hfn_accel.estimator import CLASSES

DESIGN = {
    "rows_lanes": 16, "columns_channels": 8, "bus_bits": 64, "accumulator_bits": 24,
    "requantisers": 4, "activation_bank_bytes": 65536, "mask_buffer_bytes": 32768,
    "psum_depth_pixels": 256, "parameter_channels": 512, "coded": 0,
}  # fmt: skip
COUNTS = (
    "array_planes", "tile_rows", "psum_updates", "requantised", "bank_write_words",
    "residual_words", "pool_words", "mask_write_beats", "parameter_reads",
    *(f"{name}_moved_bytes" for name in CLASSES),
)  # fmt: skip
IDLE = DESIGN | dict.fromkeys(COUNTS, 0)
SINGLE = list(itertools.product(DRAMS, NODES, ADDERS))


def points(rng, count: int) -> dict[str, np.ndarray]:
    """Designs and runs of any kind."""
    table = {name: rng.integers(0, 1 << 24, count) for name in COUNTS}
    choices = {
        "rows_lanes": 1 << np.arange(7), "columns_channels": 1 << np.arange(7),
        "bus_bits": [64, 128], "accumulator_bits": range(12, 33),
        "requantisers": 1 << np.arange(7), "activation_bank_bytes": 1 << np.arange(8, 23),
        "mask_buffer_bytes": 1 << np.arange(8, 23), "psum_depth_pixels": 1 << np.arange(4, 17),
        "parameter_channels": 1 << np.arange(6, 14), "coats": range(1, 8),
        "pruned_sixteenths": range(8), "locked_sixteenths": range(8), "coded": [0, 1],
        "cycles": [1e6, 1e7], "clock_mhz": [100.0, 437.5],
    }  # fmt: skip
    return table | {name: rng.choice(list(values), count) for name, values in choices.items()}


@pytest.fixture(scope="module")
def runs():
    return points(np.random.default_rng(0), 200)


@pytest.mark.parametrize("wrong, name", [({"dram": "ddr9"}, "dram"), ({"node": 28}, "node"),
                                         ({"adders": "intel"}, "adders")])  # fmt: skip
def test_unknown_tables_are_refused(wrong, name):
    [value] = wrong.values()
    with pytest.raises(HfnError, match=f"{name} must be one of .*, not {value!r}"):
        energy.energy(IDLE, **wrong)


# ---- a run

GATE, BIT, SHIFT = 0.0181 / 32, 0.009, 0.417 / 32
ADD = {"aladdin": 0.21 / 32, "horowitz": 0.03 / 8}  # a bit, of up to 8
DECODED = 15 * (16 + 8) * ADD["aladdin"] + 2 * 47 * SHIFT + (47 + 64) * BIT  # a unit
BANK, MASK = 5.6696, 3.7865  # pJ a read of 64 bits of 64 and 32 KiB, 22 nm
BANK_WRITE, MASK_WRITE = 4.4275, 3.1042


def by_hand() -> dict[str, tuple[dict, float]]:
    """Component: counts and pJ with LPDDR4, 22 nm and Aladdin."""
    psum = [sram(6144, 192, 22) for sram in (sram_read_pj, sram_write_pj)]
    parameters = [sram(4096, 256, 22) for sram in (sram_read_pj, sram_write_pj)]
    xors = 3 + sum(sequence.jump_rows(c << 20)[-1].bit_count() - 1 for c in range(8))
    add = ADD["aladdin"]
    column = (4 + 6) * add + (2 * 16 + 51) * GATE + (17 + 6) * BIT  # 8 + 4 + 2 + 1 sums: 4 adders
    product = 0.2 + 2.9 * (24 * 16 - 64) / 960 + 0.2 + 2.9 * (8 * 16 - 64) / 960
    requantiser = (24 + 8 + 64) + (33 + 23 + 24 + 32) + (25 + 34 + 17) + 40 + (12 + 9 + 4) + 8
    result = requantiser + (24 + 16) * 2 + 8
    return {
        "mask_transfer": ({"mask_moved_bytes": 3}, 3 * 8 * 8),
        "activation_write_transfer": ({"activation_write_moved_bytes": 8, "store_beats": 0}, 512),
        "activation_banks": (
            {"residual_words": 5, "pool_words": 6, "store_beats": 7, "bank_write_words": 11,
             "load_beats": 13, "array_planes": 17}, 35 * BANK + 24 * BANK_WRITE),
        "mask_buffer": ({"mask_read_rows": 10, "tile_rows": 10, "mask_write_beats": 3},
                        10 * MASK + 3 * MASK_WRITE),
        "partial_sums": ({"psum_updates": 2}, 2 * (sum(psum) + 8 * 24 * add + 8 * (28 + 72) * BIT)),
        "parameter_buffer": ({"parameter_reads": 12, "parameter_moved_bytes": 16},
                             3 * parameters[0] + 2 * parameters[1]),
        "array": ({"array_planes": 3, "tile_rows": 2},
                  3 * (8 * column + 32 * BIT) + 2 * 8 * (14 * BIT + 5 * add)),
        "accumulators": ({"array_planes": 3}, 3 * 8 * 14 * (add + BIT)),
        "sign_generation": ({"tile_rows": 7}, 7 * (64 * BIT + xors * GATE)),
        "mask_decoding": ({"mask_write_beats": 3, "coded": 1}, 24 * DECODED + 3 * 64 * BIT),
        "requantisation": ({"requantised": 4, "residual_words": 2},
                           4 * (product + 4 * 52 * add + 52 * SHIFT + result * BIT)
                           + 2 * 64 * BIT),
        "pooling": ({"pool_words": 3}, 3 * 8 * (15 * GATE + 4 * BIT)),
        "leakage": ({"cycles": 500, "clock_mhz": 250},
                    2000 * (3 * 0.00976956 + 0.00545624
                            + Sram(6144, 192).value("leak_mW", 22)
                            + Sram(4096, 256).value("leak_mW", 22))),
    }  # fmt: skip


@pytest.mark.parametrize("component", by_hand())
def test_components_by_hand(component):
    counts, pj = by_hand()[component]
    found = energy.energy(IDLE | counts, "lpddr4", 22, "aladdin")
    for end in ("low", "high"):
        assert found[f"{component}_energy_{end}_uj"] == pytest.approx(pj / 1e6)


def test_a_word_of_parameters_is_at_least_a_beat():
    table = IDLE | {"parameter_reads": 3, "requantisers": np.array([1, 2]), "bus_bits": 128}
    found = energy.energy(table, "lpddr4", 22)["parameter_buffer_energy_low_uj"]
    word = sram_read_pj(4096, 128, 22) / 1e6
    np.testing.assert_allclose(found, [3 * word, 1.5 * word])


def test_narrow_accumulators_keep_fewer_bits():
    table = IDLE | {"array_planes": 2, "accumulator_bits": np.array([12, 13, 14, 24])}
    found = energy.energy(table, "lpddr4", 22, "aladdin")["accumulators_energy_low_uj"]
    bits = np.array([12, 13, 14, 14])
    np.testing.assert_allclose(found, 2 * 8 * bits * (ADD["aladdin"] + BIT) / 1e6)


def test_the_pattern_of_frozen_networks():
    table = IDLE | {"mask_write_beats": 3, "pruned_sixteenths": np.array([0, 1]), "coded": 1}
    found = energy.energy(table, "lpddr4", 22, "aladdin")["mask_decoding_energy_low_uj"]
    rows = 3 * 64 / 8
    pattern = 64 * BIT + energy.sign_gates(8, 4) * GATE + 2 * 8 * 4 * ADD["aladdin"]
    assert found[1] - found[0] == pytest.approx(rows * pattern / 1e6)


def test_coats_freezing_and_sign_planes_pass_the_decoder():
    def decoding(**counts):
        found = energy.energy(IDLE | {"mask_write_beats": 3} | counts)
        return found["mask_decoding_energy_low_uj"], found["mask_buffer_energy_low_uj"]

    plain, coded = decoding(), decoding(coded=1)
    assert coded > plain and decoding(coats=2) == coded
    assert decoding(locked_sixteenths=3)[0] > coded[0]  # the pattern is generated, too
    assert decoding(tile_rows=1, mask_read_rows=2)[0] == coded[0]


def test_components_sum_to_the_total(runs):
    found = energy.energy(runs)
    for end in ("low", "high"):
        parts = [v for n, v in found.items() if n.endswith(f"_{end}_uj") and n.count("_") > 2]
        assert len(parts) == len(CLASSES) + 11
        np.testing.assert_allclose(found[f"energy_{end}_uj"], sum(parts), rtol=1e-12)
        assert all((part >= 0).all() for part in parts)


def test_without_a_clock_there_is_no_leakage(runs):
    less = {name: column for name, column in runs.items() if name != "clock_mhz"}
    assert "leakage_energy_low_uj" not in energy.energy(less)
    assert "leakage_energy_low_uj" in energy.energy(runs)


def test_the_interval_contains_every_single_table(runs):
    whole = energy.energy(runs)
    names = {name.removesuffix("_low_uj") for name in whole if name.endswith("_low_uj")}
    touched = {name: [False, False] for name in names}
    for tables in SINGLE:
        one = energy.energy(runs, *tables)
        for name in names:
            low, high = one[f"{name}_low_uj"], one[f"{name}_high_uj"]
            assert (whole[f"{name}_low_uj"] <= low * (1 + 1e-12)).all() and (low <= high).all()
            assert (whole[f"{name}_high_uj"] >= high * (1 - 1e-12)).all()
            touched[name][0] |= np.isclose(low[0], whole[f"{name}_low_uj"][0], rtol=1e-9)
            touched[name][1] |= np.isclose(high[0], whole[f"{name}_high_uj"][0], rtol=1e-9)
    # no wider than needed, but for sums of parts that have their extremes in different tables
    assert all(all(ends) for name, ends in touched.items() if name != "energy")


@pytest.mark.parametrize("name", COUNTS)
def test_more_activity_never_takes_less(runs, name):
    less = energy.energy(runs)
    more = energy.energy(runs | {name: runs[name] + 1000})
    for end in ("low", "high"):
        assert (more[f"energy_{end}_uj"] > less[f"energy_{end}_uj"]).all()


def test_scalars_are_arrays_of_one_point(runs):
    whole = energy.energy(runs)
    for i in (0, 17, 199):
        one = energy.energy({name: column[i].item() for name, column in runs.items()})
        for name, column in whole.items():
            assert one[name].shape == () and one[name] == pytest.approx(column[i], rel=1e-12)


def test_points_that_do_not_fit_have_no_energy(runs):
    broken = runs | {name: np.where(np.arange(200) == 3, np.nan, runs[name]) for name in COUNTS}
    found = energy.energy(broken)["energy_low_uj"]
    assert np.isnan(found[3]) and np.isfinite(np.delete(found, 3)).all()


def test_every_result_names_its_tables():
    parts = energy.components(IDLE, "lpddr4", 22, "horowitz")
    assert parts["mask_transfer"].rows == {"energy_constants.csv lpddr4"}
    assert parts["sign_generation"].rows == {
        "energy_constants.csv register_bit", "energy_constants.csv bitwise_32"
    }  # fmt: skip
    assert parts["activation_banks"].rows == Sram(65536, 64).rows(22)
    assert all(part.rows for part in parts.values())


@pytest.mark.parametrize("name", [*DESIGN, *COUNTS])
def test_a_missing_column_is_named(name):
    table = {n: value for n, value in IDLE.items() if n != name}
    with pytest.raises(HfnError, match=f"the column '{name}'"):
        energy.energy(table)


def test_columns_that_may_be_missing(runs):
    plain = runs | {"coats": 1, "pruned_sixteenths": 0, "locked_sixteenths": 0}
    beats = {f"{name}_beats": runs[f"activation_{way}_moved_bytes"] * 8 / runs["bus_bits"]
             for name, way in (("load", "read"), ("store", "write"))}  # fmt: skip
    whole = energy.energy(plain | beats | {"mask_read_rows": runs["tile_rows"]})
    frozen = {"coats", "pruned_sixteenths", "locked_sixteenths"}
    found = energy.energy({n: column for n, column in plain.items() if n not in frozen})
    for name, column in whole.items():
        np.testing.assert_allclose(found[name], column, rtol=1e-12)


# ---- regenerate against fetch


def test_weights_by_hand():
    config = Config(mask_bytes=32768, columns=8)
    table = energy.weight_energy(config, 0.3, "lpddr4", 22, "aladdin")
    assert (table["energy_low_pj"] == table["energy_high_pj"]).all()
    columns = (table[name] for name in ("weight", "place", "energy_low_pj"))
    found = {(name, place): pj for name, place, pj in zip(*columns, strict=True)}
    xors = 3 + sum(sequence.jump_rows(c << 20)[-1].bit_count() - 1 for c in range(8))
    sign = (64 * BIT + xors * GATE) / 8
    assert found["random sign, no mask", "generated"] == pytest.approx(sign)
    assert found["random sign and mask", "on chip"] == pytest.approx(sign + MASK / 8)
    assert found["random sign and raw mask", "off chip"] == pytest.approx(
        sign + MASK / 8 + MASK_WRITE / 64 + 8
    )
    assert found["dense 8-bit", "on chip"] == pytest.approx(MASK / 8)  # a word a row
    assert found["dense float32", "on chip"] == pytest.approx(4 * MASK / 8)
    assert found["ternary 2-bit", "off chip"] == pytest.approx(MASK / 8 + MASK_WRITE / 32 + 16)
    coded = sign + MASK / 8 + (MASK_WRITE + DECODED) / 8 + 8 * energy.coded_bits(0.3)
    assert found["random sign and coded mask", "off chip"] == pytest.approx(coded)


@pytest.mark.parametrize("columns", [1, 4, 16, 64])
@pytest.mark.parametrize("tables", [(None, None, None), *SINGLE])
def test_regenerating_is_cheaper_than_fetching(columns, tables):
    table = energy.weight_energy(Config(columns=columns), 0.3, *tables)
    place, low = table["place"], table["energy_low_pj"]
    assert (low <= table["energy_high_pj"]).all()
    assert low[place == "generated"] < low[place == "off chip"].min()
    by_name = dict(zip(zip(table["weight"], place, strict=True), low, strict=True))
    assert by_name["random sign and raw mask", "off chip"] < by_name["ternary 2-bit", "off chip"]


def test_the_documentation_has_these_figures():
    text = (Path(__file__).parents[2] / "docs" / "energy.md").read_text()
    cells = [[cell.strip() for cell in line.split("|")[2:6]] for line in text.splitlines()
             if re.search(r"\| (generated|on chip|off chip) \|", line)]  # fmt: skip
    tables = [energy.weight_energy(Config(), 0.3, dram) for dram in (None, "lpddr4")]
    ends = [zip(*(table[f"energy_{end}_pj"] for end in ("low", "high")), strict=True)
            for table in tables]  # fmt: skip
    rows = zip(tables[0]["place"], tables[0]["off_chip_bits"], *ends, strict=True)
    wanted = [
        [place, f"{bits:.3f}".rstrip("0").rstrip("."),
         *(" to ".join(dict.fromkeys(f"{pj:.3f}" for pj in pair)) for pair in pairs)]
        for place, bits, *pairs in rows
    ]  # fmt: skip
    assert cells == wanted


def test_bits_of_a_coded_mask():
    entropy = -0.3 * np.log2(0.3) - 0.7 * np.log2(0.7)
    assert entropy < energy.coded_bits(0.3) < 1.01 * entropy
    assert energy.coded_bits(0.6) == 1
    for density in (0, 1, float("nan")):
        with pytest.raises(HfnError, match="density must be"):
            energy.coded_bits(density)


def test_sources_name_each_table_once():
    rows = {"a.csv x", "a.csv y z", "b.csv x"}
    assert energy.sources(rows) == "a.csv: x, y z; b.csv: x"


def command(monkeypatch, *arguments: str):
    monkeypatch.setattr(sys, "argv", ["energy", *arguments])
    energy.main()


def test_the_command_prints_every_source(monkeypatch, capsys, tmp_path):
    command(monkeypatch, "--pe", "8x8", "--dram", "lpddr4", "--json", str(tmp_path / "e.json"),
            "--plot", str(tmp_path / "e.png"))  # fmt: skip
    text = capsys.readouterr().out
    found = json.loads((tmp_path / "e.json").read_text())
    assert found["config"]["columns"] == 8 and found["dram"] == "lpddr4"
    assert {c["item"] for c in found["constants"]} == set(constants())
    for c in found["constants"]:
        assert f"{c['value']:g} {c['unit']}" in text and c["source"] in text
    table = energy.weight_energy(Config(rows=8, columns=8), dram="lpddr4")
    for i, row in enumerate(found["weights"]):
        assert row == {name: column[i].item() for name, column in table.items()}
        assert f"{row['energy_low_pj']:.3f}" in text and row["tables"] in text
    assert (tmp_path / "e.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_refuses_what_it_does_not_know(monkeypatch):
    for arguments in (["--dram", "x"], ["--node", "7"], ["--adders", "x"], ["--density", "2"]):
        with pytest.raises(HfnError):
            command(monkeypatch, *arguments)


def test_the_picture_is_the_table():
    table = energy.weight_energy(Config())
    axes = energy_plots.regenerate_or_store(Config()).axes[0]
    order = np.argsort(table["energy_low_pj"], kind="stable")
    assert [t.get_text() for t in axes.get_yticklabels()] == table["weight"][order].tolist()
    bars = sorted((round(bar.get_y() + bar.get_height() / 2), bar.get_x(),
                   bar.get_x() + bar.get_width()) for bar in axes.patches)  # fmt: skip
    low, high = (table[f"energy_{end}_pj"][order] for end in ("low", "high"))
    np.testing.assert_allclose([bar[1] for bar in bars], low)
    np.testing.assert_allclose([bar[2] for bar in bars], np.maximum(high, 1.06 * low))
    assert "pJ" in axes.get_xlabel()
    assert axes.lines[0].get_label() == "ends with LPDDR4, 8 pJ/bit"
    fetched = np.flatnonzero(table["place"][order] == "off chip")
    one = energy.weight_energy(Config(), dram="lpddr4")
    np.testing.assert_allclose(
        axes.lines[0].get_xdata(),
        np.concatenate([one[f"energy_{end}_pj"][order][fetched] for end in ("low", "high")]),
    )
