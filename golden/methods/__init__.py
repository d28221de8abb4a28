"""Search methods: rules by which scores choose which random weights exist."""

from hfn_accel.network import Architecture
from hfn_accel.recipe import Recipe

from .biprop import Biprop
from .edge_popup import EdgePopup
from .frozen import Frozen, freezing
from .multicoat import Multicoat

METHODS = {"edge-popup": EdgePopup, "biprop": Biprop, "multicoat": Multicoat, "frozen": Frozen}


def make(recipe: Recipe, arch: Architecture) -> EdgePopup | None:
    """The method of a recipe; None for the dense network, whose weights are trained themselves.

    Raises HfnError, naming the layer, for a freezing that a layer cannot have.
    """
    if recipe.method == "dense":
        return None
    given = {"density": recipe.density, "threshold": recipe.threshold,
             "magnitudes": recipe.magnitudes}  # fmt: skip
    if recipe.method == "multicoat":
        given |= {"coats": recipe.coats, "rule": recipe.coat_rule,
                  "sparsities": recipe.coat_sparsities}  # fmt: skip
    elif recipe.method == "frozen":
        given |= {"pattern": recipe.freeze_pattern, "seed": recipe.seed,
                  "shares": freezing(recipe, arch)}  # fmt: skip
    else:
        given |= {"recycle_every": recipe.recycle_every,
                  "recycle_fraction": recipe.recycle_fraction}  # fmt: skip
    return METHODS[recipe.method](**given)
