"""Recipes: what goes together, their files and their options, all from one table."""

import argparse
import json
import re
import shlex
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfn_accel import recipe_options, train
from hfn_accel.errors import HfnError
from hfn_accel.networks import named
from hfn_accel.recipe import DATASETS, METHODS, SHORTCUT_BITS, LayerBits, Recipe, presets, read_toml

ROOT = Path(__file__).parent.parent.parent
SMALL = {"dataset": "digits", "arch": "4x1,6x2f"}


def architecture(recipe):
    return named("hfn-resnet18", "cifar10").parse(recipe.arch, classes=10)


def parsed(words) -> Recipe:
    p = argparse.ArgumentParser()
    recipe_options.add_options(p)
    return recipe_options.chosen(p.parse_args([str(word) for word in words]))


@st.composite
def recipes(draw):
    """Any recipe that means something: fields of its method only."""
    method = draw(st.sampled_from(METHODS))
    density = draw(st.sampled_from((0.1, 0.3, 0.5, 1.0)))
    values = {
        "dataset": draw(st.sampled_from(DATASETS)), "method": method,
        "arch": draw(st.sampled_from(("4x1", "4x1,6x2f", "8x2bf,8x1b2", "64x2,128x2f"))),
        "norms": draw(st.sampled_from(("unshared", "shared"))),
        "act_bits": draw(st.sampled_from(("1", "8", "b", 3))),
        "scales": draw(st.sampled_from(("calibrated", "learned"))),
        "epochs": draw(st.integers(4, 9)), "quantise_from": draw(st.sampled_from((None, 0, 3))),
        "lr": draw(st.floats(1e-6, 10)), "momentum": draw(st.sampled_from((0, 0.5))),
        "warmup": draw(st.sampled_from((0, 2.5))), "validation": draw(st.floats(0, 0.5)),
        "seed": draw(st.integers(0, 2**64 - 1)), "batch": draw(st.integers(1, 999)),
        "precision": draw(st.sampled_from(("float32", "bfloat16"))),
    }  # fmt: skip
    if method != "dense":
        values |= {"density": density, "threshold": draw(st.sampled_from(("layer", "global"))),
                   "weights": draw(st.sampled_from(("sequence", "shifted", "generator"))),
                   "magnitudes": draw(st.sampled_from(("", "constant", "normal")))}  # fmt: skip
    if method in ("edge-popup", "biprop"):
        values |= {"recycle_every": draw(st.integers(0, 5)),
                   "recycle_fraction": draw(st.floats(0.01, 0.5))}  # fmt: skip
    if method == "multicoat":
        coats = draw(st.integers(2, 4))
        values |= {"coats": coats, "coat_rule": draw(st.sampled_from(("uniform", "linear")))}
        if draw(st.booleans()):
            rest = sorted(draw(st.sets(st.floats(1 - density + 1e-3, 1 - 1e-6), min_size=coats - 1,
                                       max_size=coats - 1)))  # fmt: skip
            if len(rest) == coats - 1 and density < 1:
                values["coat_sparsities"] = (1 - density, *rest)
    if method == "frozen":
        values |= {"pruned": (1 - density) / 2, "locked": density / 4,
                   "freeze_distribution": draw(st.sampled_from(("uniform", "erk", "epl"))),
                   "freeze_pattern": draw(st.sampled_from(("sequence", "generator")))}  # fmt: skip
    return Recipe(**values)


@settings(max_examples=40, deadline=None)
@given(recipes())
def test_a_recipe_survives_json_and_the_fewest_options(recipe):
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    words = recipe_options.words(recipe)
    assert parsed(words) == recipe
    names = words[::2]
    assert len(set(names)) == len(names)
    for i in range(0, len(words), 2):  # none of them can be left out
        try:
            other = parsed(words[:i] + words[i + 2 :])
        except HfnError:
            continue
        assert other != recipe, words[i]


@settings(max_examples=20, deadline=None)
@given(recipes(), st.sampled_from(presets()))
def test_the_fewest_options_over_a_preset(recipe, preset):
    words = recipe_options.words(recipe, preset)
    assert words[:2] == ["--preset", preset] and parsed(words) == recipe


@pytest.mark.parametrize("preset", presets())
def test_presets(preset):
    """Each is a recipe of its own that says its source and whether it was run."""
    recipe = Recipe.from_toml(preset)
    assert recipe_options.words(recipe, preset) == ["--preset", preset]
    text = (ROOT / "hfn_accel/data/recipes" / f"{preset}.toml").read_text()
    said = " ".join(text[: text.index("dataset =")].replace("#", " ").split())
    assert "et al." in said or "and" in said
    assert "Not run here" in said
    assert max(map(len, text.splitlines())) <= 100
    assert len({Recipe.from_toml(name) for name in presets()}) == len(presets())


def test_published_figures_of_presets():
    hfn = Recipe.from_toml("hfn-resnet50-cifar100")
    assert architecture(hfn) == named("hfn-resnet50", "cifar10")
    assert (hfn.epochs, hfn.batch, hfn.lr, hfn.weight_decay) == (200, 128, 0.1, 5e-4)
    assert (hfn.density, hfn.validation, hfn.quantise_from) == (0.3, 0.1, 200)
    pairs = {(r.recycle_every, r.recycle_fraction)
             for r in map(Recipe.from_toml, presets()) if r.recycle_every}  # fmt: skip
    assert pairs == {(3, 0.1), (10, 0.2)}
    rules = {r.coat_rule for r in map(Recipe.from_toml, presets()) if r.method == "multicoat"}
    assert rules == {"uniform", "linear"}
    biprop = Recipe.from_toml("biprop-resnet18")
    assert (biprop.density, biprop.epochs, biprop.magnitudes) == (0.2, 250, "normal")
    assert Recipe.from_toml("biprop-resnet18-1bit").act_bits == "b"
    frozen = {r.pruned + r.locked for r in map(Recipe.from_toml, presets())}
    assert frozen == {0, 0.5, 0.6875}


def test_bits_of_layers():
    recipe = Recipe(**SMALL, act_bits="4")
    arch = architecture(recipe)
    found = recipe.layer_bits(arch)
    assert found == tuple(LayerBits(4 if c.relu else SHORTCUT_BITS) for c in arch.layers[:-1])
    assert SHORTCUT_BITS in {b.bits for b in found}
    listed = ",".join("b84"[i % 3] for i in range(len(found)))
    found = Recipe(**SMALL, act_bits=listed).layer_bits(arch)
    assert found[:3] == (LayerBits(1, True), LayerBits(8), LayerBits(4))
    assert {LayerBits(1, True), LayerBits(8)} == set(Recipe(**SMALL, act_bits="b").layer_bits(arch))


def test_what_is_left_out_is_chosen():
    assert Recipe(**SMALL, epochs=10).quantise_from == 7
    for method, magnitudes in (("edge-popup", "constant"), ("biprop", "normal"), ("dense", "")):
        assert Recipe(**SMALL, method=method).magnitudes == magnitudes
    assert Recipe(**SMALL, method="biprop", magnitudes="constant").magnitudes == "constant"
    assert isinstance(Recipe(**SMALL, lr=1).lr, float)


@pytest.mark.parametrize("values, message", [
    ({"dataset": "mnist"}, "dataset must be one of cifar10, cifar100, fashion-mnist, digits, not"),
    ({"density": 0}, "density must be above 0 and at most 1, not 0"),
    ({"density": float("nan")}, "density must be above 0"),
    ({"density": True}, "density must be"), ({"epochs": 2.5}, "epochs must be an integer of at l"),
    ({"epochs": True}, "epochs must be"), ({"epochs": "9" * 5000}, "epochs must be"),
    ({"quantise_from": 41}, "quantise_from must be at most epochs 40, not 41"),
    ({"arch": "8x"}, "architecture must be WIDTHxBLOCKS"),
    ({"arch": "5000x1"}, "stage width must be"), ({"arch": 3}, "arch must be an architecture, not"),
    ({"arch": ["4x1"]}, "arch must be an architecture"),
    ({"act_bits": "9"}, "act_bits must be from 1 to 8 or b"),
    ({"act_bits": "4,4"}, "act_bits must be one value, or one for each of 8 layers, not 2"),
    ({"seed": 1 << 64}, "seed must be from 0 to 2"), ({"lr": "fast"}, "lr must be a positive"),
    ({"coats": 2}, "coats belongs to method multicoat, not edge-popup"),
    ({"method": "multicoat"}, "method multicoat needs coats of at least 2, not 1"),
    ({"method": "multicoat", "coats": 8}, "coats must be an integer from 1 to 7, not 8"),
    ({"method": "multicoat", "coats": 3, "coat_sparsities": (0.7, 0.9)},
     "coat_sparsities are 2: coats must be as many, not 3"),
    ({"method": "multicoat", "coats": 2, "coat_sparsities": (0.6, 0.9)},
     "the first of coat_sparsities must be 1 - density = 0.7, not 0.6"),
    ({"method": "multicoat", "coats": 2, "coat_sparsities": (0.7, 0.7)},
     "coat_sparsities must be ascending"),
    ({"method": "multicoat", "coats": 2, "coat_sparsities": (0.7, 1)},
     "coat_sparsities must be ascending"),
    ({"recycle_every": 3, "method": "frozen", "pruned": 0.5},
     "recycle_every belongs to method edge-popup or biprop, not frozen"),
    ({"density": 0.5, "method": "dense"}, "density belongs to a search, not dense"),
    ({"pruned": 0.5}, "pruned belongs to method frozen, not edge-popup"),
    ({"method": "frozen"}, "method frozen needs pruned or locked above 0"),
    ({"method": "frozen", "pruned": 0.75}, "pruned must be at most 1 - density = 0.7, not 0.75"),
    ({"method": "frozen", "locked": 0.35}, "locked must be at most density 0.3, not 0.35"),
    ({"method": "frozen", "pruned": 0.7, "locked": 0.3},
     "pruned + locked must be at most 15/16, so that something is left to search, not 1"),
])  # fmt: skip
def test_impossible_recipes(values, message):
    with pytest.raises(HfnError) as error:
        Recipe(**SMALL | values)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_files(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('dataset = "digits"\nact_bits = 3\nmethod = "multicoat"\ncoats = 2\n'
                    "coat_sparsities = [0.7, 0.9]\nlr = 1\n")  # fmt: skip
    recipe = Recipe.from_toml(path, epochs=4)
    assert recipe.coat_sparsities == (0.7, 0.9) and recipe.act_bits == "3" and recipe.epochs == 4
    assert parsed(["--recipe", path, "--epochs", 4]) == recipe
    for text, message in (
        ("epoch = 3", f"{path}: unknown recipe field 'epoch'"),
        ("= 3", f"{path} is not TOML"),
        ("lr = 1", "dataset is missing"),
    ):
        path.write_text(text)
        with pytest.raises(HfnError, match=re.escape(message)):
            Recipe.from_toml(path)
    with pytest.raises(HfnError, match="cannot read nowhere.toml"):
        read_toml("nowhere.toml")
    with pytest.raises(HfnError, match="there is no recipe 'nothing'; shipped are biprop-resnet18"):
        read_toml("nothing")
    with pytest.raises(HfnError, match="--preset must be one of .*, not 'r.toml'"):
        parsed(["--preset", "r.toml"])
    with pytest.raises(HfnError, match="unknown recipe field 'speed'; there are dataset, arch"):
        Recipe.from_dict({"dataset": "digits", "speed": 1})


def test_what_lies_around_does_not_hide_a_preset(tmp_path, monkeypatch):
    """A folder of plots, say, of the preset's name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "biprop-resnet18").mkdir()
    assert parsed(["--preset", "biprop-resnet18"]).method == "biprop"
    (tmp_path / "mine").write_text('dataset = "digits"')
    assert parsed(["--recipe", "mine"]) == Recipe(dataset="digits")


def test_every_field_is_an_option_with_its_default():
    for f in fields(Recipe):
        about = recipe_options.about(f)
        assert f.metadata["help"] in about
        if f.default not in (MISSING, None, "", ()):
            assert f"default {f.default}" in about
    assert "(multicoat; default 1)" in recipe_options.table()


def test_the_documentation_names_these_options_and_presets():
    text = (ROOT / "docs" / "search.md").read_text()
    assert recipe_options.table() in text
    assert re.findall(r"^\| `([a-z0-9-]+)` \| ", text.partition("| `--preset`")[2], re.M)[
        : len(presets())] == presets()  # fmt: skip


def test_commands_of_the_documentation(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text('dataset = "digits"\nquantise_from = 30\n')
    text = (ROOT / "docs" / "search.md").read_text()
    commands = re.findall(r"^python -m hfn_accel\.train (.*)$", text, re.M)
    assert len(commands) == 3
    for command in commands:
        train.arguments(shlex.split(command))
