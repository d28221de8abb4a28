"""The closed-form plan against the compiler's programs."""

import numpy as np
import pytest

from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.designs import Designs, extremes, plan
from hfn_accel.errors import HfnError
from hfn_accel.network import Architecture
from tests.tickets import random_ticket


def random_config(rng, *, tight: bool = False) -> Config:
    """Any shape; `tight`: buffers so small that many networks do not fit."""

    def power(low, high):
        return 1 << int(rng.integers(low, high + 1))

    small = {
        "activation_bytes": power(8, 13), "mask_bytes": power(8, 13),
        "accumulator_bits": int(rng.integers(12, 20)),
        "parameter_channels": 64, "result_words": 64,
    }  # fmt: skip
    return Config(
        rows=power(0, 6), columns=power(0, 6), axi_data_width=int(rng.choice([64, 128])),
        requantisers=power(0, 6), psum_depth=power(4, 7), **(small if tight else {}),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_equals_compiler(seed):
    rng = np.random.default_rng(seed)
    ticket = random_ticket(rng)
    config = random_config(rng, tight=seed % 2 == 0)
    planned = plan(ticket.arch, [n.bits for n in ticket.norms], config, extremes(ticket))
    try:
        program = compile(ticket, config)
    except HfnError as error:
        assert planned.reason != "", error
        return
    assert planned.reason == ""
    for name, values in planned.fields.items():
        expected = [fields.get(name, 0) for _, fields in program.descriptors]
        np.testing.assert_array_equal(values, expected, name)
    for name, value in planned.needs.items():
        assert value == program.header[name], name


def test_designs_equal_configs():
    rng = np.random.default_rng(1)
    configs = [random_config(rng, tight=True) for _ in range(40)]
    axes = {name: [c.to_dict()[name] for c in configs] for name in configs[0].to_dict()}
    designs = Designs.of(Config(), **axes)
    for name in ("group", "units", "bus_bytes", "burst_bytes", "bank_words", "mask_words"):
        assert getattr(designs, name)[:, 0].tolist() == [getattr(c, name) for c in configs]
    arch = Architecture.parse("5x2f,9x3f", classes=7, image_size=8)
    bits = rng.integers(1, 9, (len(configs), len(arch.layers) - 1))
    together = plan(arch, bits, designs)
    for i, config in enumerate(configs):
        alone = plan(arch, bits[i], config)
        assert together.reason[i] == alone.reason
        for name, values in alone.fields.items():
            np.testing.assert_array_equal(together.fields[name][i], values, name)


@pytest.mark.parametrize("option, arch, bits", [
    ("activation_bytes", "64x1", 8), ("mask_bytes", "128x1", 1), ("psum_depth", "4x1", 1),
    ("parameter_channels", "80x1", 1), ("result_words", "4x1", 1), ("accumulator_bits", "16x1", 8),
])  # fmt: skip
def test_reason_names_what_to_enlarge(option, arch, bits):
    arch = Architecture.parse(arch, classes=70, image_size=20)
    small = {"activation_bytes": 4096, "mask_bytes": 4096, "psum_depth": 16,
             "parameter_channels": 64, "result_words": 64, "accumulator_bits": 12}  # fmt: skip
    config = Config(accumulator_bits=32).replace(**{option: small[option]})
    planned = plan(arch, [bits] * (len(arch.layers) - 1), config)
    assert str(planned.reason).endswith(f"enlarge {option}")
