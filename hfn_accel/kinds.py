"""What a field of a recipe may be, said in words and as a conversion from a value or a text."""

import re
from collections.abc import Callable
from typing import NamedTuple

from .network import Architecture
from .networks import NETWORKS, named


class Kind(NamedTuple):
    """What a field may be. `convert` takes a value, or its text as an option gives it, and raises
    ValueError or TypeError for any that is not `what` says; `metavar` stands for it in help."""

    what: str
    metavar: str
    convert: Callable


def integer(low: int, high: int, what: str) -> Kind:
    def convert(value):
        number = int(value) if isinstance(value, str) else value
        if type(number) is not int or not low <= number <= high:
            raise ValueError
        return number

    return Kind(what, "N", convert)


def real(low: float, high: float, what: str) -> Kind:
    def convert(value):
        number = float(value)
        if isinstance(value, bool) or not low <= number <= high:
            raise ValueError
        return number

    return Kind(what, "X", convert)


def choice(*names: str) -> Kind:
    def convert(value):
        if value not in names:
            raise ValueError
        return value

    return Kind("one of " + ", ".join(name for name in names if name), "NAME", convert)


def _architecture(value) -> str:
    if value in NETWORKS:
        return str(named(value, "cifar10"))
    if not isinstance(value, str):
        raise TypeError
    return str(Architecture.parse(value, classes=10))


def _bits(value) -> str:
    text = str(value)
    if not re.fullmatch(r"[1-8b](,[1-8b])*", text):
        raise ValueError
    return text


def _ascending(value) -> tuple[float, ...]:
    value = value.split(",") if isinstance(value, str) and value else value
    numbers = tuple(float(number) for number in value)
    if not all(a < b for a, b in zip((-1e-12, *numbers), (*numbers, 1), strict=True)):
        raise ValueError
    return numbers


ARCHITECTURE = Kind("an architecture", "WxB[b][f],...", _architecture)
BITS = Kind("from 1 to 8 or b, or such a list with commas", "A[,A...]", _bits)
ASCENDING = Kind("ascending fractions from 0 to below 1, with commas", "S[,S...]", _ascending)
COUNT = integer(1, 1 << 20, "an integer of at least 1")
WHOLE = integer(0, 1 << 20, "an integer of at least 0")
FRACTION = real(0, 1, "from 0 to 1")
