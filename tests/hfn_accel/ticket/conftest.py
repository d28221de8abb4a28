"""Small random tickets in files."""

import numpy as np
import pytest

from hfn_accel.modes import Mode
from hfn_accel.network import Architecture
from hfn_accel.program import Signs
from hfn_accel.random_ticket import random_ticket

ARCH = Architecture.parse("3x1,6x3f", classes=4, image_size=5)
MODES = {
    "plain": Mode(),
    "coats": Mode(coats=3),
    "frozen": Mode(pruned=5, locked=3),
    "exceptions": Mode(signs=Signs.EXCEPTIONS),
    "explicit": Mode(coats=2, signs=Signs.EXPLICIT),
}


@pytest.fixture
def saved(tmp_path):
    """A function from a mode's name to a file, of which the second ticket is another."""

    def save(mode: str, seed: int = 1, **options):
        path = tmp_path / f"{mode}-{seed}.safetensors"
        random_ticket(ARCH, seed, density=0.4, modes=MODES[mode], **options).save(path)
        return path

    return save


def first(array, value):
    """The same with another first element."""
    array = np.array(array)
    array.flat[0] = value
    return array
