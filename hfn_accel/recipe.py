"""Everything that decides what a ticket search finds, in one object that is checked as a whole.

A field of `Recipe` is one option of `python -m hfn_accel.train` and one key of a recipe's TOML
file; its help text and what it may be stand beside it, and nowhere else.
"""

import math
import tomllib
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from importlib import resources
from pathlib import Path

from .errors import HfnError
from .files import read_bytes
from .kinds import (
    ARCHITECTURE,
    ASCENDING,
    BITS,
    COUNT,
    FRACTION,
    WHOLE,
    Kind,
    choice,
    integer,
    real,
)
from .modes import FROZEN_PARTS, MAX_COATS
from .network import Architecture
from .networks import NETWORKS

DATASETS = ("cifar10", "cifar100", "fashion-mnist", "digits")
METHODS = ("edge-popup", "biprop", "multicoat", "frozen", "dense")
SEARCHES = METHODS[:-1]
SHORTCUT_BITS = 8  # of projection shortcuts, which have no ReLU and must keep their sign
_BIPOLAR = "b"


@dataclass(frozen=True)
class LayerBits:
    """How one layer's outputs become integers: to `bits`, or to -1 and +1 in one bit."""

    bits: int
    bipolar: bool = False


def _field(kind: Kind, help: str, default=MISSING, methods: tuple[str, ...] = METHODS):
    """A field with what it may be; `methods`: those that it means something to."""
    return field(default=default, metadata={"kind": kind, "help": help, "methods": methods})


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides a search's result.

    Values are brought to their type; what is left to be chosen (`magnitudes`, `quantise_from`) is
    chosen, and a published network's name in `arch` becomes its architecture, so that equal
    recipes are equal searches. Raises HfnError for impossible values and combinations, and for a
    value that the method would ignore. What depends on a layer's size is raised by the method.
    """

    dataset: str = _field(choice(*DATASETS), "what to classify")
    arch: str = _field(
        ARCHITECTURE,
        "width x blocks a stage, b: of bottlenecks, f: folded; imagenet: before them gives that "
        f"stem; or a published network: {', '.join(NETWORKS)}", "32x1,64x2f,128x3f")  # fmt: skip
    method: str = _field(
        choice(*METHODS), "search the supermasks of random weights, or train the weights "
        "themselves for comparison (dense)", "edge-popup")  # fmt: skip
    density: float = _field(
        real(1e-4, 1, "above 0 and at most 1"), "fraction of weights that the mask keeps; of "
        "several coats, the first", 0.3, SEARCHES)  # fmt: skip
    threshold: str = _field(
        choice("layer", "global"), "a threshold on the scores a layer, or one for all", "layer",
        SEARCHES)  # fmt: skip
    recycle_every: int = _field(
        WHOLE, "epochs from one weight recycling to the next; 0: never", 0,
        ("edge-popup", "biprop"))  # fmt: skip
    recycle_fraction: float = _field(
        real(1e-6, 0.5, "above 0 and at most 0.5"), "fraction of a layer's weights recycled at a "
        "time", 0.2, ("edge-popup", "biprop"))  # fmt: skip
    coats: int = _field(
        integer(1, MAX_COATS, f"an integer from 1 to {MAX_COATS}"), "nested masks, which add up",
        1, ("multicoat",))  # fmt: skip
    coat_rule: str = _field(
        choice("uniform", "linear"), "coats with equally spaced densities, or equally spaced "
        "thresholds", "uniform", ("multicoat",))  # fmt: skip
    coat_sparsities: tuple[float, ...] = _field(
        ASCENDING,
        "fraction that each coat leaves out, instead of a rule", (), ("multicoat",))  # fmt: skip
    pruned: float = _field(
        FRACTION, "fraction of all weights frozen to 0", 0.0, ("frozen",))  # fmt: skip
    locked: float = _field(
        FRACTION, "fraction of all weights frozen to their sign", 0.0, ("frozen",))  # fmt: skip
    freeze_pattern: str = _field(
        choice("sequence", "generator"), "where the frozen pattern comes from: the weight "
        "sequence, in sixteenths of a layer, or PyTorch's generator, which no ticket can say",
        "sequence", ("frozen",))  # fmt: skip
    freeze_distribution: str = _field(
        choice("uniform", "erk", "epl"), "how freezing spreads over layers: evenly, by "
        "Erdős-Rényi kernel, or leaving equally many edges a layer", "uniform",
        ("frozen",))  # fmt: skip
    weights: str = _field(
        choice("sequence", "shifted", "generator"), "signs of the weight sequence, of a naive "
        "one-shift LFSR, or of PyTorch's generator", "sequence", SEARCHES)  # fmt: skip
    magnitudes: str = _field(
        choice("", "constant", "normal"), "of the random weights: one a layer, or Kaiming-normal; "
        "left out: normal for biprop, constant for others", "", SEARCHES)  # fmt: skip
    norms: str = _field(
        choice("unshared", "shared"), "affine normalisation of a folded block: one for each "
        "iteration, or one for all", "unshared")  # fmt: skip
    act_bits: str = _field(
        BITS,
        "bits of ReLU outputs (projection shortcuts then have 8), or of every executed layer's "
        "but the classifier's; b: one bit, -1 or +1", "4")  # fmt: skip
    scales: str = _field(
        choice("calibrated", "learned"), "steps of the integers: measured once, or trained",
        "calibrated")  # fmt: skip
    epochs: int = _field(COUNT, "passes over the training images", 40)
    quantise_from: int | None = _field(
        WHOLE, "epoch from which activations are integers; the number of epochs: only afterwards; "
        "left out: three quarters of them", None)  # fmt: skip
    batch: int = _field(COUNT, "images a step, over all processes", 128)
    lr: float = _field(real(1e-9, 1e3, "a positive number"), "highest learning rate", 0.1)
    momentum: float = _field(real(0, 1 - 1e-9, "from 0 to below 1"), "Nesterov's", 0.9)
    weight_decay: float = _field(FRACTION, "of scores and normalisation", 1e-4)
    warmup: float = _field(
        real(0, 1 << 20, "of at least 0"), "epochs of a rising learning rate", 1.0
    )
    validation: float = _field(
        real(0, 0.9, "from 0 to 0.9"), "fraction of the training images held out, on which every "
        "epoch's accuracy is measured", 0.1)  # fmt: skip
    seed: int = _field(
        integer(0, (1 << 64) - 1, "from 0 to 2^64 - 1"), "of the weights and of the search",
        1)  # fmt: skip
    precision: str = _field(
        choice("float32", "bfloat16"), "of the search's arithmetic", "float32")  # fmt: skip

    def __post_init__(self):
        for f in fields(self):
            if (value := getattr(self, f.name)) is not None:
                object.__setattr__(self, f.name, convert(f, value))
        if self.quantise_from is None:
            object.__setattr__(self, "quantise_from", self.epochs * 3 // 4)
        if not self.magnitudes and self.method != "dense":
            own = "normal" if self.method == "biprop" else "constant"
            object.__setattr__(self, "magnitudes", own)
        self.check()

    def check(self):
        """Raise HfnError for values that do not go together."""
        for f in fields(self):
            if self.method not in f.metadata["methods"] and getattr(self, f.name) != f.default:
                of = f.metadata["methods"]
                whose = "a search" if of == SEARCHES else f"method {' or '.join(of)}"
                raise HfnError(f"{f.name} belongs to {whose}, not {self.method}")
        if self.quantise_from > self.epochs:
            raise HfnError(f"quantise_from must be at most epochs {self.epochs}, "
                           f"not {self.quantise_from}")  # fmt: skip
        if self.coat_sparsities:
            if self.coats != len(self.coat_sparsities):
                raise HfnError(f"coat_sparsities are {len(self.coat_sparsities)}: coats must be "
                               f"as many, not {self.coats}")  # fmt: skip
            if not math.isclose(self.coat_sparsities[0], 1 - self.density, abs_tol=1e-9):
                raise HfnError(f"the first of coat_sparsities must be 1 - density = "
                               f"{1 - self.density:g}, not {self.coat_sparsities[0]}")  # fmt: skip
        if self.method == "multicoat" and self.coats < 2:
            raise HfnError("method multicoat needs coats of at least 2, not 1")
        if self.method == "frozen":
            self._check_freezing()
        self.layer_bits(Architecture.parse(self.arch, classes=10))

    def _check_freezing(self):
        if not self.pruned + self.locked:
            raise HfnError("method frozen needs pruned or locked above 0")
        if self.pruned + self.locked > 1 - 1 / FROZEN_PARTS:
            raise HfnError("pruned + locked must be at most 15/16, so that something is left to "
                           f"search, not {self.pruned + self.locked:g}")  # fmt: skip
        if self.pruned > 1 - self.density + 1e-9:
            raise HfnError(f"pruned must be at most 1 - density = {1 - self.density:g}, "
                           f"not {self.pruned:g}")  # fmt: skip
        if self.locked > self.density + 1e-9:
            raise HfnError(f"locked must be at most density {self.density:g}, not {self.locked:g}")

    def layer_bits(self, arch: Architecture) -> tuple[LayerBits, ...]:
        """Of every executed layer but the classifier. Raises HfnError if `act_bits` lists another
        number of layers."""
        given, layers = self.act_bits.split(","), arch.layers[:-1]
        if len(given) == 1:
            given = [given[0] if layer.relu else str(SHORTCUT_BITS) for layer in layers]
        if len(given) != len(layers):
            raise HfnError(f"act_bits must be one value, or one for each of {len(layers)} layers, "
                           f"not {len(given)}")  # fmt: skip
        return tuple(LayerBits(1, True) if b == _BIPOLAR else LayerBits(int(b)) for b in given)

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, given: dict) -> "Recipe":
        """From field -> value. Raises HfnError for unknown or missing fields too."""
        known = [f.name for f in fields(cls)]
        if unknown := sorted(set(given) - set(known)):
            raise HfnError(f"unknown recipe field {unknown[0]!r}; there are {', '.join(known)}")
        if "dataset" not in given:
            raise HfnError(f"dataset is missing; it must be one of {', '.join(DATASETS)}")
        return cls(**given)

    @classmethod
    def from_toml(cls, name: str | Path, **changes) -> "Recipe":
        """From a TOML file of fields, or a shipped one by bare name; `changes` win. Raises
        HfnError."""
        return cls.from_dict(read_toml(name) | changes)


def convert(f: Field, value):
    """The value of a recipe's field from a value or an option's text. Raises HfnError."""
    kind = f.metadata["kind"]
    try:
        return kind.convert(value)
    except (ValueError, TypeError, OverflowError):
        raise HfnError(f"{f.name} must be {kind.what}, not {value!r}") from None


def presets() -> list[str]:
    """Names of the shipped recipes."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def read_toml(name: str | Path) -> dict:
    """Field -> value of a TOML file, or of a shipped recipe by bare name; unchecked but for
    unknown fields. Raises HfnError with the file's name."""
    path = _folder() / f"{name}.toml" if str(name) in presets() else Path(name)
    if path.parent == Path(".") and path.suffix != ".toml" and not path.exists():
        raise HfnError(f"there is no recipe {str(name)!r}; shipped are {', '.join(presets())}")
    try:
        given = tomllib.loads(read_bytes(path).decode())
    except (ValueError, RecursionError) as error:
        raise HfnError(f"{path} is not TOML: {error}") from None
    if unknown := sorted(set(given) - {f.name for f in fields(Recipe)}):
        raise HfnError(f"{path}: unknown recipe field {unknown[0]!r}")
    return given


def _folder() -> Path:
    return Path(str(resources.files("hfn_accel") / "data" / "recipes"))
