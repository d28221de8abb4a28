"""`rtl.datapath`."""

import numpy as np
import pytest

from hfn_accel import timing
from hfn_accel.config import Config
from hfn_accel.program import Opcode, offsets
from rtl.datapath import Datapath
from sim.runner import run


@pytest.mark.parametrize("rows, columns, units, bus", [(4, 4, 2, 64), (8, 2, 1, 64), (2, 8, 8, 64),
                                                       (8, 16, 4, 128)])  # fmt: skip
def test_datapath(rows, columns, units, bus):
    config = Config(rows=rows, columns=columns, requantisers=units, axi_data_width=bus,
                    psum_depth=64, activation_bytes=4096, mask_bytes=16384,
                    parameter_channels=64, result_words=1024)  # fmt: skip
    run(Datapath(config), "sim.benches.datapath", name=f"datapath_{config.name}",
        config=config.to_dict(), layers=8, seed=2)  # fmt: skip


def test_closed_forms_of_arrays():
    """Arrays give what integers give, one by one."""
    draw = np.random.default_rng(4)

    def fields(opcode):
        names = (n for n in offsets(opcode) if n not in ("sign_state", "pattern_state"))
        flags = "raw", "residual", "pool", "open", "close", "signs"
        return {n: draw.integers(0, 2, 20) if n in flags else draw.integers(1, 9, 20)
                for n in names}  # fmt: skip

    def compare(function, arrays, *rest):
        whole = function(arrays, *rest)
        for i in range(20):
            one = function({n: int(v[i]) for n, v in arrays.items()},
                           *(r if isinstance(r, int) else int(r[i]) for r in rest))  # fmt: skip
            assert one == ({n: v[i] for n, v in whole.items()} if isinstance(one, dict)
                           else whole[i])  # fmt: skip

    sizes = [1 << draw.integers(0, 7, 20) for _ in range(2)]
    compare(timing.conv_cycles, fields(Opcode.CONV), *sizes, np.maximum(sizes[1] // 4, 1))
    compare(timing.conv_cycles, fields(Opcode.CONV), 8, 4, 2)
    compare(timing.pool_cycles, fields(Opcode.POOL))
    compare(timing.load_cycles, fields(Opcode.IMAGE), 1 << draw.integers(0, 9, 20))
