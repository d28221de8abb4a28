"""Names that a sweep may use; an unknown one is refused with the nearest known."""

import difflib
from collections.abc import Collection

from ..errors import HfnError


def check_names(given: Collection[str], known: Collection[str], what: str):
    """Raise HfnError, with the nearest of `known`, for the first of `given` that is not known."""
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise HfnError(f"unknown {what} {name!r}: {hint}")
