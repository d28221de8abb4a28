"""A small network's reports."""

import numpy as np
import pytest

from hfn_accel.config import Config
from hfn_accel.design_report import report
from hfn_accel.network import Architecture
from hfn_accel.workload import Workload
from tests.tickets import random_ticket


@pytest.fixture(scope="package")
def ticket():
    arch = Architecture.parse("8x1,16x3f", classes=5, image_size=8)
    return random_ticket(np.random.default_rng(0), arch)


@pytest.fixture(scope="package")
def result(ticket):
    return report(Workload.of_ticket(ticket), Config(rows=8, columns=8))
