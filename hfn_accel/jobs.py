"""How long every job of every descriptor takes: what `hfn_accel.schedule` is given.

All follows from the descriptor's fields, in closed forms over arrays of descriptors; what a field
means depends on the opcode, so a form's values count only where its opcode stands.
"""

import numpy as np

from . import schedule, timing
from .codec import decode_cycles, plain_cycles
from .config import Config
from .images import LOGIT_BYTES
from .program import PARAMETER_BYTES, Opcode, Signs
from .registers import Cause
from .schedule import PHASE_CYCLES, Job
from .units import unit_bits

_EXECUTED = {"fill": Cause.FILL, "compute": Cause.COMPUTE, "stall": Cause.STALL,
             "drain": Cause.DRAIN}  # fmt: skip
_TOKENS = ("wait_executed", "wait_stored", "hold_stored")


def jobs(opcode: np.ndarray, f: dict[str, np.ndarray], config: Config, latency: int) -> list[Job]:
    """A job a descriptor. `opcode`, `f[name]`: int64 (descriptors,), 0 where a field is absent."""

    def beats(size):
        return -(-size // config.bus_bytes)

    parameters = schedule.read_cycles(beats(f["out_channels"] * PARAMETER_BYTES), latency)
    fetch = {
        Opcode.IMAGE: {Cause.LOAD: timing.load_cycles(f, latency) + PHASE_CYCLES},
        Opcode.LOAD: {Cause.LOAD: schedule.load_cycles(f["groups"], f["beats"], latency)},
        Opcode.CONV: {
            Cause.PARAMETER: f["fetch_parameters"] * (parameters + PHASE_CYCLES),
            Cause.MASK: f["fetch_mask"] * _mask_cycles(f, config, latency),
        },
    }
    conv = timing.conv_cycles(f, config.rows, config.columns, config.units)
    execute = {
        Opcode.CONV: {cause: conv[name] for name, cause in _EXECUTED.items()},
        Opcode.POOL: {Cause.POOL: timing.pool_cycles(f)},
    }
    logits = schedule.result_cycles(beats(f["out_channels"] * LOGIT_BYTES), latency)
    write = {
        Opcode.STORE: schedule.store_cycles(f["groups"], f["beats"], latency),
        Opcode.CONV: f["raw"] * f["close"] * logits,
    }
    tokens = [f[name].tolist() for name in _TOKENS]
    result = [None] * len(opcode)
    for code in Opcode:
        own = np.flatnonzero(opcode == code).tolist()
        phases, parts = ({cause: clocks.tolist() for cause, clocks in table.get(code, {}).items()}
                         for table in (fetch, execute))  # fmt: skip
        written = write[code].tolist() if code in write else [0] * len(opcode)
        for i in own:
            result[i] = Job(code, {c: n[i] for c, n in phases.items() if n[i]},
                            {c: n[i] for c, n in parts.items() if n[i]}, written[i],
                            *(token[i] for token in tokens))  # fmt: skip
    return result


def _mask_cycles(f, config: Config, latency):
    """The phase of a CONV's mask stream, plain or coded (docs/architecture.md, Mask stream)."""
    coded = (f["coats"] > 1) | (f["code"] > 0) | (f["pruned"] + f["locked"] > 0)
    coded = coded | (f["signs"] != Signs.SEQUENCE)
    units = f["out_tiles"] * f["fan_in"] * (config.columns // unit_bits(config))
    planes = f["coats"] + (f["signs"] != Signs.SEQUENCE)
    clocks = np.where(coded, decode_cycles(units, planes), plain_cycles(f["mask_beats"]))
    return clocks + latency + PHASE_CYCLES
